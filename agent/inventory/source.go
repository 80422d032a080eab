package inventory

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

// Source is a place where observations come from.
type Source interface {
	Name() string
	// Run observes until ctx ends, and publishes all it sees each time
	// something changes. It recovers by itself from what its hardware or
	// service does; it returns only when ctx is done, or with an error it
	// cannot recover from. publish never blocks for long and never fails.
	Run(ctx context.Context, publish func(Observation)) error
}

// Rereader is a source that can read an authenticator anew when asked to.
type Rereader interface {
	// Reread asks for a fresh read of the authenticator or reader with that
	// id and returns at once; false if the source has none.
	Reread(id string) bool
}

// Asker is a source whose reads that were asked for can be waited for.
type Asker interface {
	// Has is whether the source has an authenticator or reader with that id. It
	// knows so no later than it publishes it.
	Has(id string) bool
	// Ask is [Rereader.Reread] for who waits: the read that began after this is
	// over once the source published that it answered at least wish.
	Ask(id string) (wish uint64, ok bool)
}

// Claimer is a source that can be kept from probing an authenticator.
type Claimer interface {
	// Claim keeps the source's own probes away from the authenticator with that
	// id, which need not be there, until it is released, and waits for one that
	// is under way. It fails with the context's error. Claims add up; release is
	// idempotent.
	Claim(ctx context.Context, id string) (release func(), err error)
}

// Observation is the whole state of one source, with what happened since its
// previous observation.
type Observation struct {
	Source  contract.Source
	Readers []contract.Reader
	Cards   []health.Card
	Keys    []health.Key
	Targets []health.Target
	// Workstation is nil but of the source that looks at it.
	Workstation *health.Workstation
	Apps        []health.App
	Users       []health.User
	Proofs      []contract.Proof
	// Events are in the order in which they happened, without ID. A card
	// swapped within one moment is two events, though the states are equal.
	Events []contract.Event
	// Answered is, of authenticators by id, the last wish for a read ([Asker])
	// of which this shows the outcome.
	Answered map[string]uint64
}
