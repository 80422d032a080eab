package api

import (
	"context"
	"slices"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// bounded is a caller with those of its rights that its user has now; false: none
// of them is left.
func (s *Server) bounded(c Caller) (Caller, bool) {
	allowed := s.config.Users.Rights(c.User)
	gone := func(r contract.Right) bool { return !slices.Contains(allowed, r) }
	if !slices.ContainsFunc(c.Rights, gone) {
		return c, true
	}
	c.Rights = slices.DeleteFunc(slices.Clone(c.Rights), gone)
	return c, len(c.Rights) > 0
}

// lost is whether the user of a caller has meanwhile lost a right that the caller
// was let in with. The right physical comes and goes with the seat: a call that
// uses a physical authenticator ends with its lease, and others do not need it. A
// lease's own token ends with its lease, too.
func (s *Server) lost(c Caller) bool {
	if c.Lease != "" {
		return false
	}
	allowed := s.config.Users.Rights(c.User)
	return slices.ContainsFunc(c.Rights, func(r contract.Right) bool {
		return r != contract.RightPhysical && !slices.Contains(allowed, r)
	})
}

func rightsLost(c Caller) *failure.Error {
	return refuse(failure.Forbidden, "", c.Name+" has lost rights meanwhile; who has some left may ask again")
}

// watchRights ends the held calls of whoever loses rights.
func (s *Server) watchRights(ctx context.Context) {
	for {
		changed := s.config.Users.Changed() // before it is looked at, to miss none
		s.holds.cut(s.lost)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}
