package lease

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

var tester = token("ci", contract.RightPhysical)

// onFresh has reads do something; the snapshot that they make is theirs.
func (w *world) freshly(do func(ctx context.Context, id string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onFresh = do
}

func TestAPhysicalOneIsReadAnewAndAVirtualOneIsNot(t *testing.T) {
	w := newWorld(t, physicalKey(1), virtualKey(2))
	d, _ := begin(t, w, &memory{})
	mustTake(t, d, tester, forMock(""))
	mustTake(t, d, tester, physically(""))
	if !slices.Equal(w.fresh, []string{"key-1"}) {
		t.Errorf("read anew were %v", w.fresh)
	}
}

func TestOneThatIsNotReadyAnyMoreIsNotLent(t *testing.T) {
	for _, test := range []struct {
		name  string
		fresh func(w *world) error
		says  string
	}{
		{"a check fails", func(w *world) error {
			w.see(but(physicalKey(1), failure.KeyPINRetries, "0 of 8 tries are left"))
			return nil
		}, "key 1: PIN tries left on the security key: 0 of 8 tries are left"},
		{"it is gone", func(w *world) error { w.see(); return nil }, "key 1 is not here any more"},
		{"it cannot be read", func(*world) error { return errors.New("I/O error") }, "key 1: it could not be read anew"},
		{"it cannot be read, with a code", func(*world) error {
			return &failure.Error{Code: failure.KeyGone, Detail: "no node"}
		}, "no node"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, kept := newWorld(t, physicalKey(1)), &memory{}
			d, _ := begin(t, w, kept)
			w.freshly(func(context.Context, string) error { return test.fresh(w) })
			_, err := d.Take(soon(t), tester, physically("10m"), nil)
			wantCode(t, err, failure.LeaseNotReady, test.says)
			if len(w.opened()) != 0 || kept.fence != 0 {
				t.Errorf("open %v, fence %d", w.opened(), kept.fence)
			}
			last := w.events[len(w.events)-1]
			if last.Lease.State != contract.LeaseEnded || last.Lease.End != contract.EndRefused {
				t.Errorf("told %+v", last.Lease)
			}
			// Not for good: the next read may find it well.
			w.freshly(func(context.Context, string) error { return nil })
			w.see(physicalKey(1))
			mustTake(t, d, tester, physically(""))
		})
	}
}

func TestTheNextIsTriedWhereOneIsNotReady(t *testing.T) {
	w := newWorld(t, physicalKey(1), physicalKey(2))
	d, _ := begin(t, w, &memory{})
	w.freshly(func(_ context.Context, id string) error {
		if id == "key-1" {
			return errors.New("no answer")
		}
		return nil
	})
	l := mustTake(t, d, tester, physically(""))
	if l.Authenticator != "key-2" || !slices.Equal(w.fresh, []string{"key-1", "key-2"}) {
		t.Errorf("took %s after reading %v", l.Authenticator, w.fresh)
	}
	// The other is lent: there is nothing left but the one that fails.
	_, err := d.Take(soon(t), tester, physically(""), nil)
	wantCode(t, err, failure.LeaseNotReady)
	// Who waits does so for the one that is lent.
	p := takeLater(t, d, tester, physically("10m"))
	mustRelease(t, d, tester, l.ID)
	if got, err := p.wait(t); err != nil || got.Authenticator != "key-2" {
		t.Errorf("got %+v, %v", got.Lease, err)
	}
	// Among equals the one that failed comes last, although it was used longer ago.
	mustRelease(t, d, tester, p.lease.ID)
	w.mu.Lock()
	w.fresh = nil
	w.mu.Unlock()
	if l := mustTake(t, d, tester, physically("")); l.Authenticator != "key-2" || len(w.fresh) != 1 {
		t.Errorf("took %s after reading %v", l.Authenticator, w.fresh)
	}
}

// A card that takes its time holds nobody up but who wants it.
func TestASlowReadHoldsNobodyUp(t *testing.T) {
	w := newWorld(t, physicalKey(1), virtualKey(2))
	d, _ := begin(t, w, &memory{})
	read := make(chan struct{})
	w.freshly(func(context.Context, string) error { <-read; return nil })
	p := takeLater(t, d, tester, physically(""))
	if l := d.Leases()[0]; l.State != contract.LeaseQueued || l.Waiting != "key 1 is being read anew" {
		t.Errorf("it is %+v", l)
	}
	for range 10 {
		l := mustTake(t, d, tester, forMock(""))
		mustRelease(t, d, tester, l.ID)
	}
	_, err := d.Take(soon(t), tester, physically(""), nil)
	wantCode(t, err, failure.LeaseTaken, "key 1 is being given to token ci")
	close(read)
	if _, err := p.wait(t); err != nil {
		t.Error(err)
	}
}

// Whatever it was that was under way when the caller went, nothing of it stays.
func TestACallerWhoGoesLeavesNothing(t *testing.T) {
	for _, at := range []string{"fresh", "open", "first write", "second write", "answer"} {
		t.Run(at, func(t *testing.T) {
			w, kept := newWorld(t, physicalKey(1)), &memory{}
			d, _ := begin(t, w, kept)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			writes := 0
			switch at {
			case "fresh":
				w.freshly(func(ctx context.Context, _ string) error { cancel(); <-ctx.Done(); return ctx.Err() })
			case "open":
				w.onOpen = func(ctx context.Context, _ Grant) error { cancel(); <-ctx.Done(); return nil } // a late success
			case "answer":
				kept.onPut = func(l store.Lease) {
					if l.State == contract.LeaseActive {
						cancel()
					}
				}
			default:
				kept.onPut = func(store.Lease) {
					if writes++; writes == 1 == (at == "first write") {
						cancel()
					}
				}
			}
			_, err := d.Take(ctx, tester, physically("10m"), nil)
			wantCode(t, err, failure.RequestTimeout)
			select {
			case <-d.Ended(firstTold(w)):
			case <-soon(t).Done():
				t.Fatal("it does not end")
			}
			eventually(t, "all is given back", func() bool {
				return len(w.opened()) == 0 && len(kept.ids()) == 0 && len(d.Leases()) == 0
			})
			w.freshly(nil)
			w.mu.Lock()
			w.onOpen = nil
			w.mu.Unlock()
			kept.mu.Lock()
			kept.onPut = nil
			kept.mu.Unlock()
			mustTake(t, d, tester, physically("10m"))
		})
	}
}

func firstTold(w *world) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[0].Subject
}

// The caller may go at the very moment at which the lease is given.
func TestALeaseGivenToNobodyIsReleased(t *testing.T) {
	w, kept := newWorld(t, physicalKey(1)), &memory{}
	d, _ := begin(t, w, kept)
	for range 20 {
		ctx, cancel := context.WithCancel(soon(t))
		read := make(chan struct{})
		w.freshly(func(context.Context, string) error { <-read; return nil })
		_, err := d.Take(ctx, tester, physically("10m"), func(place contract.Lease) {
			close(read)
			eventually(t, "it is given", func() bool { l, _ := d.Lease(place.ID); return l.State == contract.LeaseActive })
			cancel() // while the answer is there already
		})
		wantCode(t, err, failure.RequestTimeout)
		eventually(t, "it is given back", func() bool { return len(d.Leases()) == 0 })
	}
	for id, why := range w.closed {
		if why != contract.EndReleased {
			t.Errorf("%s ended as %s", id, why)
		}
	}
}

func TestWhatCannotBeOpenedIsNotLent(t *testing.T) {
	w, kept := newWorld(t, virtualKey(1)), &memory{}
	d, end := begin(t, w, kept)
	w.onOpen = func(context.Context, Grant) error { return &failure.Error{Code: failure.KeyGone, Detail: "it went"} }
	_, err := d.Take(soon(t), tester, forMock("10m"), nil)
	wantCode(t, err, failure.LeaseNotReady, "it went")
	eventually(t, "it is closed and forgotten", func() bool { return len(w.opened()) == 0 && len(kept.ids()) == 0 })
	if why := w.closed[idOf(nameIn(lastClosed(w)), 1)]; why != contract.EndRefused {
		t.Errorf("closed as %q", why)
	}
	if len(w.events) != 0 || len(w.shown) != 0 {
		t.Errorf("others saw %v, %v", w.events, w.shown)
	}
	end()
	if _, ok := d.owner.memory["key-1"]; !ok {
		t.Error("that it failed is not remembered")
	}
}

func lastClosed(w *world) (id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id = range w.closed {
	}
	return id
}

// A take-over does not wait for somebody's read.
func TestALeaseThatIsBeingGivenCanBeTakenOver(t *testing.T) {
	w := newWorld(t, physicalKey(1))
	d, _ := begin(t, w, &memory{})
	first := true
	w.freshly(func(ctx context.Context, _ string) error {
		if first {
			first = false
			<-ctx.Done()
		}
		return nil
	})
	p := takeLater(t, d, tester, physically("10m"))
	r := physically("")
	r.Takeover = true
	ctx, cancel := context.WithTimeout(soon(t), 30*time.Second)
	defer cancel()
	if _, err := d.Take(ctx, token("root", contract.RightPhysical, contract.RightAdmin), r, nil); err != nil {
		t.Fatal(err)
	}
	_, err := p.wait(t)
	wantCode(t, err, failure.LeaseTaken, "taken over by token root")
}
