package store

import (
	"time"

	"authbridge/agent/contract"
)

// Lease is a lease as it is kept over a restart.
type Lease struct {
	contract.Lease
	Owner contract.Owner
	// Expires is when the token that took it does, and the lease with it; zero:
	// never.
	Expires time.Time
	TTL     time.Duration
	Keep    bool
	// Token is the SHA-256 of the lease's own token; the token itself is
	// nowhere.
	Token [32]byte
}

// Trace is what was, or may have been, left in an authenticator in a lease, to
// be undone at its end, after a restart too.
type Trace struct {
	Lease         string
	Authenticator string
	// Verified: a PIN was sent to the card.
	Verified bool
	// RPID and User are of a discoverable credential that was asked for; User is
	// its user handle.
	RPID string
	User []byte
	At   time.Time
}

// Login is a login run with whose it is.
type Login struct {
	contract.Login
	Owner contract.Owner
	// Proof is what a run that is over has shown of its authenticator; nil where
	// that is nothing, and in what is read.
	Proof *contract.Proof
}
