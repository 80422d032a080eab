package api

import (
	"context"

	"authbridge/agent/contract"
)

type checkRelyingPartyInput struct{ Body contract.RelyingPartyRequest }

type checkRelyingPartyOutput struct{ Body contract.RelyingParty }

// checkRelyingParty holds the call open: it ends with its token, and with the
// daemon.
func (s *Server) checkRelyingParty(ctx context.Context, in *checkRelyingPartyInput) (*checkRelyingPartyOutput, error) {
	held, release, err := s.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	done, err := s.config.RelyingParties.Check(held, in.Body)
	if err != nil {
		if cut := cutShort(held); cut != nil {
			return nil, cut
		}
		return nil, err
	}
	return &checkRelyingPartyOutput{Body: done}, nil
}
