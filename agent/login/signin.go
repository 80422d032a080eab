package login

import (
	"context"
	"net/url"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// promptLogin makes the user sign in, whatever session there is.
const promptLogin = "login"

// act plays the scenario of a run that the bridge drives.
func (o *run) act(ctx context.Context) error {
	if negative(o.asked.Scenario) {
		return o.tryIt(ctx)
	}
	return o.signsIn(ctx)
}

// signsIn is a whole sign-in, and what its scenario has follow it.
func (o *run) signsIn(ctx context.Context) error {
	if err := o.preflight(ctx); err != nil {
		return err
	}
	if err := o.meet(ctx); err != nil {
		return err
	}
	if err := o.take(ctx); err != nil {
		return err
	}
	ctx, cancel := o.timed(ctx)
	defer cancel()
	prompt, lower := promptLogin, int64(0)
	if o.asked.Scenario == contract.ScenarioStepUp {
		var err error
		if lower, err = o.signInLower(ctx); err != nil {
			return err
		}
		prompt = "" // it is the level that the session must fail by
	}
	r := o.newRequest(prompt)
	back, err := o.signIn(ctx, r)
	if err != nil {
		return err
	}
	// The lease stays where the user signs in again.
	want := o.expect(r)
	if o.asked.Scenario != contract.ScenarioReauthentication {
		o.letGo()
	}
	tokens, err := o.redeem(ctx, back, r)
	if err != nil {
		return err
	}
	defer tokens.wipe()
	o.judge(ctx, tokens, want)
	switch o.asked.Scenario {
	case contract.ScenarioSSO:
		return o.sso(ctx, tokens, want)
	case contract.ScenarioStepUp:
		return o.steppedUp(ctx, tokens, lower)
	case contract.ScenarioReauthentication:
		return o.reauthenticate(ctx)
	case contract.ScenarioLogout:
		return o.logout(ctx, tokens)
	}
	return nil
}

// signIn asks for authorization and signs the user in, up to where the browser
// is sent back to.
func (o *run) signIn(ctx context.Context, r *request) (back *url.URL, err error) {
	p, err := o.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	user, err := o.user()
	if err == nil {
		p, err = o.choose(ctx, "choose", p, user, o.held.authenticator.Kind)
	}
	if err != nil {
		return nil, err
	}
	return o.authenticate(ctx, p, r, user)
}

// begin asks for authorization, which must lead to a page.
func (o *run) begin(ctx context.Context, r *request) (p *page, err error) {
	err = o.step(ctx, "authorize", "a sign-in page", func(ctx context.Context, s *contract.LoginStep) error {
		first, back, err := o.open(ctx, r)
		switch {
		case err != nil:
			return err
		case back != nil && said(back) != "":
			_, err := codeOf(back, r, o.asked.target.Issuer)
			return err
		case back != nil:
			return &failure.Error{Code: failure.LoginSession, Detail: "a session answered, although it must not"}
		}
		s.Got = "a page that waits for: " + printable(first.Stage)
		p = first
		return nil
	})
	return p, err
}

// authenticate goes from the page's choice to where the browser is sent back to.
func (o *run) authenticate(ctx context.Context, p *page, r *request, user string) (back *url.URL, err error) {
	if o.held.authenticator.Kind == contract.Smartcard {
		p, err = o.byCard(ctx, p, r)
	} else {
		p, err = o.byKey(ctx, p, user)
	}
	if err == nil && p.Stage == stageRole {
		p, err = o.chooseRole(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	return o.goBack(ctx, p)
}

func (o *run) goBack(ctx context.Context, p *page) (back *url.URL, err error) {
	err = o.step(ctx, "back", "sent back to the redirect address", func(ctx context.Context, s *contract.LoginStep) (err error) {
		if p.Stage != stageDone {
			return &failure.Error{Code: failure.LoginRefused, Detail: printable(join("the page stands at "+p.Stage, p.Problem))}
		}
		if back, err = o.leave(ctx, p); err == nil {
			s.Got = "sent back"
		}
		return err
	})
	return back, err
}

// choose names the user and the authenticator. With a key the page may stay
// where it is, because the key is not registered yet.
func (o *run) choose(ctx context.Context, name string, p *page, user string, kind contract.Kind) (next *page, err error) {
	err = o.step(ctx, name, "the page goes on to the "+string(kind), func(ctx context.Context, s *contract.LoginStep) (err error) {
		if next, err = o.reply(ctx, p, "do", "choose", "user", user, "authenticator", string(kind)); err != nil {
			return err
		}
		s.Got = "it stands at " + printable(next.Stage)
		s.Evidence = printable(next.Problem)
		if next.Stage == stageChoose && (kind == contract.Smartcard || name != "choose") {
			return &failure.Error{Code: failure.LoginRefused}
		}
		return nil
	})
	return next, err
}

// chooseRole takes the first of the user's roles.
func (o *run) chooseRole(ctx context.Context, p *page) (next *page, err error) {
	err = o.step(ctx, "role", "a role chosen", func(ctx context.Context, s *contract.LoginStep) (err error) {
		if len(p.Roles) == 0 {
			return &failure.Error{Code: failure.LoginAnswer, Detail: "the page asks for a role and offers none"}
		}
		next, err = o.reply(ctx, p, "do", "role", "role", p.Roles[0].ID)
		s.Got = "the first of the roles offered"
		return err
	})
	return next, err
}

// redeem gives the code for tokens, and asks who they are about.
func (o *run) redeem(ctx context.Context, back *url.URL, r *request) (t Tokens, err error) {
	err = o.step(ctx, "token", "an ID token and an access token", func(ctx context.Context, s *contract.LoginStep) error {
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
		return nil
	})
	if err != nil {
		return Tokens{}, err
	}
	err = o.step(ctx, "userinfo", "who the access token is about", func(ctx context.Context, s *contract.LoginStep) error {
		body, err := o.userinfo(ctx, t.AccessToken)
		if err != nil {
			return err
		}
		s.Got = "answered"
		t.Userinfo = body
		return nil
	})
	if err != nil {
		t.wipe()
		return Tokens{}, err
	}
	return t, nil
}

// expect is what the tokens of a request are held to.
func (o *run) expect(r *request) Expectation {
	want := Expectation{
		Issuer: o.asked.target.Issuer, ClientID: o.asked.target.ClientID, Nonce: r.nonce, WantsNonce: true,
		ACRs: o.asked.acrs, Known: o.asked.target.ACRs, AMRs: o.asked.target.AMRs, AAL: o.asked.aal,
		MaxAge: r.maxAge, Since: r.began, Scopes: o.asked.target.Scopes, User: o.snapshot().User, Ahead: o.provider.ahead,
	}
	if o.held != nil {
		want.With = cis2.Authenticator(o.held.authenticator.Kind)
		if want.With == cis2.Smartcard {
			want.CardUser = o.held.authenticator.User
		}
	}
	return want
}

// judge has the relying party judge, and records what it says.
func (o *run) judge(ctx context.Context, t Tokens, want Expectation) {
	if claims, ok := unsafeClaims(t.IDToken); ok {
		o.said, _ = cis2.ParseIDToken(claims) // of use only where all assertions hold
	}
	o.record(o.assess(ctx, t, want)...)
}

// assess has the relying party judge, by the newest keys.
func (o *run) assess(ctx context.Context, t Tokens, want Expectation) []contract.LoginStep {
	if id := keyIDOf(t.IDToken); id != "" && len(o.provider.keys.Key(id)) == 0 {
		// It may be a new key. What cannot be fetched shows as a signature that
		// cannot be verified.
		_ = o.fetchKeys(ctx, &contract.LoginStep{})
	}
	want.Keys, want.Now = o.provider.keys, o.r.config.Now()
	steps := o.r.config.Party(t, want)
	for i := range steps {
		steps[i].At = o.r.now()
	}
	return steps
}

// unreached is what was got at a step that was not.
const unreached = "not reached"

// skipRest records what was not reached, so that a report shows what was not
// judged.
func (o *run) skipRest() {
	var rest []contract.LoginStep
	for _, name := range append([]string{"discovery", "acr-offered", "keys", "lease", "authorize", "choose", "ceremony", "proof", "back", "token", "userinfo"}, assertions...) {
		if !o.reached[name] {
			rest = append(rest, contract.LoginStep{Name: name, State: contract.StepSkipped, Got: unreached, At: o.r.now()})
		}
	}
	o.record(rest...)
}
