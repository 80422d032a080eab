package client_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/client"
	"authbridge/agent/contract"
)

func request(authenticator string) contract.LeaseRequest {
	return contract.LeaseRequest{Requirement: contract.Requirement{Authenticator: authenticator, Target: "mock"}}
}

// until waits for the scripted leases to come to a state.
func until(t *testing.T, s *apitest.Server, what string, reached func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		changed := s.Leases.Changed()
		if reached() {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("it never came to this: %s; calls %q", what, s.Leases.Calls())
		}
	}
}

func TestALeaseIsTakenUsedAndReleased(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	for name, c := range map[string]*client.Client{"socket": overSocket(t, s), "tcp": overTCP(t, s, s.Secret)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			taken, err := c.TakeLease(ctx, request("card-1"))
			if err != nil || taken.Token == "" || taken.State != contract.LeaseActive {
				t.Fatalf("%+v, %v", taken, err)
			}
			_, err = c.TakeLease(ctx, request("card-1"))
			wantProblem(t, err, "LEASE_TAKEN")
			if list, err := c.Leases(ctx); err != nil || len(list) != 1 || list[0].ID != taken.ID {
				t.Errorf("%+v, %v", list, err)
			}
			if l, err := c.RenewLease(ctx, taken.ID, time.Hour); err != nil || time.Until(l.EndsAt) < 50*time.Minute {
				t.Errorf("%+v, %v", l, err)
			}
			if _, err := c.RenewLease(ctx, taken.ID, 0); err != nil {
				t.Error(err)
			}
			// The lease's own token is enough to use it.
			own := c.With(taken.Token)
			defer own.Close()
			if _, err := own.RenewLease(ctx, taken.ID, time.Minute); err != nil {
				t.Error(err)
			}
			_, err = own.TakeLease(ctx, request(""))
			wantProblem(t, err, "FORBIDDEN")
			if l, err := own.ReleaseLease(ctx, taken.ID); err != nil || l.End != contract.EndReleased || len(l.Remarks) != 1 {
				t.Errorf("%+v, %v", l, err)
			}
			if l, err := c.Lease(ctx, taken.ID); err != nil || l.State != contract.LeaseEnded {
				t.Errorf("%+v, %v", l, err)
			}
			_, err = own.Lease(ctx, taken.ID)
			wantProblem(t, err, "LEASE_OVER")
		})
	}
}

func TestWhoWaitsForALeaseGetsItOrGivesUp(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	first, err := c.TakeLease(t.Context(), request("card-1"))
	if err != nil {
		t.Fatal(err)
	}
	waits := request("card-1")
	waits.Wait = "10m"
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() { gaveUp <- second(c.TakeLease(ctx, waits)) }()
	until(t, s, "queued", func() bool { return len(s.Leases.Leases()) == 2 })
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	until(t, s, "out of the queue", func() bool { return len(s.Leases.Leases()) == 1 })

	got := make(chan *contract.NewLease, 1)
	go func() {
		l, err := c.TakeLease(context.WithoutCancel(t.Context()), waits)
		if err != nil {
			t.Error(err)
		}
		got <- l
	}()
	until(t, s, "queued again", func() bool { return len(s.Leases.Leases()) == 2 })
	if _, err := c.ReleaseLease(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if l := <-got; l == nil || l.State != contract.LeaseActive || l.Fence <= first.Fence {
		t.Errorf("%+v", l)
	}
}

func TestAHeldLeaseLastsAsLongAsItsHolder(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overTCP(t, s, s.Secret)
	held, err := c.HoldLease(t.Context(), request("card-1"), nil)
	if err != nil || held.Token == "" || held.Hold != contract.HoldConnection {
		t.Fatalf("%+v, %v", held, err)
	}
	waits := request("card-1")
	waits.Wait = "10m"
	var mu sync.Mutex
	var places []int
	next := make(chan *client.HeldLease, 1)
	go func() {
		h, err := c.HoldLease(context.WithoutCancel(t.Context()), waits, func(l contract.Lease) {
			mu.Lock()
			defer mu.Unlock()
			places = append(places, l.Position)
		})
		if err != nil {
			t.Error(err)
		}
		next <- h
	}()
	until(t, s, "queued", func() bool { return len(s.Leases.Leases()) == 2 })
	if _, err := c.HoldLease(t.Context(), request(apitest.Nothing), nil); err == nil {
		t.Error("nothing was lent")
	} else {
		wantProblem(t, err, "LEASE_UNMET")
	}
	held.Close() // and nothing else
	held.Close()
	<-held.Done()
	if _, err := held.Ended(); err == nil {
		t.Error("that the connection ended is no error")
	}
	h := <-next
	if h == nil {
		t.FailNow()
	}
	mu.Lock()
	if !slices.Equal(places, []int{1}) {
		t.Errorf("told of the places %v", places)
	}
	mu.Unlock()
	select {
	case <-h.Done():
		t.Fatal("it has ended")
	default:
	}
	if l, err := h.Release(t.Context()); err != nil || l.End != contract.EndReleased || len(l.Remarks) != 1 {
		t.Errorf("%+v, %v", l, err)
	}

	byContext, cancel := context.WithCancel(t.Context())
	h, err = c.HoldLease(byContext, request("card-1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-h.Done()
	until(t, s, "given back", func() bool { return len(s.Leases.Leases()) == 0 })
	if _, err := h.Ended(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestAHeldLeaseTellsHowTheDaemonEndedIt(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	held, err := c.HoldLease(t.Context(), request("card-1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Leases.End(held.ID, contract.EndExpired)
	if l, err := held.Ended(); err != nil || l.End != contract.EndExpired || len(l.Remarks) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	_, err = held.Release(t.Context())
	wantProblem(t, err, "LEASE_OVER")

	held, err = c.HoldLease(t.Context(), request("card-1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	waits := request("card-1")
	waits.Wait = "10m"
	queued := make(chan error, 1)
	go func() { queued <- second(c.HoldLease(context.WithoutCancel(t.Context()), waits, nil)) }()
	until(t, s, "queued", func() bool { return len(s.Leases.Leases()) == 2 })
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if l, err := held.Ended(); err != nil || l.State != contract.LeaseEnded {
		t.Errorf("%+v, %v", l, err)
	}
	// The place came free as the daemon ended: either is the end of it.
	if err := <-queued; err != nil && !errors.Is(err, client.ErrNotReachable) {
		t.Errorf("queued: %v", err)
	}
	if _, err := c.HoldLease(t.Context(), request("card-1"), nil); !errors.Is(err, client.ErrNotReachable) {
		t.Errorf("without a daemon: %v", err)
	}
}

// TestABrokenHeldStreamIsNotReachable: the daemon was killed.
func TestABrokenHeldStreamIsSaidSo(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	var mu sync.Mutex
	var last net.Conn
	c := &client.Client{URL: "unix://" + s.Socket, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		last = conn
		return conn, err
	}}
	defer c.Close()
	held, err := c.HoldLease(t.Context(), request("card-1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	_ = last.Close()
	mu.Unlock()
	if _, err := held.Ended(); !errors.Is(err, client.ErrNotReachable) {
		t.Errorf("got %v", err)
	}
	until(t, s, "given back", func() bool { return len(s.Leases.Leases()) == 0 })
}

func TestBlocksAreSeenAndCleared(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	list, err := c.PINBlocks(t.Context(), "card-1")
	if err != nil || len(list) != 1 || list[0].Source != apitest.Blocked {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := c.Unblock(t.Context(), "card-1"); err != nil {
		t.Fatal(err)
	}
	if list, err = c.PINBlocks(t.Context(), "card-1"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if calls := s.Ceremonies.Calls(); len(calls) != 1 || !strings.HasSuffix(calls[0], "card-1") {
		t.Errorf("calls %q", calls)
	}
}
