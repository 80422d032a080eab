//go:build linux && cgo

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/pcsc/vcard"
)

// Clients work, the daemon is killed at any moment and started again, and what
// became of each lease and ceremony is what docs/leases.md says. The next
// ceremony on each authenticator succeeds, with nothing plugged in anew.
func TestLeasesOutliveAKilledDaemon(t *testing.T) {
	rounds := scaled(10, 100)
	p, l := programLends(t)
	k := &killing{lender: l, t: t, p: p, random: rand.New(rand.NewPCG(5, uint64(rounds)))}
	for n := range 6 {
		k.workers = append(k.workers, l.client(fmt.Sprint("worker-", n)))
	}
	k.patient = l.client("patient")
	k.journal = follow(t, l)
	for round := range rounds {
		k.round = round
		k.work()
		k.restart()
		k.look()
		k.next()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	k.journal.until(l)
	for id, record := range l.cards {
		if n := record.card.PINTriesLeft(); n != 3 {
			t.Errorf("card %s has %d tries left", id, n)
		}
	}
	slices.Sort(k.took)
	t.Logf("%d daemons killed, %d of them before they listened; %d leases with a time went on and %d had ended, %d held by connections ended; %d ceremonies were cut off, %d had just ended; %d PINs were in flight. The next ceremony came %v after the start in the middle, %v at most",
		rounds+k.unborn, k.unborn, k.wentOn, k.ended, k.dropped, k.cut, k.over, k.blocked, k.took[len(k.took)/2].Round(time.Millisecond), k.took[len(k.took)-1].Round(time.Millisecond))
}

// killing is the script, and what clients know of it.
type killing struct {
	*lender
	t       *testing.T
	p       *program
	random  *rand.Rand
	workers []*apiclient.Client
	patient *apiclient.Client // waits for a person in a ceremony
	journal *following
	round   int
	// twice: the present daemon comes after one that was killed at its start. It
	// may have ended what was to be ended, and then the present one does not
	// know of it any more: what is over is not kept.
	twice bool
	began time.Time // when the present daemon listened
	fence uint64    // the greatest that was ever told

	mu     sync.Mutex // guards the ledger of a round
	ledger []*ledgerEntry

	unborn, wentOn, ended, dropped, cut, over, blocked int
	took                                               []time.Duration
}

// ledgerEntry is what a client knows of a lease and its last ceremony.
type ledgerEntry struct {
	client  *apiclient.Client
	purpose string
	hold    contract.Hold
	lease   contract.Lease // empty: no answer has come
	ends    time.Time      // as it was told last
	renews  bool           // asked for, not answered
	leaves  bool           // its end is asked for
	gone    bool           // and told
	act     string         // the ceremony begun last
	waits   bool           // and it waits for a person
	acted   bool           // it was told to be over
}

func (k *killing) change(do func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	do()
}

// work lets clients work until the daemon is killed.
func (k *killing) work() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	k.ledger = nil
	var all sync.WaitGroup
	waits := k.authenticators()[k.round%4]
	waiting := make(chan struct{})
	all.Go(func() { k.wait(ctx, waits, waiting) })
	select {
	case <-waiting:
	case <-ctx.Done():
		k.t.Fatal("no ceremony waits for a person")
	}
	for n, client := range k.workers {
		random := rand.New(rand.NewPCG(uint64(k.round), uint64(n)))
		all.Go(func() {
			for round := 0; k.once(ctx, random, client, fmt.Sprintf("round %d worker %d lease %d", k.round, n, round)); round++ {
			}
		})
	}
	moment := time.NewTimer(time.Duration(k.random.IntN(300_000)) * time.Microsecond)
	defer moment.Stop()
	<-moment.C
	k.p.kill()
	all.Wait()
}

// wait has a ceremony that waits for a person.
func (k *killing) wait(ctx context.Context, authenticator string, waiting chan<- struct{}) {
	e := &ledgerEntry{client: k.patient, purpose: fmt.Sprintf("round %d waits", k.round), hold: contract.HoldTTL, waits: true}
	k.ledger = append(k.ledger, e)
	held, err := k.patient.TakeLease(ctx, contract.LeaseRequest{
		Requirement: contract.Requirement{Authenticator: authenticator, Target: "mock"}, Wait: "30s", TTL: "5m", Purpose: e.purpose,
	})
	if err != nil {
		k.t.Error(err)
		return
	}
	request := k.request(held.Lease, "required")
	request.PIN, request.Wait = &contract.PINSource{Ask: true}, false
	begun, err := k.patient.Begin(ctx, request)
	if err != nil {
		k.t.Error(err)
		return
	}
	for begun.State != contract.CeremonyPIN && err == nil {
		begun, err = k.patient.Ceremony(ctx, begun.ID, time.Millisecond)
	}
	report(k.t, "the ceremony that waits", err)
	k.change(func() { e.lease, e.ends, e.act = held.Lease, held.EndsAt, begun.ID })
	close(waiting)
}

// request is a ceremony that an authenticator can do.
func (k *killing) request(l contract.Lease, uv string) contract.CeremonyRequest {
	if credential := k.keys[l.Authenticator]; credential != "" {
		return assertion(l.ID, credential, uv)
	}
	return signature(l.ID, "9A", mark(l.Fence))
}

// once takes a lease, uses it and gives it back, and notes each step before and
// after. It is false once there is no daemon any more.
func (k *killing) once(ctx context.Context, random *rand.Rand, client *apiclient.Client, purpose string) bool {
	e := &ledgerEntry{client: client, purpose: purpose, hold: contract.HoldTTL}
	k.change(func() { k.ledger = append(k.ledger, e) })
	request := contract.LeaseRequest{Requirement: contract.Requirement{Target: "mock", AAL: 3}, Wait: "1m", TTL: "5m", Purpose: purpose}
	if random.IntN(8) == 0 {
		request.TTL = "1s"
	}
	var held *apiclient.HeldLease
	var l contract.NewLease
	if random.IntN(2) == 0 {
		e.hold = contract.HoldConnection
		var err error
		if held, err = client.HoldLease(ctx, request, nil); err != nil {
			return k.goesOn(err)
		}
		defer held.Close()
		l = held.NewLease
	} else {
		taken, err := client.TakeLease(ctx, request)
		if err != nil {
			return k.goesOn(err)
		}
		l = *taken
	}
	k.change(func() { e.lease, e.ends = l.Lease, l.EndsAt })
	for range 1 + random.IntN(2) {
		ceremony := withPIN(k.request(l.Lease, []string{"required", "discouraged"}[random.IntN(2)]), "", vcard.DefaultPIN)
		ceremony.Wait = false
		begun, err := client.Begin(ctx, ceremony)
		if err != nil {
			return k.goesOn(err)
		}
		k.change(func() { e.act, e.acted = begun.ID, false })
		for !begun.State.Over() {
			if begun, err = client.Ceremony(ctx, begun.ID, time.Minute); err != nil {
				return k.goesOn(err)
			}
		}
		k.change(func() { e.acted = true })
		switch problemIn(begun, nil) {
		case "", failure.CeremonyCancelled, failure.LeaseOver: // its time was up
		default:
			k.t.Errorf("%s: %+v", purpose, begun.Problem)
		}
		if random.IntN(2) == 0 && request.TTL != "1s" {
			k.change(func() { e.renews = true })
			renewed, err := client.RenewLease(ctx, l.ID, 0)
			if err != nil {
				return k.goesOn(err)
			}
			k.change(func() { e.ends, e.renews = renewed.EndsAt, false })
		}
	}
	k.change(func() { e.leaves = true })
	if _, err := client.ReleaseLease(ctx, l.ID); err != nil {
		return k.goesOn(err)
	}
	k.change(func() { e.gone = true })
	return true
}

// goesOn is whether the daemon still is there. A lease for a second ends by
// itself.
func (k *killing) goesOn(err error) bool {
	switch {
	case errors.Is(err, apiclient.ErrNotReachable):
		return false
	case problemIn(contract.Ceremony{}, err) == failure.LeaseOver:
		return true
	}
	k.t.Errorf("a client is told %v", err)
	return false
}

// restart starts the daemon again, now and then after one that is killed before
// it listens.
func (k *killing) restart() {
	k.t.Helper()
	if k.twice = k.random.IntN(4) == 0; k.twice {
		k.unborn++
		cmd := exec.Command(k.p.binary, "run", "--state-dir", k.p.state, "--listen", "127.0.0.1:0", "--virtual", "on")
		must(k.t, cmd.Start())
		moment := time.NewTimer(time.Duration(k.random.IntN(100_000)) * time.Microsecond)
		<-moment.C
		must(k.t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	k.p.start()
	k.began = time.Now()
}

// look holds what there is against what the clients know.
func (k *killing) look() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	list, err := k.admin.Leases(ctx)
	must(k.t, err)
	holders := make(map[string]string)
	for _, l := range list {
		if other := holders[l.Authenticator]; other != "" || l.Authenticator == "" {
			k.t.Errorf("%s and %s have %q", other, l.ID, l.Authenticator)
		}
		holders[l.Authenticator] = l.ID
		i := slices.IndexFunc(k.ledger, func(e *ledgerEntry) bool { return e.purpose == l.Purpose })
		if i < 0 || k.ledger[i].gone || k.ledger[i].lease.ID != "" && k.ledger[i].lease.ID != l.ID {
			k.t.Errorf("nobody knows of %+v", l)
			continue
		}
		// Of one that was just being given nobody was told, and it ends; of one
		// that was given the answer had no time to come.
		if e := k.ledger[i]; e.lease.ID == "" && l.State == contract.LeaseActive {
			e.lease, e.ends = l, l.EndsAt
		}
		k.fence = max(k.fence, l.Fence)
	}
	for _, e := range k.ledger {
		if e.lease.ID == "" {
			continue
		}
		k.fence = max(k.fence, e.lease.Fence)
		k.lookAtLease(ctx, e)
		k.lookAtCeremony(ctx, e)
	}
}

func (k *killing) lookAtLease(ctx context.Context, e *ledgerEntry) {
	k.t.Helper()
	now, err := k.admin.Lease(ctx, e.lease.ID)
	for err == nil && now.State == contract.LeaseEnding {
		now, err = k.admin.Lease(ctx, e.lease.ID)
	}
	unknown := problemIn(contract.Ceremony{}, err) == failure.LeaseUnknown
	if err != nil && !unknown {
		k.t.Errorf("%s: %v", e.purpose, err)
		return
	}
	active := err == nil && now.State == contract.LeaseActive
	expired := e.hold == contract.HoldTTL && time.Now().After(e.ends)
	switch {
	case e.gone && active, e.hold == contract.HoldConnection && active:
		k.t.Errorf("%s has ended, and is %+v", e.purpose, now)
	case e.gone:
	case active:
		k.wentOn++
		if moved := !now.EndsAt.Equal(e.ends); moved && (!e.renews || !now.EndsAt.After(e.ends)) || now.EndsAt.Before(time.Now().Add(-time.Second)) {
			k.t.Errorf("%s ends at %s, and was to end at %s; renewing: %v", e.purpose, now.EndsAt, e.ends, e.renews)
		}
	case e.hold == contract.HoldConnection && (!unknown && now.End == contract.EndRestart || unknown && k.twice):
		k.dropped++
	case e.leaves && (unknown || now.End == contract.EndReleased), expired && (unknown || now.End == contract.EndExpired):
		k.ended++
	default:
		k.t.Errorf("%s (%s, ends %s, leaves %v) is %+v, %v", e.purpose, e.hold, e.ends, e.leaves, now, err)
	}
}

func (k *killing) lookAtCeremony(ctx context.Context, e *ledgerEntry) {
	k.t.Helper()
	if e.act == "" || e.acted {
		return
	}
	now, err := e.client.Ceremony(ctx, e.act, 0)
	// What is its owner's alone is told once the lease is open again.
	for e.waits && err == nil && now.State.Over() && now.Problem == nil {
		now, err = e.client.Ceremony(ctx, e.act, 0)
	}
	switch code := problemIn(now, err); {
	case err == nil && now.State == contract.CeremonyFailed && (code == failure.CeremonyCutOff || e.hold == contract.HoldConnection || e.leaves || time.Now().After(e.ends)):
		// Of whom it was is known as long as the lease is.
		k.cut++
	case code == failure.CeremonyUnknown && (!e.waits || k.twice):
		k.over++ // it had ended, and was forgotten
	default:
		k.t.Errorf("the ceremony of %s, which waits %v, is %+v, %v", e.purpose, e.waits, now, err)
	}
}

// next does a ceremony on each authenticator, under the lease that is there or
// a new one, and gives all back.
func (k *killing) next() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	k.await("four authenticators", func(s *contract.Snapshot) bool { return len(k.ready(s)) == 4 })
	list, err := k.admin.Leases(ctx)
	must(k.t, err)
	var all sync.WaitGroup
	greatest := k.fence
	for _, id := range k.authenticators() {
		all.Go(func() {
			client, l := k.admin, contract.Lease{}
			for _, there := range list {
				i := slices.IndexFunc(k.ledger, func(e *ledgerEntry) bool { return e.purpose == there.Purpose })
				if there.Authenticator == id && there.State == contract.LeaseActive && i >= 0 && time.Until(there.EndsAt) > 30*time.Second {
					client, l = k.ledger[i].client, there
				}
			}
			if l.ID == "" {
				taken, err := client.TakeLease(ctx, contract.LeaseRequest{
					Requirement: contract.Requirement{Authenticator: id, Target: "mock", AAL: 3}, Wait: "30s", Purpose: "next",
				})
				if err != nil {
					k.t.Errorf("%s is not to be had: %v", id, err)
					return
				}
				if l = taken.Lease; l.Fence <= greatest {
					k.t.Errorf("lease %d comes after lease %d", l.Fence, greatest)
				}
			}
			next := func() contract.CeremonyRequest { return withPIN(k.request(l, "required"), "", vcard.DefaultPIN) }
			done, err := client.Begin(ctx, next())
			if problemIn(done, err) == failure.PINSourceBlocked {
				// What was in flight may be right or wrong: a person says.
				report(k.t, "the block", k.admin.Unblock(ctx, id))
				done, err = client.Begin(ctx, next())
			}
			if err != nil || done.State != contract.CeremonyDone {
				k.t.Errorf("the next ceremony on %s: %v, %+v", id, err, done.Problem)
			}
			took := time.Since(k.began)
			if took > 20*time.Second {
				k.t.Errorf("the next ceremony on %s took until %v after the start", id, took)
			}
			if _, err := client.ReleaseLease(ctx, l.ID); err != nil {
				k.t.Error(err)
			}
			k.change(func() {
				k.took = append(k.took, took)
				k.fence = max(k.fence, l.Fence)
			})
		})
	}
	blocks := k.blocks(ctx)
	all.Wait()
	k.blocked += blocks
	if left := k.blocks(ctx); left != 0 {
		k.t.Errorf("%d sources of PINs are blocked after a right one", left)
	}
	k.await("all leases to end", func(s *contract.Snapshot) bool { return len(s.Leases) == 0 })
}

func (k *killing) blocks(ctx context.Context) (n int) {
	for _, id := range k.authenticators() {
		blocks, err := k.admin.PINBlocks(ctx, id)
		report(k.t, "the blocks", err)
		n += len(blocks)
	}
	return n
}
