package api

import (
	"context"
	"net/http"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// maxCeremonyWait is how long a look at a ceremony may be held.
const maxCeremonyWait = 2 * time.Minute

// CeremonyID is exported because huma sees into no other embedded struct.
type CeremonyID struct {
	ID string `path:"id" maxLength:"64" doc:"of the ceremony"`
}

type ceremoniesOutput struct{ Body []contract.Ceremony }

type ceremonyOutput struct{ Body contract.Ceremony }

func (s *Server) listCeremonies(ctx context.Context, _ *struct{}) (*ceremoniesOutput, error) {
	list := orEmpty(s.config.Ceremonies.Ceremonies())
	for i, c := range list {
		_, owner, ok := s.config.Ceremonies.Ceremony(c.ID)
		list[i] = s.shownCeremony(ctx, c, owner, ok)
	}
	return &ceremoniesOutput{Body: list}, nil
}

type getCeremonyInput struct {
	CeremonyID
	Wait string `query:"wait" maxLength:"16" doc:"hold the call until the ceremony is over or this time is up: a Go duration such as 30s, at most 2m"`
}

func (s *Server) getCeremony(ctx context.Context, in *getCeremonyInput) (*ceremonyOutput, error) {
	wait, err := parseWait(in.Wait, maxCeremonyWait)
	if err != nil {
		return nil, err
	}
	c, owner, err := s.ceremony(in.ID)
	if err != nil {
		return nil, err
	}
	if wait > 0 && !c.State.Over() {
		if err := holdFor(ctx, s, s.config.Ceremonies, in.ID, wait); err != nil {
			return nil, err
		}
		if c, owner, err = s.ceremony(in.ID); err != nil {
			return nil, err
		}
	}
	return &ceremonyOutput{Body: s.shownCeremony(ctx, c, owner, true)}, nil
}

type beginCeremonyInput struct{ Body contract.CeremonyRequest }

type beginCeremonyOutput struct {
	Status int
	Body   contract.Ceremony
}

// beginCeremony begins one, and stays with it if the caller does.
func (s *Server) beginCeremony(ctx context.Context, in *beginCeremonyInput) (*beginCeremonyOutput, error) {
	caller, request := callerOf(ctx), in.Body
	pin := takePIN(ctx)
	if request.PIN != nil {
		request.PIN.Value = pin
	}
	begun := false
	defer func() {
		if !begun {
			clear(pin)
		}
	}()
	if request.Fence == 0 {
		request.Fence = contract.FenceIn(request.Lease)
	}
	if err := s.config.Leases.Check(caller.asks(), request.Lease, request.Fence); err != nil {
		return nil, err
	}
	held, release := ctx, func() {}
	if request.Wait {
		var err error
		if held, release, err = s.hold(ctx); err != nil {
			return nil, err
		}
	}
	defer release()
	c, err := s.config.Ceremonies.Begin(ctx, caller.asks(), request)
	if err != nil {
		return nil, err
	}
	begun = true // the PIN is theirs, and so is its wipe
	if !request.Wait {
		return &beginCeremonyOutput{Status: http.StatusAccepted, Body: s.ownCeremony(ctx, c)}, nil
	}
	over, err := stayWith(ctx, held, s, s.config.Ceremonies, c.ID)
	if err != nil {
		return nil, err
	}
	return &beginCeremonyOutput{Status: http.StatusOK, Body: s.ownCeremony(ctx, over)}, nil
}

type orderCeremonyInput struct {
	CeremonyID
	Body *struct{}
}

func (s *Server) cancelCeremony(ctx context.Context, in *orderCeremonyInput) (*ceremonyOutput, error) {
	if err := s.checkOwner(ctx, in.ID); err != nil {
		return nil, err
	}
	c, err := s.config.Ceremonies.Cancel(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &ceremonyOutput{Body: s.ownCeremony(ctx, c)}, nil
}

type answerPINInput struct {
	CeremonyID
	Body contract.PINAnswer
}

func (s *Server) answerPIN(ctx context.Context, in *answerPINInput) (*struct{}, error) {
	pin := takePIN(ctx)
	defer clear(pin)
	if err := s.checkOwner(ctx, in.ID); err != nil {
		return nil, err
	}
	if c, _, err := s.ceremony(in.ID); err != nil {
		return nil, err
	} else if err := s.config.Leases.Check(callerOf(ctx).asks(), c.Lease, contract.FenceIn(c.Lease)); err != nil {
		return nil, err // an open page is its owner, but may not use all that is the owner's
	}
	return nil, s.config.Ceremonies.Answer(ctx, callerOf(ctx).asks(), in.ID, pin)
}

func (s *Server) ceremony(id string) (contract.Ceremony, contract.Owner, error) {
	c, owner, ok := s.config.Ceremonies.Ceremony(id)
	if !ok {
		return c, owner, refuse(failure.CeremonyUnknown, "path.id", "GET /v1/ceremonies lists those there are")
	}
	return c, owner, nil
}

// checkOwner refuses who has not got the lease of a ceremony.
func (s *Server) checkOwner(ctx context.Context, id string) error {
	c, owner, err := s.ceremony(id)
	if err != nil {
		return err
	}
	if !callerOf(ctx).owner().Owns(owner) {
		return refuse(failure.LeaseNotYours, "path.id", "the ceremony is under lease "+c.Lease)
	}
	return nil
}
