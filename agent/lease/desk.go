package lease

import (
	"context"
	"fmt"
	"io"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"

	"github.com/sirupsen/logrus"
)

// Config is what a desk needs.
type Config struct {
	Inventory Inventory
	Use       Use
	Store     Store
	// Judge answers how ready authenticators are, from a snapshot.
	Judge func(contract.Question, *contract.Snapshot) contract.Verdict
	// Show gets all leases, those taken by their fence numbers and then the
	// queue in its order, and what happened to them. It is called by one
	// goroutine and must not wait for the desk, nor for ever. Nil shows nothing.
	Show func(leases []contract.Lease, events ...contract.Event)
	// Users bound what owners may have: who loses the right to a lease loses it.
	// Nil: nobody does.
	Users Users
	// Targets are the names that a login can be aimed at.
	Targets []string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log gets what went wrong in here; nil is none.
	Log logrus.FieldLogger
}

// Desk lends authenticators. Its methods may be called concurrently; those that
// change something are answered once Run runs.
type Desk struct {
	config Config
	orders chan func(*owner)
	done   chan struct{} // closed when Run has returned
	index  *index
	owner  *owner // Run's alone
}

// New makes a desk and takes over the leases that a former one left.
func New(ctx context.Context, config Config) (*Desk, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		config.Log = silent
	}
	records, fence, err := config.Store.Leases(ctx)
	if err != nil {
		return nil, fmt.Errorf("leases: %w", err)
	}
	d := &Desk{config: config, orders: make(chan func(*owner)), done: make(chan struct{}), index: newIndex()}
	d.owner = newOwner(d)
	d.owner.fence = fence
	for i := range records {
		d.owner.adopt(&records[i])
	}
	d.index.show(d.owner.list())
	return d, nil
}

// Run lends until ctx ends; then it ends what does not outlive the daemon, and
// returns once nothing is done for any lease any more. It is called once.
func (d *Desk) Run(ctx context.Context) error {
	defer close(d.done)
	d.owner.run(ctx)
	return nil
}

// now is the clock that times are compared by. It has the monotonic reading: a
// lease lasts as long as it was given, also when the machine's clock is set.
func (d *Desk) now() time.Time { return d.config.Now() }

// kept is a time as it is shown and written down.
func kept(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func (d *Desk) log() logrus.FieldLogger { return d.config.Log }

// order has the owner do something.
func (d *Desk) order(ctx context.Context, do func(*owner)) error {
	select {
	case d.orders <- do:
		return nil
	case <-ctx.Done():
		return gone(ctx)
	case <-d.done:
		return stopped()
	}
}

// gone is the failure of a call whose caller has gone away.
func gone(ctx context.Context) error {
	return &failure.Error{Code: failure.RequestTimeout, Detail: "the call ended before the answer was there", Err: context.Cause(ctx)}
}

// Take takes a lease, or waits for one as long as the request says; told hears
// of each change of its place meanwhile and may be nil. When ctx ends, its
// place is given up, and a lease that was taken at that moment is released.
func (d *Desk) Take(ctx context.Context, by Caller, request contract.LeaseRequest, told func(contract.Lease)) (contract.NewLease, error) {
	asked, err := examineRequest(by, request, d.config.Targets)
	if err != nil {
		return contract.NewLease{}, err
	}
	c := &caller{answer: make(chan answer, 1), place: make(chan contract.Lease, 1)}
	e := newEntry(by, request, asked, c)
	if err := d.order(ctx, func(o *owner) { o.arrive(e, asked.wait) }); err != nil {
		return contract.NewLease{}, err
	}
	for {
		select {
		case a := <-c.answer:
			if a.err == nil && ctx.Err() != nil {
				d.giveUp(e)
				return contract.NewLease{}, gone(ctx)
			}
			return a.lease, a.err
		case place := <-c.place:
			if told != nil {
				told(place)
			}
		case <-ctx.Done():
			d.giveUp(e)
			return contract.NewLease{}, gone(ctx)
		case <-d.done:
			select {
			case a := <-c.answer: // its last word
				return a.lease, a.err
			default:
				return contract.NewLease{}, stopped()
			}
		}
	}
}

// giveUp ends what a caller who has gone away waited for or just got.
func (d *Desk) giveUp(e *entry) {
	_ = d.order(context.Background(), func(o *owner) {
		why := contract.EndGaveUp
		if e.stage == active {
			why = contract.EndReleased
		}
		o.end(e, why, nil)
	}) // a desk that has ended holds nothing for anybody
}

func newEntry(by Caller, request contract.LeaseRequest, asked asked, c *caller) *entry {
	name := newName()
	hold := request.Hold
	if hold == "" {
		hold = contract.HoldTTL
	}
	owner := by.Owner
	owner.Lease = name
	return &entry{
		name: name, owner: owner, want: asked.want, ttl: asked.ttl, keep: request.Keep, expires: by.Expires,
		takeover: request.Takeover, caller: c, ended: make(chan struct{}),
		lease: contract.Lease{
			ID: name, State: contract.LeaseQueued, Requirement: request.Requirement,
			Holder: by.Name, Purpose: request.Purpose, Hold: hold,
		},
	}
}

// arrive enters a newcomer at the end of the queue.
func (o *owner) arrive(e *entry, wait time.Duration) {
	now := o.now()
	e.lease.QueuedAt = kept(now)
	if wait > 0 {
		e.until = now.Add(wait)
	}
	if o.stopping {
		o.answer(e, answer{err: stopped()})
		return
	}
	o.queue = append(o.queue, e)
}

// Leases are those taken, then the queue in its order.
func (d *Desk) Leases() []contract.Lease { return d.index.all() }

// Lease finds a lease by its id, one that has ended too, for a while. The id
// that it had in the queue finds it as well.
func (d *Desk) Lease(id string) (contract.Lease, bool) {
	found, ok := d.index.find(id)
	if !ok || id != found.lease.ID && id != nameIn(id) {
		return contract.Lease{}, false
	}
	return found.lease, true
}

// Renew moves the end of a lease to ttl from now; empty: the time that it was
// taken with.
func (d *Desk) Renew(ctx context.Context, by Caller, id, ttl string) (contract.Lease, error) {
	span, err := parseTTL(ttl, 0)
	if err != nil {
		return contract.Lease{}, err
	}
	reply := make(chan renewal, 1)
	err = d.order(ctx, func(o *owner) {
		e, err := o.leased(&by, id)
		if err != nil {
			reply <- renewal{err: err}
			return
		}
		if span == 0 {
			span = e.ttl
		}
		o.renew(e, span, reply)
	})
	if err != nil {
		return contract.Lease{}, err
	}
	select {
	case r := <-reply:
		return r.lease, r.err
	case <-ctx.Done():
		return contract.Lease{}, gone(ctx)
	case <-d.done:
		return contract.Lease{}, stopped()
	}
}

// leased finds an active lease for its owner.
func (o *owner) leased(by *Caller, id string) (*entry, error) {
	found, ok := o.index.find(id)
	if !ok {
		return nil, unknown()
	}
	if err := checkUse(by, id, found.lease.Fence, found, o.now()); err != nil {
		return nil, err
	}
	return o.held[found.lease.Authenticator], nil
}

func unknown() error {
	return refuse(failure.LeaseUnknown, "path.id", "no lease with that id is kept here")
}

// Release ends a lease, or gives up a place in the queue, and returns once the
// authenticator is left. Beside the owner, who has the right admin may.
func (d *Desk) Release(ctx context.Context, by Caller, id string) (contract.Lease, error) {
	found, ok := d.index.find(id)
	switch {
	case !ok || id != found.lease.ID && id != nameIn(id):
		return contract.Lease{}, unknown()
	case !by.Owns(found.owner) && !by.has(contract.RightAdmin):
		return contract.Lease{}, refuse(failure.LeaseNotYours, "", "it is that of "+found.lease.Holder)
	case found.lease.State == contract.LeaseEnded:
		return contract.Lease{}, isOver(&found.lease)
	}
	err := d.order(ctx, func(o *owner) {
		for _, e := range o.entries() {
			if e.name == nameIn(id) {
				why := contract.EndReleased
				if e.stage != active {
					why = contract.EndGaveUp
				}
				o.end(e, why, refuse(failure.LeaseOver, "", "its place in the queue was given up"))
			}
		}
	})
	if err != nil {
		return contract.Lease{}, err
	}
	select {
	case <-found.ended:
	case <-ctx.Done():
		return contract.Lease{}, gone(ctx)
	case <-d.done:
	}
	if now, ok := d.index.find(id); ok {
		found = now
	}
	return found.lease, nil
}

// Dropped ends a lease whose connection has ended.
func (d *Desk) Dropped(id string) {
	_ = d.order(context.Background(), func(o *owner) {
		for _, e := range o.held {
			if e.lease.ID == id && e.lease.Hold == contract.HoldConnection {
				o.end(e, contract.EndConnection, nil)
			}
		}
	}) // a desk that has ended has ended it too
}

// Revoked ends what a token took, and its places in the queue.
func (d *Desk) Revoked(tokenID string) {
	if tokenID == "" {
		return // no token, but an identity of the operating system
	}
	_ = d.order(context.Background(), func(o *owner) {
		for _, e := range o.entries() {
			if e.owner.TokenID == tokenID {
				o.end(e, contract.EndRevoked, revoked())
			}
		}
	}) // a desk that has ended gives nothing to anybody
}

// Ended is closed when the lease has ended; for one that is not known it is.
func (d *Desk) Ended(id string) <-chan struct{} {
	if found, ok := d.index.find(id); ok {
		return found.ended
	}
	over := make(chan struct{})
	close(over)
	return over
}

// Check says whether the caller may use a lease now, by its id and fence.
func (d *Desk) Check(by Caller, id string, fence uint64) error {
	found, ok := d.index.find(id)
	if !ok {
		return refuse(failure.LeaseUnknown, "", "no lease with that id is kept here")
	}
	return checkUse(&by, id, fence, found, d.now())
}

// Token finds the active lease whose own token that is. It reads no disk.
func (d *Desk) Token(secret []byte) (contract.Lease, bool) {
	found, ok := d.index.holder(secret)
	if !ok || found.lease.State != contract.LeaseActive || !d.now().Before(found.due) {
		return contract.Lease{}, false
	}
	return found.lease, true
}

// Over says of what was a lease's own token how that lease ended: LEASE_OVER. It is
// nil for all else. It reads no disk.
func (d *Desk) Over(secret []byte) error {
	switch found, ok := d.index.holder(secret); {
	case !ok:
		return nil
	case found.lease.State != contract.LeaseActive:
		return isOver(&found.lease)
	case !d.now().Before(found.due):
		return timeUp(&found.lease)
	}
	return nil
}
