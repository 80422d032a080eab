package login

import (
	"context"
	"slices"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// partyRefuses signs in while the mock makes one thing wrong, and has the
// relying party refuse for that and nothing else.
func (o *run) partyRefuses(ctx context.Context, what, fault string, code failure.Code, then func(context.Context, Tokens, Expectation) error) error {
	r := o.newRequest(promptLogin)
	if err := o.r.config.Mock.Fault(o.asked.target.ClientID, r.state, fault); err != nil {
		return err
	}
	defer func() { _ = o.r.config.Mock.Fault(o.asked.target.ClientID, r.state) }() // none any more
	back, err := o.signIn(ctx, r)
	if err != nil {
		return err
	}
	want := o.expect(r)
	t, err := o.redeem(ctx, back, r)
	if err != nil {
		return err
	}
	defer t.wipe()
	err = o.refuses(ctx, contract.RefusedByRelyingParty, what, []string{string(code)}, func(ctx context.Context, _ *contract.LoginStep) (refused, error) {
		return verdictOf(o.assess(ctx, t, want), func(s *contract.LoginStep) bool { return s.Code == string(code) }), nil
	})
	if err != nil || then == nil {
		return err
	}
	return then(ctx, t, want)
}

// verdictOf is what a relying party refuses with: what is right before what is
// not.
func verdictOf(steps []contract.LoginStep, right func(*contract.LoginStep) bool) refused {
	var r refused
	for i := range steps {
		s := &steps[i]
		if s.State != contract.StepFail {
			continue
		}
		is := refused{s.Code, s.Name + ": " + s.Evidence}
		if right(s) {
			return is
		}
		if r.code == "" {
			r = is
		}
	}
	return r
}

// aal2ForAAL3 has a user of AAL2 ask for AAL3, which the mock must not let go
// on, and then a token of AAL2 come for a request of AAL3.
func (o *run) aal2ForAAL3(ctx context.Context) error {
	r := o.newRequest(promptLogin)
	p, err := o.begin(ctx, r)
	if err != nil {
		return err
	}
	users := cis2.MockUsers()
	weak := users[slices.IndexFunc(users, func(u cis2.User) bool { return u.AAL == 2 })].UUID
	err = o.refuses(ctx, contract.RefusedByMock, "user", []string{stageChoose}, func(ctx context.Context, s *contract.LoginStep) (refused, error) {
		s.Expected = "user " + contract.MaskUser(weak) + ", of AAL2, does not get on"
		next, err := o.reply(ctx, p, "do", "choose", "user", weak, "authenticator", string(o.held.authenticator.Kind))
		if err != nil {
			return refused{}, err
		}
		if next.Stage != stageChoose || next.Problem == "" {
			return refused{why: "the page goes on to " + printable(next.Stage)}, nil
		}
		return refused{next.Stage, next.Problem}, nil
	})
	if err != nil {
		return err
	}
	return o.partyRefuses(ctx, "level", "level-low", failure.TokAAL, nil)
}

// wrongUser has a card sign in another than its own user, and then a token of
// another user come.
func (o *run) wrongUser(ctx context.Context) error {
	own, err := o.user()
	if err != nil {
		return err
	}
	users := cis2.MockUsers()
	other := users[slices.IndexFunc(users, func(u cis2.User) bool { return u.AAL == 3 && u.UUID != own })].UUID
	if err := o.bringRefused(ctx, other, "wrong_user"); err != nil {
		return err
	}
	return o.partyRefuses(ctx, "subject", "wrong-sub", failure.TokSub, nil)
}

// bringRefused has the leased card sign in a user, which the mock must refuse.
func (o *run) bringRefused(ctx context.Context, user, code string) error {
	r := o.newRequest(promptLogin)
	p, err := o.begin(ctx, r)
	if err != nil {
		return err
	}
	if p, err = o.choose(ctx, "choose", p, user, contract.Smartcard); err != nil {
		return err
	}
	var signed *proof
	err = o.step(ctx, "ceremony", "a signature of the card over the challenge", func(ctx context.Context, s *contract.LoginStep) (err error) {
		signed, err = o.signWithCard(ctx, s, p, r, longestTime)
		return err
	})
	if err != nil {
		return err
	}
	err = o.refuses(ctx, contract.RefusedByMock, "proof", []string{code}, func(ctx context.Context, _ *contract.LoginStep) (refused, error) {
		no, err := o.bring(ctx, signed)
		switch {
		case err != nil:
			return refused{}, err
		case no == nil:
			return refused{why: "the proof was accepted"}, nil
		}
		return refused{no.Code, no.Description}, nil
	})
	if err != nil {
		return err
	}
	return o.step(ctx, "no-code", "no way back to the application", func(ctx context.Context, s *contract.LoginStep) error {
		next, err := o.look(ctx, p)
		if err != nil {
			return err
		}
		s.Got = "the page stands at " + printable(next.Stage)
		if next.Stage == stageDone || next.Stage == stageRole {
			return &failure.Error{Code: failure.LoginNotRefused}
		}
		return nil
	})
}

// staleAuthTime has a token come that says that the user signed in an hour ago.
func (o *run) staleAuthTime(ctx context.Context) error {
	return o.partyRefuses(ctx, "auth-time", "stale-auth-time", failure.TokFresh, nil)
}

// tamperedToken has a token come that is for another client, then ones that
// were changed on the way.
func (o *run) tamperedToken(ctx context.Context) error {
	return o.partyRefuses(ctx, "audience", "wrong-aud", failure.TokAUD, func(ctx context.Context, t Tokens, want Expectation) error {
		for _, v := range tamperings {
			changed, err := v.change(t.IDToken, o.provider.keys)
			if err != nil {
				return err
			}
			spoilt := Tokens{IDToken: changed, AccessToken: t.AccessToken, Userinfo: t.Userinfo}
			err = o.refuses(ctx, contract.RefusedByRelyingParty, v.name, []string{string(failure.TokSIG)}, func(ctx context.Context, _ *contract.LoginStep) (refused, error) {
				return verdictOf(o.assess(ctx, spoilt, want), func(s *contract.LoginStep) bool { return s.Name == "signature" }), nil
			})
			clear(changed)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// virtualForINT asks for a real target with a virtual authenticator, which
// neither readiness nor the lease desk may let pass (DESIGN rule 4).
func (o *run) virtualForINT(ctx context.Context) error {
	snapshot := o.r.config.Inventory.Snapshot()
	i := slices.IndexFunc(snapshot.Authenticators, func(a contract.Authenticator) bool {
		return a.Origin == contract.Virtual && slices.Contains(o.asked.kinds(), a.Kind) && (o.asked.Authenticator == "" || a.ID == o.asked.Authenticator)
	})
	if i < 0 {
		return o.step(ctx, "preflight", "a virtual authenticator to try it with", func(context.Context, *contract.LoginStep) error {
			return &failure.Error{Code: failure.LoginNotReady, Detail: "there is none"}
		})
	}
	a := snapshot.Authenticators[i]
	o.change(func(l *contract.Login) {
		l.State, l.Authenticator, l.Name, l.Kind, l.Origin = contract.LoginRunning, a.ID, a.Name, a.Kind, a.Origin
	})
	err := o.refuses(ctx, contract.RefusedByBridge, "readiness", []string{string(failure.VirtualNotCounted)}, func(context.Context, *contract.LoginStep) (refused, error) {
		v := o.r.config.Judge(contract.Question{AAL: 3, Target: cis2.INT, Kind: a.Kind}, snapshot)
		for _, c := range v.Candidates {
			if c.Authenticator != a.ID || c.Outcome != contract.VerdictNotReady {
				continue
			}
			for _, check := range c.Checks {
				if check.State == contract.Fail {
					return refused{check.Code, check.Evidence}, nil
				}
			}
		}
		return refused{why: "it counts as " + string(outcomeOf(&v, a.ID)) + " for " + cis2.INT}, nil
	})
	if err != nil {
		return err
	}
	return o.refuses(ctx, contract.RefusedByBridge, "lease", []string{string(failure.LeaseUnmet)}, func(ctx context.Context, _ *contract.LoginStep) (refused, error) {
		got, err := o.r.config.Leases.Take(ctx, o.by, contract.LeaseRequest{
			Requirement: contract.Requirement{Authenticator: a.ID, AAL: 3, Target: cis2.INT, Kind: a.Kind, Origin: contract.Virtual},
			TTL:         leaseMargin.String(), Wait: o.asked.queue.String(), Purpose: o.id,
		}, nil)
		if err == nil {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
			defer cancel()
			_, err := o.r.config.Leases.Release(end, o.by, got.ID)
			return refused{why: "a lease was given for " + cis2.INT}, err
		}
		e := asFailure(err)
		return refused{string(e.Code), e.Detail}, nil
	})
}
