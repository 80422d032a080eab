//go:build linux && cgo

package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
)

// following reads the event stream to its end, over restarts of the daemon, and
// holds that nothing is missing in it.
type following struct {
	t    *testing.T
	stop context.CancelFunc
	done chan error

	mu     sync.Mutex
	last   contract.EventID
	more   chan struct{} // closed at the next one
	events []contract.Event
}

// follow begins at the first event of the daemon's epoch.
func follow(t *testing.T, l *lender) *following {
	t.Helper()
	s, err := l.admin.Status(t.Context())
	must(t, err)
	now, err := contract.ParseEventID(s.ID)
	must(t, err)
	first := contract.EventID{Epoch: now.Epoch}
	ctx, cancel := context.WithCancel(context.Background())
	f := &following{t: t, stop: cancel, done: make(chan error, 1), last: first, more: make(chan struct{})}
	go func() { f.done <- l.admin.Events(ctx, first.String(), f.hear) }()
	t.Cleanup(cancel)
	return f
}

func (f *following) hear(e apiclient.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Truncated {
		f.t.Error("events were missed")
	}
	if e.Event == nil {
		return nil
	}
	id, err := contract.ParseEventID(e.Event.ID)
	if err != nil {
		return err
	}
	if id.Epoch == f.last.Epoch && id.Seq != f.last.Seq+1 || id.Epoch != f.last.Epoch && (id.Seq != 1 || id.Epoch < f.last.Epoch) {
		f.t.Errorf("event %s came after %s", id, f.last)
	}
	f.last = id
	f.events = append(f.events, *e.Event)
	close(f.more)
	f.more = make(chan struct{})
	return nil
}

// until ends it at the newest event that there is, and returns all.
func (f *following) until(l *lender) []contract.Event {
	f.t.Helper()
	f.reaches(l)
	f.stop()
	if err := <-f.done; !errors.Is(err, context.Canceled) {
		f.t.Errorf("the stream ended by %v", err)
	}
	return f.events
}

// reaches waits until it has seen what there is now.
func (f *following) reaches(l *lender) {
	f.t.Helper()
	s, err := l.admin.Status(f.t.Context())
	must(f.t, err)
	newest, err := contract.ParseEventID(s.ID)
	must(f.t, err)
	deadline := time.After(patience)
	for {
		f.mu.Lock()
		last, more := f.last, f.more
		f.mu.Unlock()
		if newest.Seq == 0 || last.Compare(newest) >= 0 {
			return
		}
		select {
		case <-more:
		case <-deadline:
			f.t.Fatalf("the stream is at %s, the daemon at %s", last, newest)
		}
	}
}

// told is what the journal says of leases.
type told struct {
	leases map[string]*story // by purpose
	queued int
}

// story is one lease, from the queue to its end.
type story struct {
	contract.Lease
	id             string
	queued, active bool
	ending, ended  bool
	end            contract.LeaseEnd
	endedAt        time.Time
}

// replay plays the journal of leases again. Each is told from its beginning to
// its one end; places in the queue are as the queue was; an authenticator has
// one lease at a time; and it went to the oldest that it suited.
func replay(t *testing.T, events []contract.Event) *told {
	t.Helper()
	j := &told{leases: make(map[string]*story)}
	holders := make(map[string]string) // purpose by authenticator
	var queue []string
	var last time.Time
	for _, e := range events {
		if e.Type != contract.LeaseChanged {
			continue
		}
		l := e.Lease
		s := j.leases[l.Purpose]
		if s == nil {
			s = &story{}
			j.leases[l.Purpose] = s
		}
		bad := false
		switch l.State {
		case contract.LeaseQueued:
			bad = s.queued || s.active || s.ended
			s.Lease, s.queued = *l, true
			queue = append(queue, l.Purpose)
			j.queued++
			if l.Position != len(queue) || l.Waiting == "" {
				t.Errorf("%s is in place %d of %d and waits for %q", l.Purpose, l.Position, len(queue), l.Waiting)
			}
			if l.QueuedAt.Before(last) {
				t.Errorf("%s came at %s, and is behind one that came at %s", l.Purpose, l.QueuedAt, last)
			}
			last = l.QueuedAt
		case contract.LeaseActive:
			if s.active { // renewed
				bad = s.id != l.ID || s.ending
				break
			}
			bad = s.ended || holders[l.Authenticator] != ""
			if bad {
				t.Errorf("%s has it", holders[l.Authenticator])
			}
			holders[l.Authenticator] = l.Purpose
			s.Lease, s.active, s.id = *l, true, l.ID
			queue = slices.DeleteFunc(queue, func(p string) bool { return p == l.Purpose })
		case contract.LeaseEnding:
			bad = !s.active || s.ending || l.End == ""
			s.ending, s.end = true, l.End
		case contract.LeaseEnded:
			bad = s.ended || l.End == "" || s.active && (!s.ending || s.end != l.End || holders[l.Authenticator] != l.Purpose) || !s.active && !s.queued
			if len(l.Remarks) > 0 {
				t.Errorf("%s: %v", l.Purpose, l.Remarks)
			}
			if s.active {
				delete(holders, l.Authenticator)
			}
			s.ended, s.end, s.endedAt = true, l.End, l.EndedAt
			queue = slices.DeleteFunc(queue, func(p string) bool { return p == l.Purpose })
		}
		if bad {
			t.Errorf("%s: %s is %s (%s) after %+v", e.ID, l.Purpose, l.State, l.End, s)
		}
	}
	for purpose, s := range j.leases {
		if !s.ended {
			t.Errorf("%s never ended: %+v", purpose, s)
		}
	}
	j.inTurn(t)
	return j
}

// inTurn holds that nobody got an authenticator while somebody waited who came
// before and whom it would have suited. A lease is taken when its fence number
// is given, at TakenAt; the journal tells of it once it is written down. Who
// was given one meanwhile and went away before that is told of by nothing but a
// fence number that nobody has: so many may seem to have been passed over.
func (j *told) inTurn(t *testing.T) {
	t.Helper()
	var given, waited []*story
	kinds := make(map[string]contract.Kind)
	has := make(map[uint64]bool)
	for _, s := range j.leases {
		if s.active {
			given = append(given, s)
			kinds[s.Authenticator] = s.Kind
			has[s.Fence] = true
		}
		waited = append(waited, s)
	}
	slices.SortFunc(given, func(x, y *story) int { return int(x.Fence) - int(y.Fence) })
	slices.SortFunc(waited, func(x, y *story) int { return x.QueuedAt.Compare(y.QueuedAt) })
	passed := make(map[*story]uint64) // by which fence, at first
	for i, s := range given {
		if i > 0 && s.TakenAt.Before(given[i-1].TakenAt) {
			t.Errorf("lease %d was taken before lease %d", s.Fence, given[i-1].Fence)
		}
		if strings.HasPrefix(s.Purpose, takesOver) {
			continue
		}
		for _, w := range waited {
			if !w.QueuedAt.Before(s.QueuedAt) {
				break
			}
			waits := w.active && w.Fence > s.Fence || !w.active && w.endedAt.After(s.TakenAt)
			if !waits || !suits(w.Requirement, s.Authenticator, kinds[s.Authenticator]) || passed[w] != 0 {
				continue
			}
			if passed[w] = s.Fence; w.active {
				t.Errorf("%s came at %s and got lease %d; %s got lease %d before, and came at %s",
					w.Purpose, w.QueuedAt, w.Fence, s.Purpose, s.Fence, s.QueuedAt)
			}
		}
	}
	// Each of those who went away must have had a fence number of their own.
	var by []uint64
	for w, fence := range passed {
		if !w.active {
			by = append(by, fence)
		}
	}
	slices.Sort(by)
	next := given[0].Fence
	for _, fence := range by {
		for next < fence && has[next] {
			next++
		}
		if next >= fence {
			t.Errorf("%d who went away were passed over", len(by))
			return
		}
		next++
	}
}

func suits(want contract.Requirement, authenticator string, kind contract.Kind) bool {
	return (want.Authenticator == "" || want.Authenticator == authenticator) && (want.Kind == "" || want.Kind == kind)
}
