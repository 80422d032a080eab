package login

import (
	"context"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// perform has a ceremony done under the run's lease. One that did not come to
// be is an error with the ceremony's own code.
func (o *run) perform(ctx context.Context, s *contract.LoginStep, request contract.CeremonyRequest) (*contract.CeremonyResult, error) {
	request.Lease, request.Fence = o.held.id, o.held.fence
	if request.PIN == nil {
		request.PIN = o.pin()
	}
	o.ledger.settle() // who is asked for something can know by whom
	begun, err := o.r.config.Ceremonies.Begin(ctx, o.by, request)
	if err != nil {
		return nil, err
	}
	s.Evidence = begun.ID + " by " + begun.Name + " (" + string(begun.Origin) + ")"
	over, err := o.r.config.Ceremonies.Await(ctx, begun.ID)
	if err != nil {
		return nil, err // the run ends, and with its lease the ceremony
	}
	s.Got = string(request.Type) + " is " + string(over.State)
	if over.State != contract.CeremonyDone || over.Result == nil {
		e := &failure.Error{Code: failure.Internal}
		if over.Problem != nil {
			e = &failure.Error{Code: failure.Code(over.Problem.Code), Detail: over.Problem.Detail}
		}
		return nil, e
	}
	o.used = o.used || request.Type != contract.CeremonyCreate
	s.Evidence = join(append([]string{s.Evidence}, over.Result.Remarks...)...)
	return over.Result, nil
}

// pin is the PIN for one ceremony, which wipes it. That of a virtual
// authenticator is known, and a source of its own: once it was right, it stays of
// use where another of the caller's is refused.
func (o *run) pin() *contract.PINSource {
	if given := o.asked.PIN; given != nil {
		one := *given
		one.Value = slices.Clone(given.Value)
		return &one
	}
	if o.held.authenticator.Origin == contract.Virtual && o.r.config.VirtualPIN != "" {
		return &contract.PINSource{Value: []byte(o.r.config.VirtualPIN), Secret: "virtual PIN"}
	}
	return nil
}

// ceremonyTime is the least that a ceremony is asked for.
const ceremonyTime = time.Second

// left is a ceremony's timeout: what is left of the run's, or less.
func left(ctx context.Context, most time.Duration) string {
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	return max(most, ceremonyTime).Round(time.Millisecond).String()
}
