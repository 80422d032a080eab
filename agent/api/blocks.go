package api

import (
	"context"

	"authbridge/agent/contract"
)

type blocksOutput struct{ Body []contract.PINBlock }

// listBlocks knows authenticators that are not there now: a block outlives
// them.
func (s *Server) listBlocks(_ context.Context, in *AuthenticatorID) (*blocksOutput, error) {
	list := []contract.PINBlock{}
	for _, b := range s.config.Ceremonies.Blocks() {
		if b.Authenticator == in.ID {
			list = append(list, b)
		}
	}
	return &blocksOutput{Body: list}, nil
}

type clearBlocksInput struct {
	AuthenticatorID
	Body *struct{}
}

func (s *Server) clearBlocks(ctx context.Context, in *clearBlocksInput) (*struct{}, error) {
	return nil, s.config.Ceremonies.Unblock(ctx, in.ID)
}
