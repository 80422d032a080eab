package ceremony

import (
	"errors"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// perform carries out one ceremony, to one of its ends; nil is one that did not
// come to be.
func (s *station) perform(a *act) {
	if a == nil {
		s.free(nil)
		return
	}
	defer a.cancel(nil)
	w := &work{
		request: a.request, grant: s.grant, by: a.by, live: s.live(),
		step: a.step, pin: a.pin, asks: a.asks,
	}
	result, err := s.carryOut(a, w)
	why := a.why()
	switch {
	case why != nil && err != nil:
		a.finish(nil, late(why, err))
	case why != nil && a.request.Type != contract.CeremonyCreate: // which has looked itself
		a.finish(nil, late(why, &lateError{"it was signed all the same, and thrown away"}))
	case err != nil:
		a.finish(nil, codeOr(err, failure.Internal, ""))
	default:
		a.finish(result, nil)
	}
}

func (s *station) carryOut(a *act, w *work) (*contract.CeremonyResult, error) {
	if err := a.ctx.Err(); err != nil {
		return nil, err
	}
	s.used = true
	w.step(contract.CeremonyRunning, nil)
	switch a.request.Type {
	case contract.CeremonyCreate:
		return s.create(a, w)
	case contract.CeremonyGet:
		return s.assert(a, w)
	default:
		return s.c.sign(a.ctx, w)
	}
}

// lateError is what an authenticator did although the ceremony had ended, and
// what became of that.
type lateError struct{ text string }

func (e *lateError) Error() string { return e.text }

// late adds to why a ceremony ended what became of it all the same.
func late(why *failure.Error, err error) *failure.Error {
	why.Err = err
	text := ""
	var done *lateError
	var e *failure.Error
	switch {
	case errors.As(err, &done):
		text = done.text
	case errors.As(err, &e) && e.Code != why.Code:
		entry, _ := failure.Lookup(e.Code)
		text = entry.Title
		if e.Detail != "" {
			text += ": " + e.Detail
		}
	}
	if why.Detail != "" && text != "" {
		why.Detail += "; "
	}
	why.Detail += text
	return why
}

// live is whether the card's certificates are of a live issuer, by the newest
// that is known of it.
func (s *station) live() bool {
	for _, a := range s.c.config.Hardware.Snapshot().Authenticators {
		if a.ID == s.grant.Authenticator.ID && a.Environment == "live" {
			return true
		}
	}
	return s.grant.Authenticator.Environment == "live"
}
