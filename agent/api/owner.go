package api

import (
	"context"
	"strings"

	"authbridge/agent/contract"
)

// shownCeremony is a ceremony as the caller may see it: what it asks of a
// person, why it failed and what came out is the lease owner's alone; others
// see that the authenticator is in use. Of an owner that is not known, nobody
// is one.
func shownCeremony(ctx context.Context, c contract.Ceremony, owner contract.Owner, known bool) contract.Ceremony {
	if !known || !callerOf(ctx).owns(owner) {
		c.Prompt, c.Problem, c.Result = nil, nil, nil
	}
	return c
}

// shownLease is a lease as the caller may see it: whose card it must be is
// personal data.
func shownLease(ctx context.Context, l contract.Lease) contract.Lease {
	if !mayIdentify(ctx) {
		l.Requirement.User = maskUser(l.Requirement.User)
	}
	return l
}

func shownNewLease(ctx context.Context, l contract.NewLease) contract.NewLease {
	l.Lease = shownLease(ctx, l.Lease)
	return l
}

// maskUser leaves the last three of the 12 digits, as the inventory does.
func maskUser(user string) string {
	const shown = 3
	if len(user) <= shown {
		return user
	}
	return strings.Repeat("*", len(user)-shown) + user[len(user)-shown:]
}
