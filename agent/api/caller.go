package api

import (
	"context"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/lease"
)

// User is a user of this machine, as the operating system says.
type User struct {
	// ID is the uid or SID; empty: not known.
	ID string
	// Elevated: it may act as the administrator that its user is (Windows).
	Elevated bool
}

func (u User) name() string { return "user " + u.ID }

// Caller is who asks: a token, a lease's own token, or an identity of the
// operating system.
type Caller struct {
	// Name is for people and the log: "token ci", "user 1000".
	Name   string
	Rights []contract.Right
	// TokenID is empty for an identity of the operating system and for a
	// lease's own token.
	TokenID string
	// User is whose rights bound those of the caller: the user who asks, or whose
	// the token is.
	User User
	// Lease is the id of the lease whose own token this is; else empty.
	Lease string
	// Expires is when a held request of this caller must end; zero: never. A
	// lease's own token ends with the lease, which may be renewed meanwhile.
	Expires time.Time

	// code is what somebody has who has nothing but a page's one-time code; page
	// is the open page that asks, with the identity of who opened it.
	code *pageCode
	page *pageSession

	// program says which program asks; nil: nothing tells.
	program func() string
}

// Has is whether the caller was given that right. No right implies another.
func (c Caller) Has(right contract.Right) bool { return slices.Contains(c.Rights, right) }

// may is whether the caller is let through to a row. Which lease it is that a
// lease's own token asks for is looked at where the lease is known; whose token
// it is that a user asks for, where the tokens are.
func (c Caller) may(row route) bool {
	return c.Has(row.right) || row.forUsers != "" && c.isUser() && c.Has(row.forUsers) || row.leaseToken && c.Lease != "" || row.pageCode && c.code != nil
}

// isUser is whether it is the operating system that says who asks.
func (c Caller) isUser() bool {
	return c.User.ID != "" && c.TokenID == "" && c.Lease == "" && c.page == nil && c.code == nil
}

// owner is the caller as what is somebody's knows it.
func (c Caller) owner() contract.Owner {
	return contract.Owner{TokenID: c.TokenID, Name: c.Name, UserID: c.User.ID, Lease: c.Lease}
}

// asks is the caller as leases and ceremonies know it.
func (c Caller) asks() lease.Caller {
	by := lease.Caller{Owner: c.owner(), Rights: c.Rights, Expires: c.Expires}
	if c.program != nil {
		by.Program = c.program()
	}
	return by
}

type callerKey struct{}

// callerOf is the caller of a request that the guard let through; without one
// it is a caller without rights.
func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
