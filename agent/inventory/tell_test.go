package inventory

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

func lease(id string, state contract.LeaseState) contract.Lease {
	return contract.Lease{ID: id, State: state, Requirement: contract.Requirement{Target: "mock"}, Holder: "token ci"}
}

func leaseChanged(l contract.Lease) contract.Event {
	return contract.Event{Type: contract.LeaseChanged, Subject: l.ID, Lease: &l}
}

func note(subject string) contract.Event {
	return contract.Event{Type: contract.PINUnblocked, Subject: subject, Text: "for " + subject}
}

func TestWhatIsToldBeforeRunComesWithItAndAfterRunIsDropped(t *testing.T) {
	inv, err := New(t.Context(), Config{OS: "linux"})
	must(t, err)
	active := lease("lease-1", contract.LeaseActive)
	inv.Tell(note("a"))
	inv.ShowLeases([]contract.Lease{active}, leaseChanged(active)) // does not wait for Run
	inv.Tell()
	inv.Tell(note("b"), note("c"))
	if n := len(inv.Snapshot().Leases); n != 0 {
		t.Errorf("%d leases are shown before Run", n)
	}
	stop := run(t, inv)
	sub := subscribe(t, inv, contract.EventID{Epoch: inv.epoch}.String())
	want := "pin.unblocked a, lease.changed lease-1, pin.unblocked b, pin.unblocked c"
	if got := kinds(told(t, sub, 4)); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	if s := inv.Snapshot(); len(s.Leases) != 1 || s.Leases[0].ID != "lease-1" {
		t.Errorf("the leases are %+v", s.Leases)
	}
	inv.Tell(note("d"))
	stop()
	last := inv.Snapshot()
	inv.Tell(note("e"))
	inv.ShowLeases(nil, note("f"))
	if ids, _ := drain(t, sub); len(ids) != 1 {
		t.Errorf("at the end came %v", ids)
	}
	if inv.Snapshot() != last {
		t.Errorf("after the end there is %+v", inv.Snapshot())
	}
}

// What was told before the end is told, however close it was.
func TestTheLastLettersAreRead(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	for range 50 {
		inv, err := New(t.Context(), Config{OS: "linux"})
		must(t, err)
		inv.Tell(note("a"))
		inv.owner.run(ended)
		if n := inv.View().ID().Seq; n != 1 {
			t.Fatalf("%d events were told", n)
		}
	}
}

func TestLeasesAreShownAtOnceWithTheEventsThatTellOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, judged := newScripted("pcsc"), 0
		judge := func(health.Facts, time.Time) health.Report {
			judged++
			return health.Report{Machine: []contract.Check{{Code: "X", State: contract.Pass}}}
		}
		inv, stop := start(t, Config{Sources: []Source{source}, Judge: judge})
		defer stop()
		source.shows <- Observation{Readers: []contract.Reader{reader("A", contract.Empty)}, Answered: map[string]uint64{"card-1": 7}}
		synctest.Wait()
		if text := string(inv.Encoded(false)); !strings.Contains(text, `"leases":[]`) {
			t.Errorf("without leases it says %s", text)
		}
		was, before := inv.View(), judged
		pass(time.Second)
		active := lease("lease-1", contract.LeaseActive)
		leases := []contract.Lease{active}
		inv.ShowLeases(leases, leaseChanged(active))
		leases[0].ID = "another"
		now := inv.View() // at once
		if l := now.Snapshot().Leases; len(l) != 1 || l[0].ID != "lease-1" || now.ID().Seq != was.ID().Seq+1 || now.Snapshot().ID != now.ID().String() {
			t.Errorf("the snapshot %v shows %+v", now.ID(), l)
		}
		if len(was.Snapshot().Leases) != 0 {
			t.Error("an old snapshot has changed")
		}
		s := now.Snapshot()
		if !s.ObservedAt.Equal(time.Now()) || len(s.Readers) != 1 || len(s.Checks) != 1 || now.answered["card-1"] != 7 {
			t.Errorf("the rest of the snapshot is %+v", s)
		}
		source.shows <- Observation{Readers: []contract.Reader{reader("A", contract.Present)}}
		synctest.Wait()
		if l := inv.Snapshot().Leases; len(l) != 1 || judged != before+1 {
			t.Errorf("after another observation the leases are %+v; judged %d times", l, judged-before)
		}
		inv.ShowLeases(nil)
		if text := string(inv.Encoded(true)); !strings.Contains(text, `"leases":[]`) || judged != before+1 {
			t.Errorf("without leases again it says %s; judged %d times", text, judged-before)
		}
		if n := inv.View().ID().Seq; n != now.ID().Seq+1 {
			t.Errorf("no event was told, and the id is %d after %d", n, now.ID().Seq)
		}
	})
}

// Whatever goes on besides: what a snapshot shows of leases is what the events
// up to its id tell, and each teller's events come in its order. Run with -race.
func TestNoSnapshotIsAheadOfItsEvents(t *testing.T) {
	const rounds, tellers = 60, 3 // all is kept in memory
	source := newScripted("pcsc")
	inv, stop := start(t, Config{Sources: []Source{source}})
	<-source.starts
	sub := subscribe(t, inv, contract.EventID{Epoch: inv.epoch}.String())

	seen, watched := make(map[uint64]string), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			changed := inv.Changed()
			v := inv.View()
			leases := fmt.Sprint(v.Snapshot().Leases)
			if was, ok := seen[v.ID().Seq]; ok && was != leases {
				t.Errorf("snapshot %v shows %s and %s", v.ID(), was, leases)
			}
			seen[v.ID().Seq] = leases
			select {
			case <-changed:
			case <-done:
				return
			}
		}
	}()
	var work sync.WaitGroup
	work.Go(func() { toggle(source, rounds) })
	for n := range tellers {
		work.Go(func() {
			for round := range rounds {
				inv.Tell(note(fmt.Sprint(n)), contract.Event{Type: contract.PINBlocked, Subject: fmt.Sprint(n), Text: fmt.Sprint(round)})
			}
		})
	}
	work.Go(func() {
		for n := range rounds {
			l := lease(fmt.Sprint("lease-", n), contract.LeaseActive)
			inv.ShowLeases([]contract.Lease{l}, leaseChanged(l))
			if shown := inv.Snapshot().Leases; len(shown) != 1 || shown[0].ID != l.ID {
				t.Errorf("%s was shown, there is %+v", l.ID, shown)
			}
		}
	})
	work.Wait()
	close(done)
	<-watched
	stop()

	leases, told, snapshots := "[]", make(map[string]int), 0
	check := func(seq uint64) {
		if shown, ok := seen[seq]; ok {
			if snapshots++; shown != leases {
				t.Fatalf("snapshot %d shows %s, told is %s", seq, shown, leases)
			}
		}
	}
	check(0)
	seq := uint64(0)
	for {
		d, err := sub.Next(t.Context())
		if err != nil {
			break
		}
		for _, entry := range d.Events {
			if seq++; entry.ID().Seq != seq {
				t.Fatalf("event %d has id %v", seq, entry.ID())
			}
			switch e := entry.Event(Viewer{}); {
			case e.Lease != nil:
				leases = fmt.Sprint([]contract.Lease{*e.Lease})
			case e.Type == contract.PINBlocked:
				if e.Text != fmt.Sprint(told[e.Subject]) {
					t.Fatalf("of %s event %s came after %d", e.Subject, e.Text, told[e.Subject])
				}
				told[e.Subject]++
			}
			check(seq)
		}
	}
	if len(told) != tellers || told["0"] != rounds || snapshots != len(seen) {
		t.Errorf("told %v; %d of %d snapshots were checked", told, snapshots, len(seen))
	}
}
