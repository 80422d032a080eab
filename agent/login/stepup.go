package login

import (
	"context"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// lowerACR needs no authenticator: a user name is enough.
const lowerACR = "AAL1_USERPASS"

// signInLower makes a session of a lower level than is asked for after it: what
// matters to a step-up is that the session does not reach the level, not by how
// much.
func (o *run) signInLower(ctx context.Context) error {
	r := o.newRequestFor(promptLogin, lowerACR)
	p, err := o.begin(ctx, r)
	if err != nil {
		return err
	}
	user, err := o.user()
	if err != nil {
		return err
	}
	err = o.step(ctx, "lower-sign-in", "signed in by the user name alone", func(ctx context.Context, s *contract.LoginStep) (err error) {
		if p, err = o.reply(ctx, p, "do", "choose", "user", user, "authenticator", string(cis2.UserName)); err != nil {
			return err
		}
		s.Got = "it stands at " + printable(p.Stage)
		if p.Stage == stageChoose {
			return &failure.Error{Code: failure.LoginRefused, Detail: printable(p.Problem)}
		}
		return nil
	})
	if err == nil && p.Stage == stageRole {
		p, err = o.chooseRole(ctx, p)
	}
	if err != nil {
		return err
	}
	back, err := o.goBack(ctx, p)
	if err != nil {
		return err
	}
	t, err := o.redeem(ctx, back, r)
	if err != nil {
		return err
	}
	defer t.wipe()
	want := o.expect(r)
	want.With, want.CardUser, want.AAL = cis2.UserName, "", 1
	want.ACRs, _ = o.asked.target.ACRs.Parse(lowerACR)
	steps := o.assess(ctx, t, want)
	for i := range steps {
		steps[i].Name = "lower-" + steps[i].Name
	}
	o.record(steps...)
	return nil
}
