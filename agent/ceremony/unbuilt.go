package ceremony

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/agent/store"
)

// The card side comes with its own files, which take the place of this one.

func (c *Conductor) sign(context.Context, *work) (*contract.CeremonyResult, error) {
	return nil, &failure.Error{Code: failure.CeremonyKind, Detail: "not built yet"}
}

func (c *Conductor) leaveCard(context.Context, lease.Grant, []store.Trace) ([]string, error) {
	return nil, nil
}
