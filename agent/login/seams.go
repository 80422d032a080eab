package login

import (
	"context"
	"net/http"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/lease"
	"authbridge/agent/store"
)

// Leases lends authenticators; package lease has it.
type Leases interface {
	Take(ctx context.Context, by lease.Caller, request contract.LeaseRequest, told func(contract.Lease)) (contract.NewLease, error)
	// Release returns once the authenticator is left.
	Release(ctx context.Context, by lease.Caller, id string) (contract.Lease, error)
}

// Ceremonies uses leased authenticators; package ceremony has it.
type Ceremonies interface {
	// Begin takes over the PIN in the request.
	Begin(ctx context.Context, by lease.Caller, request contract.CeremonyRequest) (contract.Ceremony, error)
	Ceremony(id string) (contract.Ceremony, contract.Owner, bool)
	Await(ctx context.Context, id string) (contract.Ceremony, error)
}

// Inventory is what is known of the authenticators. It does no I/O.
type Inventory interface {
	Snapshot() *contract.Snapshot
	// Changed is closed at the next new snapshot.
	Changed() <-chan struct{}
}

// Virtual makes virtual authenticators that fail, for the scenarios that need
// one; package virtual has it.
type Virtual interface {
	List() []contract.VirtualDevice
	Insert(ctx context.Context, card contract.VirtualInsert) (contract.VirtualDevice, error)
	Remove(ctx context.Context, name string) (contract.VirtualDevice, error)
	Plug(ctx context.Context, key contract.VirtualPlug) (contract.VirtualDevice, error)
	Unplug(ctx context.Context, name string) (contract.VirtualDevice, error)
	// Discard takes away for good what is plugged in.
	Discard(ctx context.Context, kind contract.Kind, name string) error
	SetFaults(ctx context.Context, kind contract.Kind, name string, faults []contract.Fault) (contract.VirtualDevice, error)
}

// Mock is the mock authorisation service of this daemon. The names of its
// faults are package mockcis2's.
type Mock interface {
	// Know makes somebody known who can sign in at AAL3, unless a user of that
	// UUID is known already.
	Know(user string) error
	// LendTOTP gives a user an authenticator application for one sign-in, with
	// its secret, base32, which the caller wipes.
	LendTOTP(user string) (secret []byte, takeBack func(), err error)
	// Fault makes the login of one request of a client go wrong, told by its
	// state.
	Fault(client, state string, faults ...string) error
}

// Store keeps runs. A write of one that is over outlives a power cut, of one
// that is under way a killed daemon.
type Store interface {
	PutLogin(ctx context.Context, record store.Login) error
	// Login is an error that is store.ErrNotFound for one that is not kept.
	Login(ctx context.Context, id string) (store.Login, error)
	// Logins are the newest, the newest first.
	Logins(ctx context.Context, most int) ([]store.Login, error)
	// LoginSuite are those of a suite in their order, without their steps.
	LoginSuite(ctx context.Context, suite string) ([]store.Login, error)
	UnfinishedLogins(ctx context.Context) ([]store.Login, error)
	PruneLogins(ctx context.Context, keep int, before time.Time) (forgotten int64, err error)
}

// Party is the relying party of a run: it judges what came back, and what it
// fails is refused. [Assert] is the strict one.
type Party func(Tokens, Expectation) []contract.LoginStep

// Target is where logins are aimed at, and as which client.
type Target struct {
	Name   string
	Issuer string // byte for byte
	// ClientID, Client, Redirect and Scopes are those of the registration.
	// Headless, the redirect address is never fetched: the answer is read from
	// it.
	ClientID string
	Client   ClientAuth
	// ReadClient reads Client when it is needed; nil: Client is it. Its error
	// holds nothing of what it reads.
	ReadClient func() (ClientAuth, error)
	Redirect   string
	Scopes     []string
	// Headless is whether the sign-in page may be walked by the bridge: the
	// mock's own.
	Headless bool
	// Native is whether the client is registered as one that handles a callback
	// on the loopback address itself (CIS2: NATIVE). Then a browser may drive a
	// login, and Redirect is where the run listens for it: http, a loopback
	// host and a port.
	Native bool
	// User is who signs in with a key where a request names nobody.
	User string
	// Transport reaches the target; nil is the one of all.
	Transport http.RoundTripper
	// MaxAge is how old a sign-in may be; 0: 5 minutes.
	MaxAge time.Duration
	// ACRs and AMRs replace the tables as shipped.
	ACRs cis2.ACRs
	AMRs cis2.AMRs
}
