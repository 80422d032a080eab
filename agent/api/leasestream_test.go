package api

import (
	"context"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/lease"
)

type lending = Leases

// lendsNothing knows no token; the rest is not asked.
type lendsNothing struct{ lending }

func (lendsNothing) Token([]byte) (contract.Lease, bool) { return contract.Lease{}, false }
func (lendsNothing) Over([]byte) error                   { return nil }

// oneLease is taken when the test says so.
type oneLease struct {
	lendsNothing
	taken chan struct{} // closed: it is
	// stubborn gives the lease though the caller has gone, as a desk may that
	// had it ready.
	stubborn bool
	ended    chan struct{}
	dropped  []string
}

func (o *oneLease) Take(ctx context.Context, _ lease.Caller, _ contract.LeaseRequest, told func(contract.Lease)) (contract.NewLease, error) {
	told(contract.Lease{ID: "l", Position: 3})
	told(contract.Lease{ID: "l", Position: 2})
	select {
	case <-o.taken:
	case <-ctx.Done():
		if !o.stubborn {
			return contract.NewLease{}, ctx.Err()
		}
	}
	return contract.NewLease{Lease: contract.Lease{ID: "l-1"}}, nil
}

func (o *oneLease) Ended(string) <-chan struct{} { return o.ended }

func (o *oneLease) Dropped(id string) { o.dropped = append(o.dropped, id) }

func (o *oneLease) Lease(id string) (contract.Lease, bool) {
	return contract.Lease{ID: id, End: contract.EndExpired}, true
}

func startHeld(ctx context.Context, o *oneLease) *heldLease {
	h := &heldLease{server: &Server{config: Config{Leases: o}}, place: &standing{changed: make(chan struct{}, 1)}, taken: make(chan taking, 1)}
	go func() {
		l, err := o.Take(ctx, lease.Caller{}, contract.LeaseRequest{}, h.place.set)
		h.taken <- taking{l, err}
	}()
	return h
}

// knowing is the context of a caller to whom nothing is masked.
func knowing(t *testing.T) context.Context {
	return context.WithValue(t.Context(), callerKey{}, Caller{Rights: contract.Rights})
}

// TestAHeldLeaseBeats in the queue and after, every 15 s; of places that were
// passed at once the last is told.
func TestAHeldLeaseBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oneLease{taken: make(chan struct{}), ended: make(chan struct{})}
		h := startHeld(knowing(t), o)
		synctest.Wait()
		began := time.Now()
		var said []string
		var at []time.Duration
		send := func(b []byte) bool {
			said = append(said, string(b))
			at = append(at, time.Since(began))
			switch len(said) {
			case 3:
				close(o.taken)
			case 6:
				close(o.ended)
			}
			return true
		}
		l, ok := h.queue(knowing(t), send)
		if !ok || l.ID != "l-1" {
			t.Fatalf("%+v %t", l, ok)
		}
		h.keep(knowing(t), send, l)
		for i, want := range []string{"event: queued", ": heartbeat", ": heartbeat", "event: taken", ": heartbeat", ": heartbeat", "event: ended"} {
			if i >= len(said) || !strings.HasPrefix(said[i], want) {
				t.Fatalf("said %q, want %q as number %d", said, want, i)
			}
		}
		if !strings.Contains(said[0], `"position":2`) {
			t.Errorf("first %q", said[0])
		}
		if want := []time.Duration{0, 15 * time.Second, 30 * time.Second}; !slices.Equal(at[:3], want) {
			t.Errorf("at %v, want %v", at[:3], want)
		}
	})
}

// broken is a connection that takes so many writes and then none.
type broken struct {
	*httptest.ResponseRecorder
	left int
}

func (b *broken) SetWriteDeadline(time.Time) error { return nil }

func (b *broken) Write(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return b.ResponseRecorder.Write(p)
}

// TestWhoReadsNoMoreHasNoLease: a write that fails is the end, in the queue
// and after, also where the lease was taken at that moment.
func TestWhoReadsNoMoreHasNoLease(t *testing.T) {
	for name, c := range map[string]struct {
		stubborn bool
		writes   int
		taken    bool // after a second in the queue
		want     []string
	}{
		"in the queue":    {},
		"at that moment":  {stubborn: true, want: []string{"l-1"}},
		"when it is told": {writes: 1, taken: true, want: []string{"l-1"}},
		"after":           {writes: 2, taken: true, want: []string{"l-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, release := context.WithCancel(knowing(t))
				o := &oneLease{taken: make(chan struct{}), ended: make(chan struct{}), stubborn: c.stubborn}
				h := startHeld(ctx, o)
				synctest.Wait() // its place is known
				if c.taken {
					time.AfterFunc(time.Second, func() { close(o.taken) })
				}
				h.stream(ctx, release, &broken{httptest.NewRecorder(), c.writes})
				if ctx.Err() == nil {
					t.Error("the call is still held")
				}
				if !slices.Equal(o.dropped, c.want) {
					t.Errorf("dropped %q, want %q", o.dropped, c.want)
				}
			})
		})
	}
}
