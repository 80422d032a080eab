package api

import (
	"context"
	"slices"
	"time"

	"authbridge/agent/contract"
)

// Caller is who asks: a token, or an identity of the operating system.
type Caller struct {
	// Name is for people and the log: "token ci", "user 1000".
	Name   string
	Rights []contract.Right
	// TokenID is empty for an identity of the operating system.
	TokenID string
	// Expires is when a held request of this caller must end; zero: never.
	Expires time.Time
}

// Has is whether the caller was given that right. No right implies another.
func (c Caller) Has(right contract.Right) bool { return slices.Contains(c.Rights, right) }

type callerKey struct{}

// callerOf is the caller of a request that the guard let through; without one
// it is a caller without rights.
func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
