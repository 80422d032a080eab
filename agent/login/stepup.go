package login

import (
	"context"
	"time"

	"github.com/pquerna/otp/totp"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// lowerACR is the level that a step-up starts from: AAL2, by an authenticator
// application.
const lowerACR = "AAL2_TOTP"

// signInLower makes a session at AAL2, with an application that the mock lends
// the user. It says when the token has the user signed in, and returns once a
// later sign-in can be told from it.
func (o *run) signInLower(ctx context.Context) (authenticated int64, err error) {
	r := o.newRequestFor(promptLogin, lowerACR)
	p, err := o.begin(ctx, r)
	if err != nil {
		return 0, err
	}
	if p, err = o.byApp(ctx, p); err == nil && p.Stage == stageRole {
		p, err = o.chooseRole(ctx, p)
	}
	if err != nil {
		return 0, err
	}
	back, err := o.goBack(ctx, p)
	if err != nil {
		return 0, err
	}
	t, err := o.redeem(ctx, back, r)
	if err != nil {
		return 0, err
	}
	defer t.wipe()
	want := o.expect(r)
	want.With, want.CardUser, want.AAL = cis2.TOTP, "", 2
	want.ACRs, _ = o.asked.target.ACRs.Parse(lowerACR)
	steps := o.assess(ctx, t, want)
	for i := range steps {
		steps[i].Name = "lower-" + steps[i].Name
	}
	o.record(steps...)
	// auth_time is in whole seconds.
	select {
	case <-time.After(time.Second):
		return authTime(t), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// byApp signs in with the code of an authenticator application.
func (o *run) byApp(ctx context.Context, p *page) (next *page, err error) {
	user, err := o.user()
	if err != nil {
		return nil, err
	}
	err = o.step(ctx, "lower-sign-in", "signed in at AAL2 by the code of an authenticator app", func(ctx context.Context, s *contract.LoginStep) error {
		secret, takeBack, err := o.r.config.Mock.LendTOTP(user)
		if err != nil {
			return &failure.Error{Code: failure.LoginRefused, Detail: "the user has no authenticator app: " + err.Error()}
		}
		defer takeBack()
		defer clear(secret)
		if next, err = o.reply(ctx, p, "do", "choose", "user", user, "authenticator", string(cis2.TOTP)); err != nil {
			return err
		}
		if next.Stage != stageTOTP {
			return &failure.Error{Code: failure.LoginRefused, Detail: printable(next.Problem)}
		}
		code, err := totp.GenerateCode(string(secret), o.r.config.Now())
		if err != nil {
			return err
		}
		if next, err = o.reply(ctx, next, "do", "totp", "code", code); err != nil {
			return err
		}
		s.Got = "it stands at " + printable(next.Stage)
		if next.Stage == stageTOTP {
			return &failure.Error{Code: failure.LoginRefused, Detail: printable(next.Problem)}
		}
		return nil
	})
	return next, err
}

// steppedUp is whether the sign-in of the higher level is a new one. Its level
// and times were judged already, but for seconds that clocks may be apart.
func (o *run) steppedUp(ctx context.Context, t Tokens, lower int64) error {
	first, second := time.Unix(lower, 0), time.Unix(authTime(t), 0)
	return o.step(ctx, "new-sign-in", "auth_time after that of the lower sign-in, "+stamp(first), func(_ context.Context, s *contract.LoginStep) error {
		s.Got = stamp(second)
		if !second.After(first) {
			return &failure.Error{Code: failure.LoginSession, Detail: "the sign-in of the lower level counts as one of the higher"}
		}
		return nil
	})
}
