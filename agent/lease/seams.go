package lease

import (
	"context"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/store"
)

// Inventory is what is known of the authenticators.
type Inventory interface {
	// Snapshot is the newest, personal data included. It does no I/O.
	Snapshot() *contract.Snapshot
	// Changed is closed at the next new snapshot.
	Changed() <-chan struct{}
	// Fresh asks for a read of an authenticator and waits until it is in the
	// snapshot, whatever came of it.
	Fresh(ctx context.Context, id string) error
}

// Use is what is done with leased authenticators. Package ceremony has it.
type Use interface {
	// Open lets ceremonies be done under a lease that was taken, or that
	// outlived a restart. It keeps the daemon's own probes away.
	Open(ctx context.Context, grant Grant) error
	// Close ends all that is done under a lease and leaves the authenticator
	// as it was found. It says what it could not leave so, or did to do so.
	// Without an open lease of that id it does nothing. It is bounded in time.
	Close(ctx context.Context, lease string, why contract.LeaseEnd) (remarks []string)
}

// Grant is a lease as ceremonies see it.
type Grant struct {
	Lease         string
	Fence         uint64
	Authenticator contract.Authenticator
	Target        string
	Purpose       string
	Owner         contract.Owner
	// Keep keeps discoverable credentials made in the lease.
	Keep bool
}

// Caller is who asks, as the API knows it.
type Caller struct {
	contract.Owner
	Rights []contract.Right
	// Expires is when the caller's token does; zero: never.
	Expires time.Time
	// Program is what asks, as the operating system says; empty: it does not tell.
	Program string
}

// Users are those of this machine. None of it waits for I/O.
type Users interface {
	// Allowed are the rights that a user has now, by the UserID of an owner.
	Allowed(userID string) []contract.Right
	// Changed is closed when somebody's rights may be others.
	Changed() <-chan struct{}
}

// Store keeps leases over a restart. A write that returned nil outlives a
// killed daemon.
type Store interface {
	// PutLease writes a lease that was taken, renewed or is ending, and the
	// highest fence number there was.
	PutLease(ctx context.Context, record store.Lease) error
	// DeleteLease forgets one that has ended.
	DeleteLease(ctx context.Context, id string) error
	// Leases reads all that are kept, in the order of their fence numbers, and
	// the highest fence number there ever was.
	Leases(ctx context.Context) (records []store.Lease, fence uint64, err error)
}
