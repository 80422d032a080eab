package api

import (
	"context"

	"authbridge/agent/contract"
)

// Workstation hears what users' sessions say; package workstation has it. Its
// errors are failure.Error.
type Workstation interface {
	// TellHello takes somebody's word, for a while.
	TellHello(who string, report contract.HelloReport) error
}

type tellHelloInput struct{ Body contract.HelloReport }

func (s *Server) tellHello(ctx context.Context, in *tellHelloInput) (*struct{}, error) {
	return nil, s.config.Workstation.TellHello(callerOf(ctx).Name, in.Body)
}
