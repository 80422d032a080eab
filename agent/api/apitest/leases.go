package apitest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
)

// Names in the world of the scripted leases.
const (
	// SampleLease is what Lend lends, with the fence number 1.
	SampleLease = "lease-sample-1"
	// Nothing is an authenticator that no lease can have.
	Nothing = "nothing"
	// LeaseRemark is what every release says it could not leave as it was.
	LeaseRemark = "one credential could not be deleted"
)

// Leases lend what does not exist: an authenticator that is asked for by its id
// to one holder at a time, in the order in which they came, and any number of
// nameless ones.
type Leases struct {
	// Careless is told of SampleLease where it does not belong; set it before.
	Careless string

	mu      sync.Mutex
	fence   uint64
	all     []*lent
	changed chan struct{} // closed and replaced with each change
	calls   []string
}

type lent struct {
	contract.Lease
	owner contract.Owner
	token string
	ended chan struct{}
}

func newLeases() *Leases { return &Leases{fence: 1, changed: make(chan struct{})} }

// Calls are all orders that were given, in order: take, renew, release,
// dropped, revoked.
func (l *Leases) Calls() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls)
}

// Changed is closed at the next order or change.
func (l *Leases) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Lend puts SampleLease into somebody's hands, whatever was before, and gives
// its own token. It is no order.
func (l *Leases) Lend(owner contract.Owner) (token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = slices.DeleteFunc(l.all, func(x *lent) bool { return x.ID == SampleLease })
	owner.Lease = SampleLease
	x := &lent{owner: owner, token: LeaseToken(SampleLease), ended: make(chan struct{})}
	x.Lease = contract.Lease{
		ID: SampleLease, Fence: 1, State: contract.LeaseActive, Authenticator: "card-1", Holder: owner.Name, Hold: contract.HoldTTL,
		Requirement: contract.Requirement{Target: "mock", AAL: 3},
		Waiting:     l.Careless, Remarks: []string{l.Careless},
		EndsAt: time.Now().Add(time.Hour),
	}
	l.all = append(l.all, x)
	l.change()
	return x.token
}

// LeaseToken is the own token of a lease.
func LeaseToken(id string) string { return "authbridge_lease_" + id }

// End ends a lease for a reason of the daemon's.
func (l *Leases) End(id string, why contract.LeaseEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(l.find(id), why)
}

func (l *Leases) find(id string) *lent {
	for _, x := range l.all {
		if x.ID == id {
			return x
		}
	}
	return nil
}

func (l *Leases) change(call ...any) {
	if len(call) > 0 {
		l.calls = append(l.calls, fmt.Sprint(call...))
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Leases) end(x *lent, why contract.LeaseEnd) {
	if x == nil || x.State == contract.LeaseEnded {
		return
	}
	x.State, x.End, x.EndedAt, x.Remarks = contract.LeaseEnded, why, time.Now(), []string{LeaseRemark}
	close(x.ended)
	l.change()
}

// before counts who has the authenticator, or waits for it, before x.
func (l *Leases) before(x *lent) (n int, holder string) {
	for _, other := range l.all {
		if other == x {
			break
		}
		if other.State != contract.LeaseEnded && other.Requirement.Authenticator == x.Requirement.Authenticator {
			if n++; holder == "" {
				holder = other.Holder
			}
		}
	}
	return n, holder
}

// Take lends.
func (l *Leases) Take(ctx context.Context, by lease.Caller, request contract.LeaseRequest, told func(contract.Lease)) (contract.NewLease, error) {
	var late <-chan time.Time
	if request.Wait != "" {
		wait, err := time.ParseDuration(request.Wait)
		if err != nil {
			return contract.NewLease{}, &failure.Error{Code: failure.BadRequest, Field: "body.wait", Detail: "allowed: a duration"}
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	if request.Authenticator == Nothing {
		return contract.NewLease{}, &failure.Error{Code: failure.LeaseUnmet, Detail: "there is nothing"}
	}
	l.mu.Lock()
	l.fence++
	id := fmt.Sprintf("lease-%d", l.fence)
	x := &lent{owner: by.Owner, token: LeaseToken(id), ended: make(chan struct{})}
	x.owner.Lease = id
	x.Lease = contract.Lease{
		ID: id, State: contract.LeaseQueued, Requirement: request.Requirement, Holder: by.Name, Purpose: request.Purpose,
		Hold: request.Hold, QueuedAt: time.Now(),
	}
	if x.Hold == "" {
		x.Hold = contract.HoldTTL
	}
	fence := l.fence
	l.all = append(l.all, x)
	l.change("take by ", by.Name)
	l.mu.Unlock()
	for {
		l.mu.Lock()
		changed := l.changed
		n, holder := 0, ""
		if request.Authenticator != "" {
			n, holder = l.before(x)
		}
		switch {
		case ctx.Err() != nil:
			l.end(x, contract.EndGaveUp)
			l.mu.Unlock()
			return contract.NewLease{}, ctx.Err()
		case n == 0:
			x.State, x.Fence, x.TakenAt, x.Position, x.Waiting = contract.LeaseActive, fence, time.Now(), 0, ""
			x.Authenticator, x.EndsAt = request.Authenticator, time.Now().Add(5*time.Minute)
			taken := contract.NewLease{Lease: x.Lease, Token: x.token}
			l.change()
			l.mu.Unlock()
			return taken, nil
		case late == nil:
			l.end(x, contract.EndGaveUp)
			l.mu.Unlock()
			return contract.NewLease{}, &failure.Error{Code: failure.LeaseTaken, Detail: holder + " has it"}
		}
		if x.Position != n {
			x.Position, x.Waiting = n, holder+" has it"
			if told != nil {
				told(x.Lease)
			}
			l.change()
			changed = l.changed
		}
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		case <-late:
			l.mu.Lock()
			l.end(x, contract.EndGaveUp)
			l.mu.Unlock()
			return contract.NewLease{}, &failure.Error{Code: failure.LeaseTimeout, Detail: holder + " has it"}
		}
	}
}

// Reset forgets all.
func (l *Leases) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		l.end(x, contract.EndReleased)
	}
	l.all = nil
}

// Leases are those that have not ended.
func (l *Leases) Leases() []contract.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []contract.Lease
	for _, x := range l.all {
		if x.State != contract.LeaseEnded {
			list = append(list, x.Lease)
		}
	}
	return list
}

// Lease finds one, ended or not.
func (l *Leases) Lease(id string) (contract.Lease, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.find(id)
	if x == nil {
		return contract.Lease{}, false
	}
	return x.Lease, true
}

// mine finds a lease that is the caller's.
func (l *Leases) mine(by lease.Caller, id string, admin bool) (*lent, error) {
	x := l.find(id)
	switch {
	case x == nil:
		return nil, &failure.Error{Code: failure.LeaseUnknown, Detail: id}
	case x.State == contract.LeaseEnded:
		return nil, &failure.Error{Code: failure.LeaseOver, Detail: id}
	case owns(by.Owner, x.owner), admin && slices.Contains(by.Rights, contract.RightAdmin):
		return x, nil
	}
	return nil, &failure.Error{Code: failure.LeaseNotYours, Detail: x.Holder + " has it"}
}

func owns(by, owner contract.Owner) bool {
	switch {
	case by.Lease != "":
		return by.Lease == owner.Lease
	case by.TokenID != "":
		return by.TokenID == owner.TokenID
	}
	return owner.TokenID == "" && by.Name == owner.Name
}

// Renew moves the end.
func (l *Leases) Renew(_ context.Context, by lease.Caller, id, ttl string) (contract.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x, err := l.mine(by, id, false)
	if err != nil {
		return contract.Lease{}, err
	}
	d, err := time.ParseDuration(ttl)
	if ttl != "" && err != nil {
		return contract.Lease{}, &failure.Error{Code: failure.BadRequest, Field: "body.ttl", Detail: "allowed: a duration"}
	}
	x.EndsAt = time.Now().Add(d)
	l.change("renew ", id, " by ", by.Name)
	return x.Lease, nil
}

// Release ends a lease.
func (l *Leases) Release(_ context.Context, by lease.Caller, id string) (contract.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x, err := l.mine(by, id, true)
	if err != nil {
		return contract.Lease{}, err
	}
	l.change("release ", id, " by ", by.Name)
	l.end(x, contract.EndReleased)
	return x.Lease, nil
}

// Dropped ends a lease that its connection kept.
func (l *Leases) Dropped(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.find(id); x != nil && x.State != contract.LeaseEnded && x.Hold == contract.HoldConnection {
		l.change("dropped ", id)
		l.end(x, contract.EndConnection)
	}
}

// Ended is closed with the lease.
func (l *Leases) Ended(id string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.find(id); x != nil {
		return x.ended
	}
	over := make(chan struct{})
	close(over)
	return over
}

// Check is whether the caller may use a lease.
func (l *Leases) Check(by lease.Caller, id string, fence uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	x, err := l.mine(by, id, false)
	if err != nil {
		return err
	}
	if x.Fence != fence {
		return &failure.Error{Code: failure.LeaseFenced, Field: "body.fence", Detail: fmt.Sprint("it is ", x.Fence)}
	}
	return nil
}

// Token finds a lease by its own token.
func (l *Leases) Token(secret []byte) (contract.Lease, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		if x.token == string(secret) && x.State == contract.LeaseActive {
			return x.Lease, true
		}
	}
	return contract.Lease{}, false
}

// Over says of a lease's own token that the lease has ended.
func (l *Leases) Over(secret []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		if x.token == string(secret) && x.State != contract.LeaseActive {
			return &failure.Error{Code: failure.LeaseOver, Detail: "it ended: " + string(x.End)}
		}
	}
	return nil
}

// Revoked ends what a token took.
func (l *Leases) Revoked(tokenID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change("revoked ", tokenID)
	for _, x := range l.all {
		if x.owner.TokenID == tokenID {
			l.end(x, contract.EndRevoked)
		}
	}
}

// owner is whose a lease is.
func (l *Leases) owner(id string) (contract.Owner, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.find(id); x != nil {
		return x.owner, true
	}
	return contract.Owner{}, false
}
