package api

import (
	"context"

	"authbridge/agent/contract"
)

// shownCeremony is a ceremony as the caller may see it: what it asks of a
// person, why it failed and what came out is the lease owner's alone; others
// see that the authenticator is in use. Of an owner that is not known, nobody
// is one.
func (s *Server) shownCeremony(ctx context.Context, c contract.Ceremony, owner contract.Owner, known bool) contract.Ceremony {
	if !known || !callerOf(ctx).owner().Owns(owner) {
		c.Prompt, c.Problem, c.Result = nil, nil, nil
	}
	if !mayIdentify(ctx) {
		c = maskCeremony(c, scrubber(s.config.Inventory.View()))
	}
	return c
}

// ownCeremony is a ceremony as its owner, who calls, may see it.
func (s *Server) ownCeremony(ctx context.Context, c contract.Ceremony) contract.Ceremony {
	return s.shownCeremony(ctx, c, callerOf(ctx).asks().Owner, true)
}

// shownLeases are leases as the caller may see them: whose card they must be
// is personal data.
func (s *Server) shownLeases(ctx context.Context, list []contract.Lease) []contract.Lease {
	list = orEmpty(list)
	if mayIdentify(ctx) {
		return list
	}
	r := scrubber(s.config.Inventory.View())
	shown := make([]contract.Lease, len(list))
	for i, l := range list {
		shown[i] = maskLease(l, r)
	}
	return shown
}

func (s *Server) shownLease(ctx context.Context, l contract.Lease) contract.Lease {
	return s.shownLeases(ctx, []contract.Lease{l})[0]
}

// shownNewLease says besides where the lease's own token is taken.
func (s *Server) shownNewLease(ctx context.Context, l contract.NewLease) contract.NewLease {
	l.Lease = s.shownLease(ctx, l.Lease)
	if url := s.url.Load(); url != nil {
		l.URL = *url
	}
	return l
}
