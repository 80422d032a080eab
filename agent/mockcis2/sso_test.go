package mockcis2_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestSingleSignOn is the table of what a session answers.
func TestSingleSignOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	second := []string{"client_id", "second", "redirect_uri", "http://localhost:4000/cb"}
	for name, row := range map[string]struct {
		after time.Duration
		pairs []string
		want  string // code, step, or the error
	}{
		"the same again":             {0, nil, "code"},
		"another client":             {time.Hour, second, "code"},
		"prompt none":                {0, []string{"prompt", "none"}, "code"},
		"prompt login":               {0, []string{"prompt", "login"}, "step"},
		"prompt select_account":      {0, []string{"prompt", "select_account"}, "step"},
		"prompt consent":             {0, []string{"prompt", "consent"}, "code"},
		"max_age in time":            {299 * time.Second, []string{"max_age", "300"}, "code"},
		"max_age passed":             {301 * time.Second, []string{"max_age", "300"}, "step"},
		"max_age 0":                  {0, []string{"max_age", "0"}, "step"},
		"max_age passed, none":       {301 * time.Second, []string{"max_age", "300", "prompt", "none"}, "login_required"},
		"the same user":              {0, []string{"login_hint", aal3User}, "code"},
		"another user":               {0, []string{"login_hint", otherUser}, "step"},
		"another user, none":         {0, []string{"login_hint", otherUser, "prompt", "none"}, "login_required"},
		"a lower level":              {0, []string{"acr_values", "AAL2_ANY"}, "code"},
		"another method":             {0, []string{"acr_values", "AAL3_FIDO2"}, "step"},
		"another method, none":       {0, []string{"acr_values", "AAL2_TOTP", "prompt", "none"}, "login_required"},
		"a session that has expired": {8 * time.Hour, nil, "step"},
	} {
		b := r.browser()
		b.signIn(aal3User)
		r.clock.pass(row.after)
		a := b.authorize(row.pairs...)
		got := "step"
		if a.location != nil {
			if got = a.location.Query().Get("error"); got == "" && a.location.Query().Get("code") != "" {
				got = "code"
			}
		}
		if got != row.want {
			t.Errorf("%s: %s, not %s", name, got, row.want)
		}
	}
}

// TestAuthTimeIsWhenSomebodySignedIn holds what tells reuse from a fresh login.
func TestAuthTimeIsWhenSomebodySignedIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	first := r.claimsOf(b.signIn(aal3User))
	r.clock.pass(10 * time.Minute)
	again := r.claimsOf(codeOf(t, b.authorize()))
	if again.AuthTime != first.AuthTime || again.SessionID != first.SessionID || again.IssuedAt != r.clock.now().Unix() {
		t.Errorf("%+v, then %+v", first, again)
	}
	forced := r.claimsOf(b.signIn(aal3User, "prompt", "login"))
	if forced.AuthTime != r.clock.now().Unix() || forced.SessionID != first.SessionID {
		t.Errorf("forced: %+v", forced)
	}
	other := r.claimsOf(b.signIn(otherUser, "prompt", "login"))
	if other.SessionID == first.SessionID || other.Subject != otherUser {
		t.Errorf("somebody else: %+v", other)
	}
}

// TestStepUp goes from AAL2 to AAL3 in one session.
func TestStepUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.choose(b.authorize("acr_values", "AAL2_OR_AAL3_ANY").step(t), appUser, "totp")
	low := r.claimsOf(b.finish(b.totp(s, code(t, appSecret, r.clock.now()))))
	if low.AuthLevel.Value != 2 {
		t.Fatalf("%+v", low)
	}
	if a := b.authorize("acr_values", "AAL3_ANY", "prompt", "none"); a.location.Query().Get("error") != "login_required" {
		t.Errorf("AAL2 answers for AAL3: %v", a.location)
	}
	r.clock.pass(time.Minute)
	s = b.authorize("acr_values", "AAL3_ANY").step(t)
	if s.User != appUser {
		t.Errorf("whose step up is it: %+v", s)
	}
	high := r.claimsOf(b.signIn(appUser, "acr_values", "AAL3_ANY"))
	if high.AuthLevel.Value != 3 || high.SessionID != low.SessionID || high.AuthTime != r.clock.now().Unix() || high.ACR != "AAL3_ANY" {
		t.Errorf("%+v", high)
	}
	if got := r.claimsOf(codeOf(t, b.authorize("acr_values", "AAL2_ANY", "prompt", "none"))); got.AuthLevel.Value != 3 {
		t.Errorf("the level is forgotten: %+v", got)
	}
}

func TestAnIDTokenHintsAtItsUser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	token := r.exchange(b.signIn(aal3User)).IDToken
	other := r.browser()
	if s := other.authorize("id_token_hint", token).step(t); s.User != aal3User {
		t.Errorf("%+v", s)
	}
	if s := other.authorize("id_token_hint", token[:len(token)-4]+"AAAA").step(t); s.User != "" {
		t.Errorf("a token that is not ours: %+v", s)
	}
	other.signIn(otherUser)
	if a := other.authorize("id_token_hint", token, "prompt", "none"); a.location.Query().Get("error") != "login_required" {
		t.Errorf("%v", a.location)
	}
}

// TestTheSessionCookieChanges holds that a cookie that somebody planted is worth
// nothing after a sign-in, and an old one nothing at all.
func TestTheSessionCookieChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	at, _ := url.Parse(r.base)
	session := func() string {
		for _, c := range b.client.Jar.Cookies(at) {
			if strings.Contains(c.Name, "session") {
				return c.Name + "=" + c.Value
			}
		}
		return ""
	}
	b.signIn(aal3User)
	old := session()
	b.signIn(aal3User, "prompt", "login")
	if now := session(); old == now || old == "" {
		t.Errorf("%q, then %q", old, now)
	}
	if a := r.browser().do("GET", r.server.Endpoints().Authorize+"?"+request("prompt", "none").Encode(), nil, "Cookie", old); a.location.Query().Get("error") != "login_required" {
		t.Errorf("the old cookie: %v", a.location)
	}
	if a := r.browser().do("GET", r.server.Endpoints().Authorize+"?"+request("prompt", "none").Encode(), nil, "Cookie", session()); a.location.Query().Get("code") == "" {
		t.Errorf("the new cookie: %v", a.location)
	}
}
