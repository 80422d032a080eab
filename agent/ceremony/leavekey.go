package ceremony

import (
	"bytes"
	"context"
	"fmt"

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
