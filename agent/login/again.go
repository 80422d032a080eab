package login

import (
	"context"
	"net/url"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// again names the steps of a run's second request.
func again(steps []contract.LoginStep) []contract.LoginStep {
	for i := range steps {
		steps[i].Name = "again-" + steps[i].Name
	}
	return steps
}

// sso asks a second time, which the session must answer: the same person, the
// same sign-in.
func (o *run) sso(ctx context.Context, first Tokens, want Expectation) error {
	r := o.newRequest("")
	var back *url.URL
	err := o.step(ctx, "again-authorize", "an answer from the session, without a page", func(ctx context.Context, s *contract.LoginStep) error {
		p, to, err := o.open(ctx, r)
		switch {
		case err != nil:
			return err
		case p != nil:
			return &failure.Error{Code: failure.LoginSession, Detail: "it asks for a sign-in although there is a session"}
		}
		s.Got, back = "sent back", to
		return nil
	})
	if err != nil {
		return err
	}
	second, err := o.redeemAgain(ctx, back, r)
	if err != nil {
		return err
	}
	defer second.wipe()
	want.Nonce, want.MaxAge = r.nonce, r.maxAge
	// The sign-in is that of the first request, the token is not.
	o.record(again(o.assess(ctx, second, want))...)
	one, two := authTime(first), authTime(second)
	return o.step(ctx, "again-same-sign-in", "auth_time of the first sign-in", func(_ context.Context, s *contract.LoginStep) error {
		s.Got = map[bool]string{true: "the same", false: "another"}[one == two]
		if one != two {
			return &failure.Error{Code: failure.LoginSession}
		}
		return nil
	})
}

func (o *run) redeemAgain(ctx context.Context, back *url.URL, r *request) (t Tokens, err error) {
	err = o.step(ctx, "again-token", "an ID token and an access token", func(ctx context.Context, s *contract.LoginStep) error {
		code, err := codeOf(back, r, o.asked.target.Issuer)
		if err != nil {
			return err
		}
		g, err := o.exchange(ctx, code, r.verifier)
		if err != nil {
			return err
		}
		s.Got = "both"
		t.IDToken, t.AccessToken = g.IDToken, g.AccessToken
		t.Userinfo, err = o.userinfo(ctx, t.AccessToken)
		return err
	})
	return t, err
}

func authTime(t Tokens) int64 {
	claims, ok := unsafeClaims(t.IDToken)
	if !ok {
		return 0
	}
	token, err := cis2.ParseIDToken(claims)
	if err != nil {
		return 0
	}
	return token.AuthTime
}

// reauthenticate asks a second time with prompt=login: the session must not
// answer.
func (o *run) reauthenticate(ctx context.Context) error {
	r := o.newRequest(promptLogin)
	var p *page
	err := o.step(ctx, "again-authorize", "a sign-in page, in spite of the session", func(ctx context.Context, s *contract.LoginStep) error {
		first, back, err := o.open(ctx, r)
		switch {
		case err != nil:
			return err
		case back != nil:
			return &failure.Error{Code: failure.LoginSession, Detail: "the session answered, although prompt=login asks for a new sign-in"}
		}
		s.Got, p = "a page that waits for: "+printable(first.Stage), first
		return nil
	})
	if err != nil {
		return err
	}
	user, err := o.user()
	if err == nil {
		p, err = o.choose(ctx, "choose-anew", p, user, o.held.authenticator.Kind)
	}
	if err != nil {
		return err
	}
	back, err := o.authenticate(ctx, p, r, user)
	if err != nil {
		return err
	}
	want := o.expect(r)
	t, err := o.redeemAgain(ctx, back, r)
	if err != nil {
		return err
	}
	defer t.wipe()
	o.record(again(o.assess(ctx, t, want))...)
	return nil
}

// logout ends the session: after it a request that may show no page must be
// refused.
func (o *run) logout(ctx context.Context, t Tokens) error {
	err := o.step(ctx, "logout", "the session ended", func(ctx context.Context, s *contract.LoginStep) error {
		if o.provider.EndSession == "" {
			return &failure.Error{Code: failure.LoginAnswer, Detail: "discovery: there is no end_session_endpoint"}
		}
		a, err := o.web.post(ctx, "logout", o.provider.EndSession, url.Values{"id_token_hint": {string(t.IDToken)}, "client_id": {o.asked.target.ClientID}})
		if err != nil {
			return err
		}
		if a.status >= 400 {
			return a.unexpected()
		}
		s.Got = "answered"
		return nil
	})
	if err != nil {
		return err
	}
	r := o.newRequest("none")
	return o.step(ctx, "again-authorize", "login_required", func(ctx context.Context, s *contract.LoginStep) error {
		p, back, err := o.open(ctx, r)
		switch {
		case err != nil:
			return err
		case p != nil:
			return &failure.Error{Code: failure.LoginSession, Detail: "it shows a page, although prompt=none forbids it"}
		}
		s.Got = said(back)
		if s.Got != "login_required" {
			return &failure.Error{Code: failure.LoginSession, Detail: "somebody is still signed in"}
		}
		return nil
	})
}
