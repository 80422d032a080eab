package lease

import (
	"context"
	"crypto/sha256"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

// stage is how far an entry of the book has come. The public states are
// coarser: nobody has a lease before it is written down and opened.
type stage int

const (
	waiting stage = iota // in the queue
	taking               // in the queue, an authenticator reserved: it is read, written down, opened
	active
	ending // the authenticator is being left
	over
)

// entry is a lease in the book, from its arrival to its end.
type entry struct {
	name    string // of its id, see nameIn
	lease   contract.Lease
	owner   contract.Owner
	want    contract.Requirement
	ttl     time.Duration
	keep    bool
	token   [sha256.Size]byte
	expires time.Time // of the token that took it; zero: never
	// until is when its wait is over; zero: it was not to wait at all.
	until time.Time

	stage         stage
	authenticator *contract.Authenticator // reserved or leased; nil in the queue
	// takeover: it may end a lease that is in the way; claim is the
	// authenticator of the one that it ended.
	takeover bool
	claim    string
	// refused are authenticators that were not ready when they were read anew,
	// with the time of that read: without a newer one they are not tried again.
	refused map[string]time.Time
	amiss   string // with the last of them
	// decided: that it waits is settled, whatever becomes of what it waits for.
	decided bool
	// why and problem are set when it is to end: the reason, and what Take says.
	why     contract.LeaseEnd
	problem error
	// public: others have seen it. One that gets an authenticator at once is
	// not, until it has it.
	public bool
	// due is when its time is up: lease.EndsAt by the clock of [Desk.now].
	due time.Time
	// renewing is the end it is to have once that is written down.
	renewing time.Time

	caller *caller
	ended  chan struct{}

	// The owner's: what is done for it one after the other, see owner.work.
	busy   bool
	next   []job
	cancel context.CancelFunc
}

// caller is who waits in Take.
type caller struct {
	answer chan answer         // has room for the one answer
	place  chan contract.Lease // has room for one: the newest place in the queue
}

type answer struct {
	lease contract.NewLease
	err   error
}

// endsAt is when its time is up, the time that is just being written included.
func (e *entry) endsAt() time.Time {
	if e.renewing.After(e.due) {
		return e.renewing
	}
	return e.due
}

// give sets the end that it has from now on.
func (e *entry) give(due time.Time) { e.due, e.lease.EndsAt = due, kept(due) }

func (e *entry) record() store.Lease {
	return store.Lease{
		Lease: e.lease, Owner: e.owner, Expires: e.expires, TTL: e.ttl, Keep: e.keep, Token: e.token,
	}
}

// lastEnd is when a lease ends that is given ttl from now on: with the token
// that took it, if that comes first.
func lastEnd(now time.Time, ttl time.Duration, expires time.Time) time.Time {
	end := now.Add(ttl)
	if !expires.IsZero() && expires.Before(end) {
		return expires
	}
	return end
}

// endOf is why a lease ends whose time is up.
func endOf(endsAt, expires time.Time) contract.LeaseEnd {
	if !expires.IsZero() && !expires.After(endsAt) {
		return contract.EndRevoked
	}
	return contract.EndExpired
}

// revive says what a restart makes of a lease that was kept: the reason why it
// ends, or empty where it goes on.
func revive(record *store.Lease, now time.Time) contract.LeaseEnd {
	switch {
	case record.State != contract.LeaseActive && record.End != "":
		return record.End
	case record.State != contract.LeaseActive, record.Hold == contract.HoldConnection:
		return contract.EndRestart
	case !record.Expires.IsZero() && !now.Before(record.Expires):
		return contract.EndRevoked
	case !now.Before(record.EndsAt):
		return contract.EndExpired
	}
	return ""
}

// checkUse says why a caller may not use a lease now; nil: it may.
func checkUse(by *Caller, id string, fence uint64, found *indexed, now time.Time) error {
	l := &found.lease
	switch {
	case !by.Owns(found.owner):
		return refuse(failure.LeaseNotYours, "", "it is that of "+l.Holder)
	case l.Origin == contract.Physical && by.Lease == "" && !by.has(contract.RightPhysical):
		return refuse(failure.PhysicalRight, "", "the caller does not have the right physical") // a page of the owner's
	case l.State == contract.LeaseQueued:
		return refuse(failure.LeaseUnknown, "", "it is still in the queue")
	case l.State != contract.LeaseActive:
		return isOver(l)
	case !now.Before(found.due):
		return timeUp(l)
	case id != l.ID || fence != l.Fence:
		return refuse(failure.LeaseFenced, "", "the lease has another fence number than the one given")
	}
	return nil
}

func timeUp(l *contract.Lease) error {
	return refuse(failure.LeaseOver, "", "its time was up at "+clock(l.EndsAt))
}

func isOver(l *contract.Lease) error {
	return refuse(failure.LeaseOver, "", "it ended: "+reason(l.End))
}
