package api

import (
	"context"
	"io"
	"net"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/inventory"
	"authbridge/agent/lease"
)

// Inventory is what the handlers read from. Nothing of it does device I/O;
// Reread only asks for a read.
type Inventory interface {
	View() *inventory.View
	// Await returns once a snapshot is as wanted, or with ctx's error.
	Await(ctx context.Context, wanted func(*contract.Snapshot) bool) (*contract.Snapshot, error)
	Subscribe(ctx context.Context, after string) (*inventory.Subscription, error)
	Reread(id string) error
	// Recent are the newest events, in order, as everybody may see them.
	Recent(ctx context.Context, most int) ([]contract.Event, error)
}

// Surroundings are what a support bundle tells besides the state. The values are
// written as JSON; they hold no secret, and what they may name of people is
// hidden as it is written.
type Surroundings struct {
	Versions      any
	Configuration any
	Machine       any
	// Log is what was logged last, one entry each, in JSON.
	Log [][]byte
	// Person is the name of the daemon's user, which paths may have.
	Person string
}

// Lookout looks at the targets of logins in the background; package target has
// it.
type Lookout interface {
	// Ask says that somebody is interested in a target. It returns at once.
	Ask(target string)
}

// Users are those of this machine, and what they may do here. Rights and Changed
// wait for no I/O.
type Users interface {
	// Identify says who is at the other end of a connection that came in by the
	// local socket or pipe.
	Identify(conn net.Conn) (User, error)
	// Program names the program at the other end of such a connection, as the
	// operating system does; empty: it does not tell.
	Program(conn net.Conn) string
	// Rights are those that a user has now; of one who is not known, those that
	// tokens of nobody in particular may have.
	Rights(user User) []contract.Right
	// Changed is closed when somebody's rights may be others.
	Changed() <-chan struct{}
}

// TokenStore keeps tokens, as SHA-256 only. Token must not touch the disk.
type TokenStore interface {
	// CreateToken makes a token of a user, by uid or SID.
	CreateToken(ctx context.Context, user, name string, rights []contract.Right, ttl time.Duration) (contract.NewToken, error)
	Token(secret []byte) (contract.Token, bool)
	TouchToken(ctx context.Context, id string) error
	Tokens() []contract.Token
	RevokeToken(ctx context.Context, idOrName string) error
}

// Virtual makes and handles virtual cards and keys. Its errors are
// failure.Error.
type Virtual interface {
	List() []contract.VirtualDevice
	Insert(ctx context.Context, card contract.VirtualInsert) (contract.VirtualDevice, error)
	Remove(ctx context.Context, name string) (contract.VirtualDevice, error)
	Swap(ctx context.Context, name string, card contract.VirtualInsert) (contract.VirtualDevice, error)
	Plug(ctx context.Context, key contract.VirtualPlug) (contract.VirtualDevice, error)
	Unplug(ctx context.Context, name string) (contract.VirtualDevice, error)
	Touch(ctx context.Context, name string) error
	// Delete takes a reader or key away for good.
	Delete(ctx context.Context, name string) error
	SetFaults(ctx context.Context, kind contract.Kind, name string, faults []contract.Fault) (contract.VirtualDevice, error)
}

// Mock is the daemon's mock of CIS2. Its errors are failure.Error, and its
// users are whole: the API hides who they are.
type Mock interface {
	State() (contract.Mock, error)
	SetUser(uuid string, user contract.MockUserRequest) (contract.MockUser, error)
	// DeleteUser takes a user away, and ends the user's sessions.
	DeleteUser(ctx context.Context, uuid string) (contract.MockLogout, error)
	// SetFaults gives those in force, of whoever's logins.
	SetFaults(contract.MockFaults) ([]contract.MockFaults, error)
	// EndSessions ends those of a user, or all, and returns once the logout tokens
	// were brought.
	EndSessions(ctx context.Context, user string) (contract.MockLogout, error)
	// RotateKeys signs with a new key from then on.
	RotateKeys() (contract.MockKeys, error)
}

// Leases lends authenticators; package lease has it. Its errors are
// failure.Error.
type Leases interface {
	// Take takes a lease, or waits for one as long as the request says; told
	// hears of each change of its place meanwhile and may be nil. When ctx
	// ends, its place is given up, and a lease that was taken at that moment is
	// released.
	Take(ctx context.Context, by lease.Caller, request contract.LeaseRequest, told func(contract.Lease)) (contract.NewLease, error)
	// Leases are those taken, then the queue in its order. Lease finds one that
	// has ended too, for a while.
	Leases() []contract.Lease
	Lease(id string) (contract.Lease, bool)
	Renew(ctx context.Context, by lease.Caller, id, ttl string) (contract.Lease, error)
	// Release ends a lease and returns once the authenticator is left.
	Release(ctx context.Context, by lease.Caller, id string) (contract.Lease, error)
	// Dropped ends a lease whose connection has ended.
	Dropped(id string)
	// Ended is closed when the lease has ended.
	Ended(id string) <-chan struct{}
	// Check says whether the caller may use a lease now, by its id and fence.
	Check(by lease.Caller, id string, fence uint64) error
	// Token finds the lease whose own token that is. It reads no disk.
	Token(secret []byte) (lease contract.Lease, ok bool)
	// Over says of what was a lease's own token how that lease ended; nil for all
	// else. It reads no disk.
	Over(secret []byte) error
	// Revoked ends what a token took.
	Revoked(tokenID string)
}

// Ceremonies uses leased authenticators; package ceremony has it. Its errors
// are failure.Error. What it returns is whole: the API hides from others what
// is the owner's alone.
type Ceremonies interface {
	// Begin begins one. The PIN in the request is theirs from then on, and they
	// wipe it.
	Begin(ctx context.Context, by lease.Caller, request contract.CeremonyRequest) (contract.Ceremony, error)
	Ceremony(id string) (contract.Ceremony, contract.Owner, bool)
	Ceremonies() []contract.Ceremony
	// Await waits until a ceremony is over.
	Await(ctx context.Context, id string) (contract.Ceremony, error)
	// Cancel returns once the ceremony is over, however it ended.
	Cancel(ctx context.Context, id string) (contract.Ceremony, error)
	// Answer gives the PIN that a ceremony waits for, and wipes it.
	Answer(ctx context.Context, by lease.Caller, id string, pin []byte) error
	Blocks() []contract.PINBlock
	Unblock(ctx context.Context, authenticator string) error
}

// RelyingParties checks running applications against their registration; package
// rpcheck has it. Its errors are failure.Error.
type RelyingParties interface {
	// Check calls the addresses of a registration, for up to a minute.
	Check(ctx context.Context, request contract.RelyingPartyRequest) (contract.RelyingParty, error)
}

// Logins runs whole logins; package login has it. Its errors are failure.Error.
// What it returns is whole: the API hides from others what is for who asked.
type Logins interface {
	// Begin begins a run, whose leases and ceremonies are the caller's. PIN and
	// tokens in the request are theirs from then on, also where it is refused,
	// and they wipe them.
	Begin(ctx context.Context, by lease.Caller, request contract.LoginRequest) (contract.Login, error)
	// Check is whether there can be such a run, and begins none. The request's
	// secrets are theirs, as with Begin.
	Check(request contract.LoginRequest) error
	// Login finds a run, and who asked for it.
	Login(ctx context.Context, id string) (contract.Login, contract.Owner, error)
	// Logins are the newest, the newest first.
	Logins(ctx context.Context) ([]contract.Login, error)
	// Await waits until a run is over.
	Await(ctx context.Context, id string) (contract.Login, error)
	// Cancel returns once the run is over, however it ended.
	Cancel(ctx context.Context, id string) (contract.Login, error)
	// Report is that of a run, with its media type.
	Report(ctx context.Context, id string, form contract.LoginReportForm) (body []byte, mediaType string, err error)
	// SuiteReport is that of somebody's runs which were asked for together: write
	// makes it piece by piece.
	SuiteReport(ctx context.Context, by contract.Owner, suite string, form contract.LoginReportForm) (write func(context.Context, io.Writer) error, mediaType string, err error)
}
