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

// Observation is the whole state of one source, with what happened since its
// previous observation.
type Observation struct {
	Source  contract.Source
	Readers []contract.Reader
	Cards   []health.Card
	Keys    []health.Key
	// Events are in the order in which they happened, without ID. A card
	// swapped within one moment is two events, though the states are equal.
	Events []contract.Event
}
