package inventory

import (
	"slices"
	"time"

	"authbridge/agent/contract"
)

// owner is the goroutine that all state belongs to.
type owner struct {
	*Inventory
	observations []Observation // the newest of each source
	leases       []contract.Lease
	view         *View
	again        time.Time // when to judge anew
}

// newOwner makes the state before anything was observed: it is the first
// view, sequence 0.
func newOwner(i *Inventory) *owner {
	o := &owner{Inventory: i, observations: make([]Observation, len(i.config.Sources)), leases: []contract.Lease{}}
	now := i.config.Now()
	for n, source := range i.config.Sources {
		o.observations[n].Source = contract.Source{Name: source.Name(), State: "starting", ObservedAt: now}
	}
	o.view = o.judge(contract.EventID{Epoch: i.epoch}, now)
	return o
}

// run takes observations and letters until the sources are done and all is
// taken.
func (o *owner) run(done <-chan struct{}) {
	defer o.readMail(o.mail.close)
	// The timer runs only where a report asked for it: idle is idle.
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Stop()
		var due <-chan time.Time
		if !o.again.IsZero() {
			timer.Reset(max(o.again.Sub(o.config.Now()), time.Millisecond))
			due = timer.C
		}
		select {
		case observation := <-o.inbox:
			o.take(observation)
		case <-o.mail.wake:
			o.readMail(o.mail.take)
		case <-due:
			o.advance(nil)
		case <-done:
			for {
				select {
				case observation := <-o.inbox:
					o.take(observation)
				default:
					return
				}
			}
		}
	}
}

func (o *owner) take(observation observed) {
	o.Inventory.observations.Add(1)
	o.observations[observation.source] = observation.Observation
	o.advance(observation.Events)
}

// readMail takes what other parts of the daemon tell.
func (o *owner) readMail(take func() []letter) {
	for _, l := range take() {
		now := o.config.Now()
		snapshot := *o.view.snapshot
		if l.shows {
			o.leases = l.leases
			snapshot.Leases, snapshot.ObservedAt = l.leases, now
		}
		o.publish(newView(o.view.id, &snapshot, o.view.facts, o.view.answered), l.events, now)
		close(l.read)
	}
}

// advance makes the next snapshot from all that was observed.
func (o *owner) advance(told []contract.Event) {
	now := o.config.Now()
	next := o.judge(o.view.id, now)
	o.publish(next, slices.Concat(told, diff(o.view.snapshot, next.snapshot, told)), now)
}

// publish shows the next snapshot under the id of the last of the events that
// led to it, and hands them on. The snapshot is seen before its events are
// durable: a read of the state never waits for a disk, and who resumes from its
// id, after a kill in between, finds a new epoch and misses nothing.
func (o *owner) publish(next *View, events []contract.Event, now time.Time) {
	prev := o.view
	id := prev.id
	entries := make([]*Entry, 0, len(events))
	known := slices.Concat(prev.snapshot.Authenticators, next.snapshot.Authenticators)
	for _, e := range events {
		id.Seq++
		e.ID = id.String()
		if e.At.IsZero() {
			e.At = now
		}
		e = withoutResult(e)
		describe(&e)
		entries = append(entries, newEntry(id, e, known))
	}
	if len(events) > 0 {
		snapshot := *next.snapshot
		snapshot.ID = id.String()
		next = newView(id, &snapshot, next.facts, next.answered)
	}
	o.view = next
	o.show(next)
	if len(entries) > 0 {
		o.output.add(entries)
	}
}

func (o *owner) judge(id contract.EventID, now time.Time) *View {
	facts := merge(o.config.OS, o.observations)
	report := o.config.Judge(facts, now)
	o.again = report.Again
	return newView(id, compose(id, o.config.Version, facts, report, o.leases, now), facts, answered(o.observations))
}
