package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

const (
	defaultTTL = 90 * 24 * time.Hour
	minTTL     = time.Second
	maxTTL     = 366 * 24 * time.Hour
	// maxTokens bounds those of a user without admin, who may be anybody.
	maxTokens = 64
)

type tokensOutput struct{ Body []contract.Token }

func (s *Server) listTokens(ctx context.Context, _ *struct{}) (*tokensOutput, error) {
	return &tokensOutput{Body: orEmpty(s.tokensFor(callerOf(ctx)))}, nil
}

// tokensFor are the tokens that are a caller's business: without admin, those of
// the user alone.
func (s *Server) tokensFor(c Caller) []contract.Token {
	return slices.DeleteFunc(s.config.Tokens.Tokens(), func(t contract.Token) bool {
		return !c.Has(contract.RightAdmin) && t.User != c.User.ID
	})
}

type createTokenInput struct{ Body contract.TokenRequest }

type createTokenOutput struct{ Body contract.NewToken }

// createToken hands out no right that its caller has not got, and the token is its
// caller's user's, whose rights bound it for good; there is no word
// for "all rights", so each is asked for by its name.
func (s *Server) createToken(ctx context.Context, in *createTokenInput) (*createTokenOutput, error) {
	caller := callerOf(ctx)
	rights := []contract.Right{}
	for _, right := range contract.Rights { // their order, each once
		if !slices.Contains(in.Body.Rights, right) {
			continue
		}
		if !caller.Has(right) {
			return nil, refuse(failure.Forbidden, "body.rights", fmt.Sprintf("%s has no right %s to hand on; it has %s", caller.Name, right, rightsText(caller.Rights)))
		}
		rights = append(rights, right)
	}
	ttl, err := parseTTL(in.Body.TTL)
	if err != nil {
		return nil, err
	}
	if !caller.Has(contract.RightAdmin) && len(s.tokensFor(caller)) >= maxTokens {
		return nil, refuse(failure.Conflict, "", fmt.Sprintf("%s has %d tokens, which is as many as there may be; revoke one first", caller.Name, maxTokens))
	}
	token, err := s.config.Tokens.CreateToken(ctx, caller.User.ID, in.Body.Name, rights, ttl)
	switch {
	case errors.Is(err, store.ErrExists):
		return nil, refuse(failure.Conflict, "body.name", "there is a token of that name; revoke it first, or choose another")
	case err != nil:
		return nil, err
	}
	return &createTokenOutput{Body: token}, nil
}

func parseTTL(text string) (time.Duration, error) {
	if text == "" {
		return defaultTTL, nil
	}
	ttl, err := time.ParseDuration(text)
	if err != nil || ttl < minTTL || ttl > maxTTL {
		return 0, refuse(failure.BadRequest, "body.ttl", fmt.Sprintf("allowed: a duration such as 720h, from %s to %s", minTTL, maxTTL))
	}
	return ttl, nil
}

type revokeTokenInput struct {
	ID   string `path:"id" maxLength:"64" doc:"id or name of the token"`
	Body *struct{}
}

// revokeToken ends a token at once, with the leases it took and the streams and
// waits it holds open.
func (s *Server) revokeToken(ctx context.Context, in *revokeTokenInput) (*struct{}, error) {
	var ids []string
	caller := callerOf(ctx)
	for _, t := range s.tokensFor(caller) {
		if t.ID == in.ID || t.Name == in.ID {
			ids = append(ids, t.ID)
		}
	}
	if len(ids) == 0 && !caller.Has(contract.RightAdmin) {
		return nil, noSuchToken()
	}
	err := s.config.Tokens.RevokeToken(ctx, in.ID)
	for _, id := range ids {
		s.config.Leases.Revoked(id)
		s.pages.revoke(id)
		s.holds.revoke(id)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchToken()
	}
	return nil, err
}

func noSuchToken() error {
	return refuse(failure.NotFound, "path.id", "there is no such token; GET /v1/tokens lists them")
}
