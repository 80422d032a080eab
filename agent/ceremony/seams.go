package ceremony

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/agent/store"
	"authbridge/fido"
	"authbridge/pcsc"
)

// Hardware opens the authenticators that the inventory knows, by their ids.
type Hardware interface {
	// Snapshot is the newest; Changed is closed at the next.
	Snapshot() *contract.Snapshot
	Changed() <-chan struct{}
	// Certificates are those of a card, with their DER.
	Certificates(id string, identity bool) ([]contract.Certificate, bool)
	// Claim keeps the daemon's own probes away from an authenticator until it
	// is released; it waits for one that is under way. One that is not there
	// can be claimed too: it is read once when it comes back, as ever.
	Claim(ctx context.Context, id string) (release func(), err error)
	// Card connects to the card with that id, Key opens the key. Neither waits
	// for one that is not there: that is a failure.Error with the code CardGone
	// or KeyGone. The caller closes what it gets.
	Card(ctx context.Context, id string) (*pcsc.Conn, error)
	Key(ctx context.Context, id string) (*fido.Key, error)
	// Reread asks for a fresh read, by which others learn of the tries left.
	Reread(id string) error
}

// Store keeps what must outlive kill -9. A write that returned nil outlives a
// power cut too.
type Store interface {
	// PutBlock writes a block before the PIN is sent, so that none is sent
	// twice by a daemon that was killed in between; DeleteBlocks clears all of
	// an authenticator once a right PIN was seen or a person asks.
	PutBlock(ctx context.Context, block contract.PINBlock) error
	DeleteBlock(ctx context.Context, authenticator, source string) error
	DeleteBlocks(ctx context.Context, authenticator string) error
	Blocks(ctx context.Context) ([]contract.PINBlock, error)
	// PutTrace writes what a lease is about to leave in an authenticator, so
	// that its end can undo it after a restart too.
	PutTrace(ctx context.Context, trace store.Trace) error
	DeleteTraces(ctx context.Context, lease string) error
	Traces(ctx context.Context, lease string) ([]store.Trace, error)
	// PutCeremony writes the state of a ceremony without problem, prompt and
	// result; Ceremonies reads those that are not over.
	PutCeremony(ctx context.Context, ceremony contract.Ceremony) error
	Ceremonies(ctx context.Context) ([]contract.Ceremony, error)
}

// Source is where a PIN comes from, as rule 1 tells sources apart. It is kept
// and shown: it names no secret.
type Source string

// Person is the source of what a person entered: it is never blocked as a
// whole, because a person sees what is refused and why.
const Person Source = "person"
