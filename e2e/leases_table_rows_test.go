//go:build linux && cgo

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// The words of the table.

func leaseWords(l contract.Lease) string {
	switch l.State {
	case contract.LeaseActive:
		return "stays"
	case contract.LeaseEnded:
		return "ended, `" + string(l.End) + "`"
	}
	return string(l.State)
}

func ceremonyWords(c contract.Ceremony) string {
	switch c.State {
	case contract.CeremonyDone:
		return "goes on"
	case contract.CeremonyFailed:
		return "failed, `" + string(problemIn(c, nil)) + "`"
	}
	return string(c.State)
}

func holdWords(ttl, connection string) string {
	return "`ttl`: " + ttl + "; `connection`: " + connection
}

// words are some if something is so, and else not those of the table.
func (x *trial) words(so bool, words string) string {
	if so {
		return words
	}
	return "not: " + words
}

// code is that of a refusal, as the table writes it.
func code(err error) string { return "`" + string(problemIn(contract.Ceremony{}, err)) + "`" }

// waiter stands in the queue behind somebody.
type waiter struct {
	holder *apiclient.Client
	first  contract.Lease // the holder's
	place  contract.Lease
	leave  context.CancelFunc
	ended  chan struct{}
	lease  *contract.NewLease
	err    error
}

const waits = "waits"

// queue has somebody hold the authenticator, and the user wait for it.
func (x *trial) queue(wait time.Duration) *waiter {
	x.t.Helper()
	w := &waiter{holder: x.somebody("holder"), ended: make(chan struct{})}
	request := contract.LeaseRequest{Requirement: contract.Requirement{Authenticator: x.id, Target: "mock"}, TTL: "10m", Purpose: "holds"}
	l, err := w.holder.TakeLease(x.t.Context(), request)
	must(x.t, err)
	w.first = l.Lease
	request.Wait, request.Purpose = wait.String(), waits
	ctx, cancel := context.WithCancel(context.WithoutCancel(x.t.Context()))
	w.leave = cancel
	x.t.Cleanup(cancel)
	go func() {
		defer close(w.ended)
		w.lease, w.err = x.client.TakeLease(ctx, request)
	}()
	x.await("the place in the queue", func() bool {
		place := x.queued()
		if place != nil {
			w.place = *place
		}
		return place != nil
	})
	return w
}

// queued is who waits in the queue; nil: nobody.
func (x *trial) queued() *contract.Lease {
	x.t.Helper()
	all, err := x.client.Leases(x.t.Context())
	must(x.t, err)
	for i := range all {
		if all[i].State == contract.LeaseQueued && all[i].Purpose == waits {
			return &all[i]
		}
	}
	return nil
}

// release ends the holder's lease, if it is there still.
func (x *trial) release(w *waiter) {
	x.t.Helper()
	_, err := w.holder.ReleaseLease(x.t.Context(), w.first.ID)
	must(x.t, err)
}

func (x *trial) over(done <-chan struct{}, what string) {
	x.t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		x.t.Fatalf("%s: %s does not end", x.at, what)
	}
}

func queuedAndTaken(x *trial) (b became) {
	w := x.queue(patience)
	x.fault()
	x.await("`waiting` to say so", func() bool {
		place := x.queued()
		return place == nil || strings.HasPrefix(place.Waiting, "nothing here will do")
	})
	place := x.queued()
	b = became{
		lease: x.words(place != nil, "keeps its place"), ceremony: "-",
		client: x.words(place != nil && leaseWords(x.lease(w.first.ID)) == "stays", "`waiting` says that nothing there will do"),
	}
	x.restore()
	x.release(w)
	x.over(w.ended, "the wait")
	must(x.t, w.err)
	x.settle(w.lease.Lease)
	return b
}

func queuedAndKilled(x *trial) (b became) {
	w := x.queue(patience)
	x.p.kill()
	x.over(w.ended, "the call")
	b.client = x.words(errors.Is(w.err, apiclient.ErrNotReachable), "its call ends; it asks again")
	x.start()
	_, err := x.client.Lease(x.t.Context(), w.place.ID)
	b.lease = x.words(x.queued() == nil && problemIn(contract.Ceremony{}, err) == failure.LeaseUnknown, "never was")
	b.ceremony = "-"
	x.release(w)
	x.settle(x.take(contract.LeaseRequest{}).Lease)
	return b
}

func queuedAndGone(x *trial) (b became) {
	w := x.queue(patience)
	w.leave()
	x.over(w.ended, "the call")
	gone := x.awaitEnd(w.place.ID)
	b = became{lease: x.words(gone.End == contract.EndGaveUp && x.queued() == nil, "gives up its place"), ceremony: "-", client: "-"}
	x.release(w)
	x.settle(x.take(contract.LeaseRequest{}).Lease)
	return b
}

func queuedAndOver(x *trial) (b became) {
	w := x.queue(time.Second)
	x.over(w.ended, "the call")
	var problem *contract.Problem
	told := errors.As(w.err, &problem) && strings.Contains(problem.Detail, "held by token holder")
	b = became{
		lease: x.words(x.awaitEnd(w.place.ID).End == contract.EndGaveUp && x.queued() == nil, "gives up its place"), ceremony: "-",
		client: x.words(told, code(w.err)+", with who holds it"),
	}
	x.release(w)
	x.settle(x.take(contract.LeaseRequest{}).Lease)
	return b
}

func leasedAndTaken(x *trial) (b became) {
	l := x.take(contract.LeaseRequest{}).Lease
	x.leaves(l)
	x.fault()
	x.await("the snapshot", func() bool { return !x.there() })
	b.ceremony = "-"
	next := x.begin(x.client, x.plain(l.ID), false)
	x.awaitState(next, contract.CeremonyInsert)
	what := "it"
	if x.down {
		what = "the service"
	}
	x.restore()
	b.client = x.words(x.finish(next).State == contract.CeremonyDone, "the snapshot; the next ceremony is in `insert` until "+what+" is back")
	b.lease = leaseWords(x.lease(l.ID))
	x.settle(x.lease(l.ID))
	return b
}

func leasedAndKilled(x *trial) (b became) {
	events := x.hears()
	l := x.take(contract.LeaseRequest{})
	x.leaves(l.Lease)
	x.p.kill()
	x.start()
	now := x.lease(l.ID)
	ttl := leaseWords(now) + x.words(now.EndsAt.Equal(l.EndsAt), ", with the end it had")
	own, err := x.with(l.Token).Lease(x.t.Context(), l.ID)
	again := err == nil && own.State == contract.LeaseActive
	x.settle(now)

	l = x.take(contract.LeaseRequest{Hold: contract.HoldConnection})
	x.leaves(l.Lease)
	x.await("the events to go on", func() bool { return events.back.Load() == 1 })
	x.p.kill()
	_, cut := l.stream.Ended()
	x.start()
	end := x.awaitEnd(l.ID)
	x.settle(end)
	x.await("the events to go on", func() bool { return events.back.Load() == 2 })
	events.stop()
	b.lease, b.ceremony = holdWords(ttl, leaseWords(end)), "-"
	b.client = x.words(cut != nil && events.lost.Load() == 2, "its stream ends") + x.words(again, "; `ttl`: the lease is there again")
	return b
}

// hearing follows the events, over breaks.
type hearing struct {
	lost, back atomic.Int32
	stop       func()
}

func (x *trial) hears() *hearing {
	x.t.Helper()
	h := &hearing{}
	ctx, cancel := context.WithCancel(context.WithoutCancel(x.t.Context()))
	ended, heard := make(chan error, 1), make(chan struct{})
	first := sync.OnceFunc(func() { close(heard) })
	go func() {
		ended <- x.client.Events(ctx, "", func(e apiclient.Event) error {
			switch {
			case e.Lost != nil:
				h.lost.Add(1)
			case e.Back:
				h.back.Add(1)
			}
			first()
			return nil
		})
	}()
	x.over(heard, "the wait for the first event")
	h.stop = func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			x.t.Errorf("the events ended by %v", err)
		}
	}
	x.t.Cleanup(cancel)
	return h
}

func leasedAndGone(x *trial) (b became) {
	l := x.take(contract.LeaseRequest{}).Lease
	x.leaves(l)
	x.client.Close()
	ttl := leaseWords(x.lease(l.ID))
	x.expire(l)
	ttl += x.words(x.awaitEnd(l.ID).End == contract.EndExpired, " until its end")
	x.settle(x.lease(l.ID))

	held := x.take(contract.LeaseRequest{Hold: contract.HoldConnection})
	x.leaves(held.Lease)
	held.stream.Close()
	end := x.awaitEnd(held.ID)
	x.settle(end)
	return became{lease: holdWords(ttl, leaseWords(end)), ceremony: "-", client: "-"}
}

// expire has a lease end after the shortest time that there is.
func (x *trial) expire(l contract.Lease) {
	x.t.Helper()
	_, err := x.client.RenewLease(x.t.Context(), l.ID, time.Second)
	must(x.t, err)
}

func leasedAndOver(x *trial) (b became) {
	l := x.take(contract.LeaseRequest{TTL: "1s"})
	end := x.awaitEnd(l.ID)
	b = became{lease: leaseWords(end), ceremony: "-", client: x.refusals(l)}
	x.settle(end)
	return b
}

// refusals are what is said from then on to who took a lease, and to who has
// its own token.
func (x *trial) refusals(l held) string {
	x.t.Helper()
	_, taker := x.client.Begin(x.t.Context(), x.plain(l.ID))
	_, own := x.with(l.Token).Lease(x.t.Context(), l.ID)
	if code(own) != code(taker) {
		x.t.Errorf("its own token is told %s, who took it %s", code(own), code(taker))
	}
	return fmt.Sprintf("%s from then on, with the lease's own token too", code(taker))
}

func insertAndBack(x *trial) (b became) {
	l := x.take(contract.LeaseRequest{}).Lease
	u := x.reach(x.client, l, true)
	x.putBack()
	done := x.finish(u)
	x.over(u.ended, "the call")
	b = became{
		lease: leaseWords(x.lease(l.ID)), ceremony: ceremonyWords(done),
		client: x.words(u.err == nil && follows(done, contract.CeremonyInsert, contract.CeremonyRunning), "the next step"),
	}
	x.settle(x.lease(l.ID))
	return b
}

// follows is whether a ceremony went from one state to another.
func follows(c contract.Ceremony, from, to contract.CeremonyState) bool {
	i := slices.IndexFunc(c.Steps, func(s contract.CeremonyStep) bool { return s.State == from })
	return i >= 0 && i+1 < len(c.Steps) && c.Steps[i+1].State == to
}

func insertAndCrash(x *trial) (b became) {
	l := x.take(contract.LeaseRequest{}).Lease
	u := x.reach(x.client, l, true)
	x.crash()
	x.await("the service to be down", func() bool { return sourceIs("pcsc", "down")(x.status()) })
	b = became{
		lease:    leaseWords(x.lease(l.ID)),
		ceremony: x.words(x.ceremony(u).State == contract.CeremonyInsert, "waits on"), client: "-",
	}
	x.restore()
	done := x.finish(u)
	x.over(u.ended, "the call")
	if ceremonyWords(done) != "goes on" || u.err != nil {
		x.t.Errorf("the ceremony is %s: %+v; %v", done.State, done.Problem, u.err)
	}
	x.settle(x.lease(l.ID))
	return b
}

func pinAndTaken(x *trial) (b became) {
	l := x.take(contract.LeaseRequest{}).Lease
	u := x.reach(x.client, l, true)
	x.fault()
	x.await("the snapshot", func() bool { return !x.there() })
	waits := x.ceremony(u).State == contract.CeremonyPIN
	x.answer(u)
	x.awaitState(u, contract.CeremonyInsert)
	x.sent--
	x.counts() // there is nothing to send it to
	x.sent++
	x.restore()
	done := x.finish(u)
	x.over(u.ended, "the call")
	b = became{
		lease:    leaseWords(x.lease(l.ID)),
		ceremony: x.words(waits, ceremonyWords(done)+" to `insert` once it has the PIN"),
		client:   x.words(u.err == nil && follows(done, contract.CeremonyInsert, contract.CeremonyRunning), "the next step"),
	}
	x.settle(x.lease(l.ID))
	return b
}

func ceremonyAndTaken(x *trial) (b became) {
	l := x.take(contract.LeaseRequest{}).Lease
	u := x.reach(x.client, l, true)
	x.fault()
	x.over(u.ended, "the call")
	done := x.awaitOver(u)
	told := "the problem"
	if x.at.state == "running" && x.kind == contract.SecurityKey {
		told += "; a credential may have been made"
		if done.Problem == nil || !strings.Contains(done.Problem.Detail, "the key may have made the credential all the same") {
			x.t.Errorf("the problem is %+v", done.Problem)
		}
	}
	b = became{
		lease: leaseWords(x.lease(l.ID)), ceremony: ceremonyWords(done),
		client: x.words(u.err == nil && done.Problem != nil, told),
	}
	x.settle(x.lease(l.ID))
	return b
}

func ceremonyAndKilled(x *trial) (b became) {
	killed := func(hold contract.Hold) (lease string, ended bool, done contract.Ceremony) {
		l := x.take(contract.LeaseRequest{Hold: hold})
		u := x.reach(x.client, l.Lease, true)
		x.p.kill()
		x.over(u.ended, "the call")
		x.heals()
		x.start()
		now := x.lease(l.ID)
		if hold == contract.HoldConnection {
			now = x.awaitEnd(l.ID)
		}
		lease = leaseWords(now)
		if now.State == contract.LeaseActive {
			lease += x.words(now.EndsAt.Equal(l.EndsAt), ", with the end it had")
			x.await("the record", func() bool { return x.ceremony(u).Problem != nil })
		}
		done = x.ceremony(u)
		x.settle(now)
		return lease, errors.Is(u.err, apiclient.ErrNotReachable), done
	}
	ttl, ended, done := killed(contract.HoldTTL)
	connection, endedToo, other := killed(contract.HoldConnection)
	b = became{
		lease: holdWords(ttl, connection), ceremony: ceremonyWords(done),
		client: x.words(ended && endedToo, "its call ends") + x.words(ceremonyWords(done) == ceremonyWords(other), "; the record says so"),
	}
	switch x.at.state {
	case "pin": // which settle counted
		b.ceremony += "; no PIN was sent"
	case "running": // which settle looked at
		b.ceremony += "; what it left is undone at the lease's end, in a key if a PIN came since, else the remarks say so"
	}
	return b
}

// heals has a card answer again that was kept from it to hold up a ceremony.
func (x *trial) heals() {
	if x.kind == contract.Smartcard {
		x.card.ClearFaults()
	}
}

func ceremonyAndGone(x *trial) (b became) {
	// Its call waits for the answer, and its lease does not end with it.
	l := x.take(contract.LeaseRequest{}).Lease
	u := x.reach(x.client, l, true)
	u.leave()
	x.over(u.ended, "the call")
	cancelled := x.awaitOver(u)
	stopped := x.stopsBlinking()
	x.heals()
	ttl := leaseWords(x.lease(l.ID))
	x.settle(x.lease(l.ID))

	// It looks from time to time, and then no more.
	l = x.take(contract.LeaseRequest{}).Lease
	gone := x.p.client()
	u = x.reach(gone, l, false)
	gone.Close()
	x.restoreFor(u)
	goes := x.finish(u)
	x.expire(l)
	ttl += x.words(x.awaitEnd(l.ID).End == contract.EndExpired, " until its end")
	x.settle(x.lease(l.ID))

	// Its going ends the lease too.
	held := x.take(contract.LeaseRequest{Hold: contract.HoldConnection})
	u = x.reach(x.client, held.Lease, false)
	held.stream.Close()
	if c := x.awaitOver(u); c.State != contract.CeremonyCancelled {
		x.t.Errorf("the ceremony is %s: %+v", c.State, c.Problem)
	}
	x.heals()
	end := x.awaitEnd(held.ID)
	x.settle(end)

	b = became{lease: holdWords(ttl, leaseWords(end)), client: "-"}
	b.ceremony = ceremonyWords(cancelled) + " if it waits for the answer, else " + ceremonyWords(goes) + x.besides(stopped)
	return b
}

// restoreFor brings back what a ceremony waits for, and nothing else.
func (x *trial) restoreFor(u *under) {
	x.t.Helper()
	if x.ceremony(u).State == contract.CeremonyInsert {
		x.putBack()
	}
	x.heals()
}

// besides is what the row of a ceremony that was cancelled says beside that;
// settle has looked at it.
func (x *trial) besides(stopped bool) string {
	switch x.at.state {
	case "pin":
		return "; no PIN was sent"
	case "touch":
		return "; " + x.words(stopped, "the key stops blinking")
	case "running":
		return "; a success that came all the same is undone or reported"
	}
	return ""
}

// stopsBlinking is whether a key waits for no touch any more.
func (x *trial) stopsBlinking() bool {
	x.t.Helper()
	if x.at.state != "touch" {
		return true
	}
	ctx, cancel := context.WithTimeout(x.t.Context(), time.Second)
	defer cancel()
	return x.client.TouchKey(ctx, x.key) != nil
}

func ceremonyAndOver(x *trial) (b became) {
	l := x.take(contract.LeaseRequest{})
	u := x.reach(x.client, l.Lease, true)
	x.expire(l.Lease)
	x.over(u.ended, "the call")
	must(x.t, u.err)
	c := x.awaitOver(u)
	x.heals()
	end := x.awaitEnd(l.ID)
	stopped := x.stopsBlinking()
	b = became{
		lease: leaseWords(end), ceremony: ceremonyWords(c) + x.besides(stopped),
		client: "`" + string(problemIn(c, nil)) + "`; " + x.refusals(l),
	}
	x.settle(end)
	return b
}
