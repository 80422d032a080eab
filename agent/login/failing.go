package login

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// faults are those of the scenario's authenticator from now on.
func (o *run) faults(ctx context.Context, faults ...contract.Fault) error {
	_, err := o.r.config.Virtual.SetFaults(ctx, o.asked.Kind, deviceOf(o.asked.Scenario), faults)
	return err
}

// expiredCertificate signs in with a card whose certificate has expired: the
// signature is good, and the mock must not take it.
func (o *run) expiredCertificate(ctx context.Context) error {
	user, err := o.user()
	if err != nil {
		return err
	}
	return o.bringRefused(ctx, user, "expired_certificate")
}

// pinBlocked signs in with a card that has no PIN tries left: the bridge must
// not send the PIN.
func (o *run) pinBlocked(ctx context.Context) error {
	p, r, err := o.atPage(ctx)
	if err != nil {
		return err
	}
	if err := o.faults(ctx, contract.Fault{Name: faultRetired}, contract.Fault{Name: faultBlocked}); err != nil {
		return err
	}
	before := o.triesSpent()
	codes := []string{string(failure.PINTooFewTries), string(failure.PINRetries)}
	return o.refuses(ctx, contract.RefusedByBridge, "pin", codes, func(ctx context.Context, s *contract.LoginStep) (refused, error) {
		_, err := o.signWithCard(ctx, s, p, r, shortCeremony)
		if spent := o.triesSpent(); spent != before {
			return refused{why: "a PIN was sent"}, nil
		}
		return refusalOf(err, "the card was used")
	})
}

func (o *run) triesSpent() uint64 {
	for _, v := range o.r.config.Virtual.List() {
		if v.Name == deviceOf(o.asked.Scenario) && v.Kind == o.asked.Kind {
			return v.PINTries
		}
	}
	return 0
}

// refusalOf is the code that a ceremony failed with. What has not to do with
// the authenticator is an error.
func refusalOf(err error, otherwise string) (refused, error) {
	if err == nil {
		return refused{why: otherwise}, nil
	}
	e := asFailure(err)
	switch e.Code {
	case failure.LoginNoAnswer, failure.LoginAnswer, failure.Internal:
		return refused{}, err
	}
	return refused{string(e.Code), e.Detail}, nil
}

// cardPulled signs in with a card that is pulled in the middle of its signature:
// it has got the command, and nobody gets the answer. The bridge must come to no
// proof, and say that the card has gone.
func (o *run) cardPulled(ctx context.Context) error {
	p, r, err := o.atPage(ctx)
	if err != nil {
		return err
	}
	if err := o.faults(ctx, contract.Fault{Name: faultRetired}, contract.Fault{Name: faultPulled}); err != nil {
		return err
	}
	return o.refuses(ctx, contract.RefusedByBridge, "ceremony", []string{string(failure.CardGone)}, func(ctx context.Context, s *contract.LoginStep) (refused, error) {
		_, err := o.signWithCard(ctx, s, p, r, longestTime)
		s.Evidence = join(s.Evidence, "the card is one that is pulled during GENERAL AUTHENTICATE")
		return refusalOf(err, "a proof was made although the card was pulled")
	})
}

// touchTimeout registers a key that nobody touches: the bridge must come to no
// credential.
func (o *run) touchTimeout(ctx context.Context) error {
	if err := o.faults(ctx); err != nil {
		return err
	}
	user, err := o.user()
	if err != nil {
		return err
	}
	var asks *page
	err = o.step(ctx, "registration", "a page that asks for the key", func(ctx context.Context, s *contract.LoginStep) (err error) {
		asks, err = o.askRegistration(ctx, user)
		s.Got = "it asks for the key"
		return err
	})
	if err != nil {
		return err
	}
	return o.refuses(ctx, contract.RefusedByBridge, "ceremony", []string{string(failure.TouchTimeout)}, func(ctx context.Context, s *contract.LoginStep) (refused, error) {
		_, err := o.perform(ctx, s, contract.CeremonyRequest{
			Type: contract.CeremonyCreate, Origin: o.provider.origin, Options: asks.Options, Timeout: left(ctx, shortCeremony),
		})
		return refusalOf(err, "a credential was made although nobody touched the key")
	})
}
