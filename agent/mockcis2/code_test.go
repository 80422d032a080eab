package mockcis2_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authbridge/agent/mockcis2"
)

func TestACodeIsGoodOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	code := r.browser().signIn(aal3User)
	first := r.exchange(code)
	if first.IDToken == "" || first.ExpiresIn != 3600 || first.Scope != "openid profile" || first.header.Get("Cache-Control") != "no-store" || first.header.Get("Pragma") != "no-cache" {
		t.Fatalf("%+v", first)
	}
	if a := r.userinfo(first.AccessToken); a.status != http.StatusOK {
		t.Fatalf("%d", a.status)
	}
	if again := r.exchange(code); again.Error != "invalid_grant" || !strings.Contains(again.Description, "before") {
		t.Errorf("%+v", again)
	}
	if a := r.userinfo(first.AccessToken); a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("the token of a code that came twice: %d", a.status)
	}
}

// TestCodes is the table of exchanges. Each row has a code of its own, and who
// fails has spent it.
func TestCodes(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *mockcis2.Config) {
		c.Clients[1].Redirects = append(c.Clients[1].Redirects, callback)
	})
	b := r.browser()
	b.signIn(aal3User)
	verifier := oauth2.GenerateVerifier()
	pkce := []string{"code_challenge", oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256"}
	for name, row := range map[string]struct {
		request, exchange []string
		after             time.Duration
		code              string
	}{
		"as it should be":               {nil, nil, 0, ""},
		"with PKCE":                     {pkce, []string{"code_verifier", verifier}, 0, ""},
		"PKCE and no verifier":          {pkce, nil, 0, "invalid_grant"},
		"PKCE and another verifier":     {pkce, []string{"code_verifier", oauth2.GenerateVerifier()}, 0, "invalid_grant"},
		"PKCE and the challenge":        {pkce, []string{"code_verifier", pkce[1]}, 0, "invalid_grant"},
		"PKCE and a short verifier":     {pkce, []string{"code_verifier", "abc"}, 0, "invalid_grant"},
		"a verifier without PKCE":       {nil, []string{"code_verifier", verifier}, 0, "invalid_grant"},
		"another redirect URI":          {nil, []string{"redirect_uri", "http://localhost:3000/other"}, 0, "invalid_grant"},
		"no redirect URI":               {nil, []string{"redirect_uri", ""}, 0, "invalid_grant"},
		"another client":                {nil, []string{"client_id", "second", "client_secret", "other"}, 0, "invalid_grant"},
		"a wrong secret":                {nil, []string{"client_secret", "x"}, 0, "invalid_client"},
		"no grant type":                 {nil, []string{"grant_type", ""}, 0, "invalid_request"},
		"client credentials":            {nil, []string{"grant_type", "client_credentials"}, 0, "unsupported_grant_type"},
		"no code":                       {nil, []string{"code", ""}, 0, "invalid_request"},
		"another code":                  {nil, []string{"code", "x"}, 0, "invalid_grant"},
		"a minute later":                {nil, nil, time.Minute, "invalid_grant"},
		"as it should be, a bit later":  {nil, nil, 59 * time.Second, ""},
		"a refresh token, which is not": {nil, []string{"grant_type", "refresh_token"}, 0, "unsupported_grant_type"},
	} {
		code := codeOf(t, b.authorize(row.request...))
		r.clock.pass(row.after)
		got := r.exchange(code, row.exchange...)
		if got.Error != row.code || (got.IDToken != "") != (row.code == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// A code that was tried with a wrong verifier is spent.
	code := codeOf(t, b.authorize(pkce...))
	r.exchange(code, "code_verifier", oauth2.GenerateVerifier())
	if got := r.exchange(code, "code_verifier", verifier); got.Error != "invalid_grant" {
		t.Errorf("%+v", got)
	}
}

func TestTheTokenEndpointTakesFormsOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	token := r.server.Endpoints().Token
	good := values("grant_type", "authorization_code", "code", b.signIn(aal3User), "redirect_uri", callback, "client_id", "secretive", "client_secret", "s3cret").Encode()
	for name, a := range map[string]answer{
		"GET":               b.do(http.MethodGet, token+"?"+good, nil),
		"in the query":      b.do(http.MethodPost, token+"?"+good, nil, "Content-Type", formType),
		"JSON":              b.do(http.MethodPost, token, strings.NewReader("{}"), "Content-Type", asJSON),
		"no content type":   b.do(http.MethodPost, token, strings.NewReader(good)),
		"two codes":         b.do(http.MethodPost, token, strings.NewReader(good+"&code=x"), "Content-Type", formType),
		"more than allowed": b.do(http.MethodPost, token, strings.NewReader(good+"&x="+strings.Repeat("x", 70<<10)), "Content-Type", formType),
		"not a form":        b.do(http.MethodPost, token, strings.NewReader(good+"&%zz"), "Content-Type", formType),
	} {
		if a.status < 400 || a.status >= 500 || strings.Contains(string(a.body), "id_token") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := b.do(http.MethodPost, token, strings.NewReader(good), "Content-Type", formType+"; charset=utf-8"); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestUserinfo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.exchange(r.browser().signIn(aal3User, "scope", "openid email"))
	a := r.userinfo(got.AccessToken)
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `"email"`) || strings.Contains(string(a.body), "given_name") || strings.Contains(string(a.body), "nrbac") {
		t.Errorf("%s", a.body)
	}
	for _, header := range []string{"", "Bearer", "Bearer x", "Basic " + got.AccessToken, got.AccessToken} {
		a := r.browser().do(http.MethodGet, r.server.Endpoints().Userinfo, nil, "Authorization", header)
		if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: %d", header, a.status)
		}
	}
	if a := r.browser().get(r.server.Endpoints().Userinfo + "?access_token=" + got.AccessToken); a.status != http.StatusUnauthorized {
		t.Errorf("in the query: %d", a.status)
	}
	r.clock.pass(time.Hour)
	if a := r.userinfo(got.AccessToken); a.status != http.StatusUnauthorized {
		t.Errorf("an hour later: %d", a.status)
	}
}
