package lease

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

const (
	// takeLimit bounds what is done before a lease is given: a card that is
	// slow to answer is read within it.
	takeLimit = 30 * time.Second
	// leaveLimit bounds what is done at its end.
	leaveLimit = 20 * time.Second
)

// job is work for one lease that takes time. It returns what its owner is to
// do about the outcome.
type job func() (then func())

// work has jobs of one entry done one after the other, in a goroutine of
// their own each, so that what is written of it keeps its order.
func (o *owner) work(e *entry, do job) {
	if e.busy {
		e.next = append(e.next, do)
		return
	}
	e.busy = true
	o.running++
	go func() {
		then := do()
		o.finished <- func() {
			then() // what it has to do next comes behind what waits already
			e.busy = false
			if len(e.next) > 0 {
				next := e.next[0]
				e.next = e.next[1:]
				o.work(e, next)
			}
		}
	}()
}

// take begins to give an entry the authenticator that is reserved for it. A
// physical one is read anew first.
func (o *owner) take(e *entry) {
	ctx, cancel := context.WithTimeout(o.ctx, takeLimit)
	e.cancel = cancel
	if originOf(e.authenticator) != contract.Physical {
		o.grant(ctx, e)
		return
	}
	id := e.authenticator.ID
	o.work(e, func() func() {
		err := o.config.Inventory.Fresh(ctx, id)
		return func() { o.judgeAnew(ctx, e, err) }
	})
}

// judgeAnew gives an authenticator that was read anew if it is still ready;
// else the entry gets another that is, or stays without.
func (o *owner) judgeAnew(ctx context.Context, e *entry, err error) {
	if e.why != "" { // its caller has gone meanwhile
		o.drop(e)
		return
	}
	s, a := o.look(e.want), e.authenticator
	amiss := a.Name + " is not here any more"
	for i := range s.fits {
		f := &s.fits[i]
		if f.authenticator.ID != a.ID {
			continue
		}
		if f.miss == "" && err == nil {
			e.authenticator = f.authenticator
			o.grant(ctx, e)
			return
		}
		amiss = a.Name + ": " + join(f.miss, detailOf(err, "it could not be read anew"))
	}
	e.cancel()
	if err != nil {
		o.log().WithError(err).WithField("authenticator", a.ID).Warn("an authenticator could not be read anew for a lease")
	}
	o.fail(a.ID, o.now())
	o.free(e)
	e.stage, e.authenticator = waiting, nil
	if e.refused == nil {
		e.refused = make(map[string]time.Time)
	}
	e.refused[a.ID], e.amiss, e.decided = readAt(o.seen, a.ID), amiss, false
}

// grant writes the lease down, opens it, and writes down that it is given.
// Only then is anybody told. One that the daemon was killed over is found as
// ending, and closed: nobody has it.
func (o *owner) grant(ctx context.Context, e *entry) {
	o.fence++
	given := *e // a copy for the goroutine; e is as the world sees it
	l, a := &given.lease, *e.authenticator
	l.Fence, l.ID = o.fence, idOf(e.name, o.fence)
	l.Authenticator, l.Name, l.Kind, l.Origin = a.ID, a.Name, a.Kind, originOf(&a)
	l.TakenAt, l.Position, l.Waiting = kept(o.now()), 0, ""
	given.owner.Lease = l.ID
	o.work(e, func() func() {
		var secret string
		secret, given.token = newToken()
		l.State, l.End = contract.LeaseEnding, contract.EndRestart
		given.give(lastEnd(o.now(), given.ttl, given.expires))
		if err := o.config.Store.PutLease(ctx, given.record()); err != nil {
			return func() { o.ungiven(e, &given, unwritten(err), false) }
		}
		if err := o.config.Use.Open(ctx, given.grant()); err != nil {
			return func() { o.ungiven(e, &given, unopened(&a, err), true) }
		}
		l.State, l.End = contract.LeaseActive, ""
		given.give(lastEnd(o.now(), given.ttl, given.expires))
		if err := o.config.Store.PutLease(ctx, given.record()); err != nil {
			return func() { o.ungiven(e, &given, unwritten(err), false) }
		}
		return func() { o.given(e, &given, secret) }
	})
}

func (e *entry) grant() Grant {
	return Grant{
		Lease: e.lease.ID, Fence: e.lease.Fence, Authenticator: *e.authenticator, Target: e.want.Target,
		Purpose: e.lease.Purpose, Owner: e.owner, Keep: e.keep,
	}
}

// given hands a lease to who waits for it, if he still does.
func (o *owner) given(e, given *entry, secret string) {
	e.cancel()
	if e.why != "" {
		o.dropOpen(e, given)
		return
	}
	e.lease, e.due, e.owner, e.token = given.lease, given.due, given.owner, given.token
	e.stage, e.refused = active, nil
	o.remove(e)
	e.public = true
	o.tell(e, tellsTaken(&e.lease))
	o.answer(e, answer{lease: contract.NewLease{Lease: e.lease, Token: secret}})
}

// ungiven refuses an entry whose lease could not be given; what was begun of
// it is undone. blame is whether it was the authenticator's fault.
func (o *owner) ungiven(e, given *entry, problem error, blame bool) {
	if e.why == "" {
		if blame {
			o.fail(e.authenticator.ID, o.now())
		}
		o.end(e, contract.EndRefused, problem)
	}
	e.cancel()
	o.dropOpen(e, given)
}

// drop gives up an authenticator that was only reserved.
func (o *owner) drop(e *entry) {
	e.cancel()
	o.over(e)
}

// dropOpen gives up one that was opened, or may have been, for an entry that
// has left the queue. The world has seen no lease of it.
func (o *owner) dropOpen(e, given *entry) {
	e.stage = ending
	l := given.lease
	l.End = e.why
	forget := o.unforgotten(l.ID)
	o.work(e, func() func() {
		o.close(&l)
		forgotten := o.forgetAll(forget)
		return func() {
			forgotten()
			o.over(e)
		}
	})
}

// leave leaves the authenticator of a lease that is ending, and ends it.
func (o *owner) leave(e *entry) {
	record := e.record()
	forget := o.unforgotten(record.ID)
	o.work(e, func() func() {
		if err := o.config.Store.PutLease(o.ctx, record); err != nil {
			o.log().WithError(err).Warn("the end of a lease could not be written down")
		}
		remarks := o.close(&record.Lease)
		forgotten := o.forgetAll(forget)
		return func() {
			forgotten()
			e.lease.State, e.lease.EndedAt, e.lease.Remarks = contract.LeaseEnded, kept(o.now()), remarks
			o.use(e.lease.Authenticator)
			o.tell(e, tellsEnded(&e.lease))
			o.over(e)
		}
	})
}

// close leaves an authenticator as it was found.
func (o *owner) close(l *contract.Lease) (remarks []string) {
	ctx, cancel := context.WithTimeout(o.ctx, leaveLimit)
	defer cancel()
	return o.config.Use.Close(ctx, l.ID, l.End)
}

// unforgotten are the leases that the store is to forget: this one, and those
// that it could not before.
func (o *owner) unforgotten(id string) []string {
	all := slices.Concat(o.forget, []string{id})
	o.forget = nil
	return all
}

// forgetAll has the store forget leases that have ended. It is called by jobs;
// what it returns, by the owner.
func (o *owner) forgetAll(ids []string) func() {
	var left []string
	for _, id := range ids {
		if o.ctx.Err() != nil {
			continue // cut short: the next start closes it again
		}
		if err := o.config.Store.DeleteLease(o.ctx, id); err != nil {
			o.log().WithError(err).WithField("lease", id).Warn("a lease that has ended could not be forgotten")
			left = append(left, id)
		}
	}
	return func() { o.forget = append(o.forget, left...) }
}

// reopen goes on with a lease that outlived a restart.
func (o *owner) reopen(e *entry) {
	ctx, cancel := context.WithTimeout(o.ctx, takeLimit)
	grant := e.grant()
	o.work(e, func() func() {
		err := o.config.Use.Open(ctx, grant)
		return func() {
			cancel()
			if err != nil {
				o.log().WithError(err).Warn("a lease could not be opened again after a restart")
				o.end(e, contract.EndUnusable, nil)
			}
		}
	})
}

// renew moves the end of a lease. The new end holds once it is written down.
func (o *owner) renew(e *entry, ttl time.Duration, reply chan<- renewal) {
	e.renewing = lastEnd(o.now(), ttl, e.expires)
	to, record := e.renewing, e.record()
	record.EndsAt = kept(to)
	o.work(e, func() func() {
		err := o.config.Store.PutLease(o.ctx, record)
		return func() {
			if e.renewing.Equal(to) {
				e.renewing = time.Time{}
			}
			switch {
			case e.stage != active:
				reply <- renewal{err: isOver(&e.lease)}
			case err != nil:
				reply <- renewal{err: unwritten(err)}
			default:
				e.give(to)
				o.tell(e, tellsRenewed(&e.lease))
				renewed := e.lease
				o.answers = append(o.answers, func() { reply <- renewal{lease: renewed} })
			}
		}
	})
}

type renewal struct {
	lease contract.Lease
	err   error
}

// unopened is the failure to open a lease, for callers.
func unopened(a *contract.Authenticator, err error) error {
	return &failure.Error{Code: failure.LeaseNotReady, Detail: a.Name + ": " + detailOf(err, "it could not be made ready for use"), Err: err}
}

// detailOf says what was the matter where an error was made for a caller's
// eyes.
func detailOf(err error, otherwise string) string {
	var known *failure.Error
	if !errors.As(err, &known) {
		return otherwise
	}
	entry, _ := failure.Lookup(known.Code)
	return join(entry.Title, otherwise) + strings.TrimSuffix(": "+known.Detail, ": ")
}

// revived is a kept lease as an entry of the book.
func revived(record *store.Lease, now time.Time) *entry {
	e := &entry{
		name: nameIn(record.ID), lease: record.Lease, owner: record.Owner, want: record.Requirement,
		ttl: record.TTL, keep: record.Keep, token: record.Token, expires: record.Expires,
		stage: active, public: true, ended: make(chan struct{}),
	}
	if e.why = revive(record, now); e.why != "" {
		e.stage = ending
		e.lease.State, e.lease.End = contract.LeaseEnding, e.why
		return e
	}
	// From now on by the same clock as all others, and never for longer than any
	// lease is given: the clock may have been set back meanwhile.
	e.give(now.Add(min(record.EndsAt.Sub(now), longestTTL)))
	return e
}

// known is what is known of a lease's authenticator: after a start it may not
// have been seen yet.
func known(s *contract.Snapshot, l *contract.Lease) *contract.Authenticator {
	for i := range s.Authenticators {
		if s.Authenticators[i].ID == l.Authenticator {
			return &s.Authenticators[i]
		}
	}
	return &contract.Authenticator{
		ID: l.Authenticator, Name: l.Name, Kind: l.Kind, Origin: cmp.Or(l.Origin, contract.Virtual),
	}
}

func readAt(s *contract.Snapshot, id string) time.Time {
	return known(s, &contract.Lease{Authenticator: id}).ReadAt
}
