package ceremony

import (
	"bytes"
	"context"
	"fmt"

	"authbridge/agent/contract"
	"authbridge/agent/store"
	"authbridge/fido"
)

// leaveKey deletes the discoverable credentials made in the lease and forgets
// the token. No PIN is sent for it (DESIGN rule 1: never in the background): if
// the token is none any more, it says what is left.
func (s *station) leaveKey(ctx context.Context) (remarks []string, err error) {
	defer func() {
		s.token.Forget()
		s.token = nil
	}()
	traces, err := s.c.store.Traces(ctx, s.grant.Lease)
	if err != nil || len(traces) == 0 {
		return nil, err
	}
	s.used = true
	deleted, err := s.deleteMade(ctx, traces)
	s.stays = err != nil
	if err != nil {
		s.c.config.Log.WithField("lease", s.grant.Lease).WithError(err).Warn("discoverable credentials stay in a key")
		return []string{fmt.Sprintf(
			"%s may still hold discoverable credentials made in the lease for %s: %s; delete them with the maker's tool",
			s.grant.Authenticator.Name, parties(traces), reason(err),
		)}, nil
	}
	if deleted > 0 {
		remarks = []string{fmt.Sprintf("discoverable credentials made in the lease, and deleted from %s: %d", s.grant.Authenticator.Name, deleted)}
	}
	return remarks, s.c.store.DeleteTraces(ctx, s.grant.Lease)
}

// deleteEarly deletes what was made in a physical key when the token for that is
// about to end: rule 8 lets nothing stay, and rule 1 no PIN be sent again. Who
// gives the PIN in time puts it off; who wants to keep credentials says so when
// the lease is taken. A virtual key is nobody's, and what stays in it is told
// when the lease ends.
func (s *station) deleteEarly() {
	if s.made == 0 || s.token == nil || s.grant.Authenticator.Origin != contract.Physical {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), leaving)
	defer cancel()
	remarks, err := s.leaveKey(ctx)
	if err != nil {
		s.c.config.Log.WithField("lease", s.grant.Lease).WithError(err).Warn("discoverable credentials stay in a key")
		return
	}
	if left, err := s.c.store.Traces(ctx, s.grant.Lease); err == nil && len(left) == 0 {
		s.made = 0
		for _, remark := range remarks {
			s.early = append(s.early, remark+", "+lasting.String()+" after the last PIN")
		}
	}
}

// keeps has the station keep a token.
func (s *station) keeps(token *fido.Token) {
	s.token.Forget()
	s.token = token
	s.timer.Reset(lasting)
}

// count learns what a lease that outlived a restart has left so far.
func (s *station) count(ctx context.Context) error {
	if s.counted {
		return nil
	}
	traces, err := s.c.store.Traces(ctx, s.grant.Lease)
	if err != nil {
		return err
	}
	s.made, s.counted = len(traces), true
	return nil
}

func (s *station) deleteMade(ctx context.Context, traces []store.Trace) (deleted int, err error) {
	if s.token == nil {
		return 0, errNoToken
	}
	key, err := s.c.config.Hardware.Key(ctx, s.grant.Authenticator.ID)
	if err != nil {
		return 0, keyFailure(err)
	}
	defer func() { _ = key.Close() }()
	for i, trace := range traces {
		if asked(traces[:i], trace) {
			continue
		}
		n, err := deleteOf(ctx, key, s.token, trace)
		deleted += n
		if err != nil {
			return deleted, keyFailure(err)
		}
	}
	return deleted, nil
}

func asked(before []store.Trace, trace store.Trace) bool {
	for _, b := range before {
		if b.RPID == trace.RPID && bytes.Equal(b.User, trace.User) {
			return true
		}
	}
	return false
}

func deleteOf(ctx context.Context, key fido.Session, token *fido.Token, trace store.Trace) (deleted int, err error) {
	stored, err := key.Stored(ctx, token, trace.RPID)
	if err != nil {
		return 0, err
	}
	for _, c := range stored {
		if !bytes.Equal(c.User.ID, trace.User) {
			continue
		}
		if err := key.Delete(ctx, token, c.ID); err != nil {
			return deleted, err
		}
		deleted++
	}
	return deleted, nil
}
