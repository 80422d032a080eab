package lease

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Many clients and few authenticators: the authenticators say that they were
// never opened twice (world.Open), the journal that nobody was served before
// somebody who came earlier, and each client that it got what it waited for.
func TestACrowdIsServedInOrderAndOneByOne(t *testing.T) {
	const clients, authenticators = 40, 4
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	w := newWorld(t, virtualKey(1), virtualKey(2), virtualKey(3), virtualKey(4))
	kept := openStore(t, t.TempDir())
	d, end := begin(t, w, kept)
	var holders [authenticators + 1]atomic.Int32
	var crowd sync.WaitGroup
	for c := range clients {
		crowd.Go(func() {
			by := token(fmt.Sprint(c))
			for range rounds {
				l, err := d.Take(t.Context(), by, forMock("10m"), func(contract.Lease) {})
				if err != nil {
					t.Error(err)
					return
				}
				n := l.Authenticator[len("key-")] - '0'
				if holders[n].Add(1) != 1 {
					t.Errorf("%s has two holders", l.Authenticator)
				}
				if err := d.Check(by, l.ID, l.Fence); err != nil {
					t.Error(err)
				}
				holders[n].Add(-1)
				if _, err := d.Release(t.Context(), by, l.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	crowd.Wait()
	end()
	taken := inOrder(t, w.events)
	if taken != clients*rounds {
		t.Errorf("%d leases were taken, want %d", taken, clients*rounds)
	}
	if records, fence, err := kept.Leases(t.Context()); err != nil || len(records) != 0 || fence != uint64(taken) {
		t.Errorf("kept %v, fence %d, %v", records, fence, err)
	}
	if len(w.opened()) != 0 {
		t.Errorf("open are %v", w.opened())
	}
}

// inOrder replays the journal: nobody is given a lease while somebody waits
// who came before, where all want the same. It counts the leases.
func inOrder(t *testing.T, events []contract.Event) (taken int) {
	t.Helper()
	var fence uint64
	waiting := map[string]contract.Lease{}
	for _, e := range events {
		name := nameIn(e.Subject)
		switch e.Lease.State {
		case contract.LeaseQueued:
			waiting[name] = *e.Lease
		case contract.LeaseActive:
			taken++
			delete(waiting, name)
			fence = max(fence, e.Lease.Fence)
		case contract.LeaseEnded:
			delete(waiting, name)
		}
	}
	if fence != uint64(taken) {
		t.Errorf("%d leases and the fence is %d", taken, fence)
	}
	// The fence is given with the authenticator, so its order is the one to
	// compare: the lines in the journal come when the lease is written.
	byFence := make([]contract.Lease, fence+1)
	for _, e := range events {
		if e.Lease.State == contract.LeaseActive {
			byFence[e.Lease.Fence] = *e.Lease
		}
	}
	for i := 2; i < len(byFence); i++ {
		if byFence[i].QueuedAt.Before(byFence[i-1].QueuedAt) {
			t.Errorf("%s came at %s and was served after %s, which came at %s", byFence[i].ID, byFence[i].QueuedAt, byFence[i-1].ID, byFence[i-1].QueuedAt)
		}
	}
	for name := range waiting {
		t.Errorf("%s still waits", name)
	}
	return taken
}

// Clients that go away at any moment leave nothing behind.
func TestACrowdThatComesAndGoes(t *testing.T) {
	w := newWorld(t, virtualKey(1), physicalKey(2))
	w.onFresh = func(ctx context.Context, _ string) error { return ctx.Err() }
	kept := openStore(t, t.TempDir())
	d, end := begin(t, w, kept)
	var crowd sync.WaitGroup
	for c := range 20 {
		crowd.Go(func() {
			by := token(fmt.Sprint(c), contract.RightPhysical, contract.RightAdmin)
			random := rand.New(rand.NewPCG(1, uint64(c)))
			for range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				request := forMock("10m")
				if random.IntN(2) == 0 {
					request.Origin = contract.Physical
				}
				request.Takeover = random.IntN(4) == 0
				heard := 0
				l, err := d.Take(ctx, by, request, func(contract.Lease) {
					if heard++; heard > random.IntN(3) {
						cancel()
					}
				})
				if err == nil {
					switch random.IntN(3) {
					case 0:
						_, err = d.Renew(ctx, by, l.ID, "1h")
					case 1:
						d.Revoked(by.TokenID)
					}
					if _, ended := d.Release(t.Context(), by, l.ID); err == nil {
						err = ended
					}
				}
				switch code := failure.CodeOf(err); code {
				case "", failure.RequestTimeout, failure.LeaseOver, failure.LeaseTaken, failure.Unauthorized:
				default:
					t.Error(err)
				}
				cancel()
			}
		})
	}
	crowd.Wait()
	eventually(t, "all is given back", func() bool { return len(w.opened()) == 0 && len(d.Leases()) == 0 })
	end()
	if records, _, err := kept.Leases(t.Context()); err != nil || len(records) != 0 {
		t.Errorf("kept %v, %v", records, err)
	}
	if len(d.owner.held) != 0 || len(d.owner.queue) != 0 {
		t.Errorf("the book still has %v, %v", d.owner.held, d.owner.queue)
	}
}
