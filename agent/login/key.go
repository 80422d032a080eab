package login

import (
	"context"
	"encoding/json"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// byKey signs in with the leased security key. The page comes as choosing has
// left it: where the key is not registered for the user, that is done first,
// and once.
func (o *run) byKey(ctx context.Context, p *page, user string) (*page, error) {
	enrolled := false
	for {
		if p.Stage == stageChoose {
			if enrolled {
				return nil, o.refusedBy(ctx, p)
			}
			if err := o.enrol(ctx, user, p); err != nil {
				return nil, err
			}
			enrolled = true
			var err error
			if p, err = o.choose(ctx, "choose-again", p, user, contract.SecurityKey); err != nil {
				return nil, err
			}
			continue
		}
		next, unknown, err := o.assert(ctx, p, !enrolled)
		switch {
		case err != nil:
			return nil, err
		case !unknown:
			return next, nil
		}
		// The user has other keys. Back to where the page begins.
		if p, err = o.reply(ctx, p, "do", "back"); err != nil {
			return nil, err
		}
	}
}

// refusedBy records that the page does not let the user go on.
func (o *run) refusedBy(ctx context.Context, p *page) error {
	return o.step(ctx, "choose-again", "the page goes on", func(context.Context, *contract.LoginStep) error {
		return &failure.Error{Code: failure.LoginRefused, Detail: printable(p.Problem)}
	})
}

// assert answers the page's WebAuthn options by the key. unknown: the key has
// none of the credentials that are asked for, which is no failure where it may
// be registered.
func (o *run) assert(ctx context.Context, p *page, mayEnrol bool) (next *page, unknown bool, err error) {
	var response json.RawMessage
	err = o.step(ctx, "ceremony", "an assertion of the key, its user verified", func(ctx context.Context, s *contract.LoginStep) error {
		result, err := o.perform(ctx, s, contract.CeremonyRequest{
			Type: contract.CeremonyGet, Origin: o.provider.origin, Options: p.Options, Timeout: left(ctx, longestTime),
		})
		if failure.CodeOf(err) == failure.WebAuthnNone && mayEnrol {
			unknown = true
			s.State, s.Got = contract.StepSkipped, "the key is not registered for this user"
			return nil
		}
		if err == nil {
			response = result.Credential
		}
		return err
	})
	if err != nil || unknown {
		return nil, unknown, err
	}
	err = o.step(ctx, stepProof, "accepted", func(ctx context.Context, s *contract.LoginStep) (err error) {
		if next, err = o.reply(ctx, p, "do", "webauthn", "response", string(response)); err != nil {
			return err
		}
		if next.Stage == stageChoose || next.Stage == stageWebAuthn {
			return &failure.Error{Code: failure.LoginRefused, Detail: printable(next.Problem)}
		}
		s.Got = "accepted"
		return nil
	})
	return next, false, err
}

// enrol registers the key for the user, on the page for that.
func (o *run) enrol(ctx context.Context, user string, p *page) error {
	return o.step(ctx, "enrolment", "the key registered for the user", func(ctx context.Context, s *contract.LoginStep) error {
		asks, err := o.askRegistration(ctx, user)
		if err != nil {
			s.Evidence = printable(p.Problem)
			return err
		}
		result, err := o.perform(ctx, s, contract.CeremonyRequest{
			Type: contract.CeremonyCreate, Origin: o.provider.origin, Options: asks.Options, Timeout: left(ctx, longestTime),
		})
		if err != nil {
			return err
		}
		done, err := o.reply(ctx, asks, "response", string(result.Credential))
		if err != nil {
			return err
		}
		if done.Done == "" {
			return &failure.Error{Code: failure.LoginRefused, Detail: printable(done.Problem)}
		}
		s.Got = "registered"
		return nil
	})
}

// askRegistration brings the page for registrations to where it asks for the
// key.
func (o *run) askRegistration(ctx context.Context, user string) (*page, error) {
	address, err := o.resolve("/register")
	if err != nil {
		return nil, err
	}
	a, err := o.web.get(ctx, "registration page", address)
	if err != nil {
		return nil, err
	}
	form, _, err := o.shown(a)
	if err != nil {
		return nil, err
	}
	if form == nil {
		return nil, a.bad("it sends elsewhere")
	}
	asks, err := o.reply(ctx, form, "user", user, "authenticator", string(contract.SecurityKey))
	if err == nil && len(asks.Options) == 0 {
		err = &failure.Error{Code: failure.LoginRefused, Detail: printable(asks.Problem)}
	}
	return asks, err
}
