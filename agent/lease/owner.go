package lease

import (
	"context"
	"errors"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

// stopGrace is how long authenticators may take to be left when the daemon
// stops. What is not left by then is left at the next start.
const stopGrace = 5 * time.Second

// owner is the goroutine that the book belongs to. It waits for no I/O: that
// is done in goroutines of their own, see work.
type owner struct {
	*Desk
	*book

	ctx      context.Context // of what is done for leases; ends a grace after Run's
	cancel   context.CancelFunc
	stopping bool
	running  int         // goroutines that work
	finished chan func() // what is to be done about their outcome

	changed <-chan struct{} // the inventory's, while the queue has use for it
	rights  <-chan struct{} // closed when those of users may be others
	seen    *contract.Snapshot
	looks   map[contract.Requirement]*survey // at what was seen

	events  []contract.Event // not shown yet
	listed  bool             // the list is as it was shown
	answers []func()         // due once the list and the events are shown
	forget  []string         // ids of leases that the store could not forget yet
}

func newOwner(d *Desk) *owner {
	return &owner{Desk: d, book: newBook(), finished: make(chan func()), listed: true}
}

// run does what is asked and what is due, until ctx ends and nothing works any
// more.
func (o *owner) run(ctx context.Context) {
	// What is under way when ctx ends may still be brought to its end.
	o.ctx, o.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer o.cancel()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	o.start()
	done := ctx.Done()
	for {
		o.settle()
		if o.stopping && o.running == 0 {
			return
		}
		timer.Stop()
		var due <-chan time.Time
		if at, ok := o.due(); ok {
			// The timer stands still while the machine sleeps; ends are by the
			// wall clock, so each pass looks at that too.
			timer.Reset(max(at.Sub(o.now()), time.Millisecond))
			due = timer.C
		}
		select {
		case order := <-o.orders:
			order(o)
		case then := <-o.finished:
			o.running--
			then()
		case <-o.changed:
			o.changed = nil
		case <-o.rights:
			o.rights = nil
		case <-due:
		case <-done:
			done = nil
			o.stop()
			defer time.AfterFunc(stopGrace, o.cancel).Stop()
		}
	}
}

// settle brings the book to rest: it ends what is due, gives what is free,
// tells who waits where he stands, and then shows the world what happened.
func (o *owner) settle() {
	now := o.now()
	if o.config.Users != nil && o.rights == nil {
		o.rights = o.config.Users.Changed() // before it is looked at, to miss none
	}
	o.expire(now)
	if !o.stopping && len(o.queue) > 0 {
		if o.changed == nil {
			o.changed = o.config.Inventory.Changed() // before the snapshot, to miss none
		}
		o.lend(now)
	}
	if len(o.queue) == 0 {
		o.changed, o.seen, o.looks = nil, nil, nil
	}
	o.places()
	if !o.listed || len(o.events) > 0 {
		list := o.list()
		o.index.show(list)
		if o.config.Show != nil {
			o.config.Show(list, o.events...)
		}
		o.events, o.listed = nil, true
	}
	for _, answer := range o.answers {
		answer()
	}
	o.answers = nil
}

// expire ends what is due by the clock, and what its user may not have any more.
func (o *owner) expire(now time.Time) {
	for _, e := range o.entries() {
		switch gone := !e.expires.IsZero() && !now.Before(e.expires); {
		case e.stage == active && !now.Before(e.endsAt()):
			o.end(e, endOf(e.endsAt(), e.expires), nil)
		case !o.allowed(e):
			o.end(e, contract.EndRevoked, refuse(failure.Forbidden, "", e.owner.Name+" has lost the right to it"))
		case gone && (e.stage == waiting || e.stage == taking):
			o.end(e, contract.EndRevoked, revoked())
		case e.stage == waiting && e.claim == "" && !e.until.IsZero() && !now.Before(e.until):
			o.end(e, contract.EndGaveUp, refuse(failure.LeaseTimeout, "", o.waits(e, o.look(e.want))))
		}
	}
}

// allowed is whether an entry is still one that its owner's user may have.
func (o *owner) allowed(e *entry) bool {
	if o.config.Users == nil {
		return true
	}
	rights := o.config.Users.Allowed(e.owner.UserID)
	physical := e.want.Origin == contract.Physical || e.lease.Origin == contract.Physical
	return slices.Contains(rights, contract.RightLease) && (!physical || slices.Contains(rights, contract.RightPhysical))
}

// lend gives what is free to whom it is due, and refuses newcomers who would
// wait in vain or did not want to wait.
func (o *owner) lend(now time.Time) {
	for again := true; again; {
		again = false
		for _, e := range o.assign(o.look, now) {
			o.use(e.authenticator.ID)
			o.take(e)
		}
		for _, e := range o.entries() {
			if e.stage != waiting || e.claim != "" || e.decided {
				continue
			}
			s := o.look(e.want)
			if others := o.inTheWay(e, s); e.takeover && len(others) > 0 {
				other := prey(others)
				e.claim = other.authenticator.ID
				o.end(other, contract.EndTakeover, refuse(failure.LeaseTaken, "", "taken over by "+holder(&e.lease)))
				again = true // what it gave up at once is free
			} else if problem := o.refusal(e, s); problem != nil {
				o.end(e, contract.EndRefused, problem)
			} else {
				e.decided = true
			}
		}
	}
}

// mostLooks bounds the surveys of one snapshot that are remembered: callers can
// want anything, and be gone before the next snapshot.
const mostLooks = 1024

// look is a survey of the newest snapshot. All who want the same share it.
func (o *owner) look(want contract.Requirement) *survey {
	if now := o.config.Inventory.Snapshot(); now != o.seen {
		o.seen, o.looks = now, make(map[contract.Requirement]*survey)
	}
	s, ok := o.looks[want]
	if !ok {
		if len(o.looks) >= mostLooks {
			clear(o.looks)
		}
		found := look(o.seen, o.config.Judge, want)
		s = &found
		o.looks[want] = s
	}
	return s
}

// places tells everybody in the queue where he stands, where that has changed.
func (o *owner) places() {
	position := 0
	texts := make(map[contract.Requirement]string)
	for _, e := range o.queue {
		// One that gets a virtual authenticator at once is not worth a line.
		if !e.public && e.stage == taking && originOf(e.authenticator) != contract.Physical {
			continue
		}
		position++
		text, shared := texts[e.want]
		if !shared || e.stage != waiting || len(e.refused) > 0 {
			text = o.waits(e, o.look(e.want))
		}
		if e.stage == waiting && len(e.refused) == 0 {
			texts[e.want] = text
		}
		if e.public && e.lease.Position == position && e.lease.Waiting == text {
			continue
		}
		e.lease.Position, e.lease.Waiting = position, text
		o.listed = false
		if !e.public {
			e.public = true
			o.tell(e, tellsQueued(&e.lease))
		} else {
			o.index.put(e)
		}
		if c, place := e.caller, e.lease; c != nil {
			o.answers = append(o.answers, func() {
				select {
				case <-c.place: // one that is out of date
				default:
				}
				c.place <- place
			})
		}
	}
}

// tell shows an entry to the world at the end of the pass.
func (o *owner) tell(e *entry, text string) {
	o.index.put(e)
	l, whose := e.lease, e.owner
	o.events = append(o.events, contract.Event{
		Type: contract.LeaseChanged, At: kept(o.now()), Subject: l.ID, Text: text, Lease: &l, Owner: &whose,
	})
}

// answer gives Take what it waits for, once everybody can see it.
func (o *owner) answer(e *entry, a answer) {
	c := e.caller
	if c == nil {
		return
	}
	e.caller = nil
	o.answers = append(o.answers, func() { c.answer <- a })
}

// end ends an entry, whatever it is at; problem is what Take says where it
// still waits.
func (o *owner) end(e *entry, why contract.LeaseEnd, problem error) {
	if e.why != "" {
		return // it is ending already
	}
	switch e.why, e.problem = why, problem; e.stage {
	case waiting:
		o.quit(e)
		o.over(e)
	case taking:
		e.cancel() // the outcome of what is under way sees to the rest
		o.quit(e)
	case active:
		e.stage = ending
		e.lease.State, e.lease.End = contract.LeaseEnding, why
		o.tell(e, tellsEnding(&e.lease))
		o.leave(e)
	}
}

// quit takes an entry that has no lease yet out of the queue, and tells who
// waits for it.
func (o *owner) quit(e *entry) {
	o.remove(e)
	o.answer(e, answer{err: e.problem})
	if e.public {
		e.lease.State, e.lease.End, e.lease.EndedAt = contract.LeaseEnded, e.why, kept(o.now())
		e.lease.Position, e.lease.Waiting = 0, ""
		o.tell(e, tellsEnded(&e.lease))
	}
}

// over is the last of an entry: its authenticator is free.
func (o *owner) over(e *entry) {
	e.stage = over
	o.free(e)
	o.answers = append(o.answers, func() { close(e.ended) })
}

// adopt enters a lease that was kept into the book. What is to be done about
// it is begun by start.
func (o *owner) adopt(record *store.Lease) {
	e := revived(record, o.now())
	e.authenticator = known(o.config.Inventory.Snapshot(), &e.lease)
	o.held[e.lease.Authenticator] = e
	o.use(e.lease.Authenticator)
	o.index.put(e)
}

// start goes on with what a former run left. What ends is opened too: it is
// left by what was written down of it, and nothing is left that is not open.
func (o *owner) start() {
	for _, e := range o.entries() {
		o.reopen(e)
		if e.stage == ending {
			o.tell(e, tellsEnding(&e.lease))
			o.leave(e)
		}
	}
	o.listed = false
}

// stop ends what does not outlive the daemon.
func (o *owner) stop() {
	o.stopping = true
	for _, e := range o.entries() {
		if e.stage != active || e.lease.Hold == contract.HoldConnection {
			o.end(e, contract.EndRestart, stopped())
		}
	}
}

func stopped() error {
	return refuse(failure.ShuttingDown, "", "the daemon stopped while the call waited")
}

func revoked() error {
	return refuse(failure.Unauthorized, "header.Authorization", "the token was revoked or has expired")
}

// unwritten is the failure of the store, for callers.
func unwritten(err error) error {
	code := failure.Internal
	if errors.Is(err, store.ErrFull) {
		code = failure.DiskFull
	}
	return &failure.Error{Code: code, Detail: "the lease could not be written down", Err: err}
}
