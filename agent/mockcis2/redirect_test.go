package mockcis2_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestWhereTheBrowserIsSent is the table of requests that are refused: to the
// application only where that is sure to be the application.
func TestWhereTheBrowserIsSent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const nowhere = "nowhere"
	for name, row := range map[string]struct {
		pairs []string
		code  string
	}{
		"an unknown client":           {[]string{"client_id", "x"}, nowhere},
		"no client":                   {[]string{"client_id", ""}, nowhere},
		"no redirect URI":             {[]string{"redirect_uri", ""}, nowhere},
		"another path":                {[]string{"redirect_uri", "http://localhost:3000/callback"}, nowhere},
		"a path below":                {[]string{"redirect_uri", callback + "/x"}, nowhere},
		"another port":                {[]string{"redirect_uri", "http://localhost:3001/callback?from=mock"}, nowhere},
		"another case":                {[]string{"redirect_uri", strings.ToUpper(callback)}, nowhere},
		"another client's":            {[]string{"redirect_uri", "http://localhost:4000/cb"}, nowhere},
		"a user name in front":        {[]string{"redirect_uri", "http://localhost:3000@evil.example/callback?from=mock"}, nowhere},
		"another site":                {[]string{"redirect_uri", "https://evil.example/"}, nowhere},
		"a script":                    {[]string{"redirect_uri", "javascript:alert(1)"}, nowhere},
		"no response type":            {[]string{"response_type", ""}, "unsupported_response_type"},
		"implicit":                    {[]string{"response_type", "id_token"}, "unsupported_response_type"},
		"hybrid":                      {[]string{"response_type", "code id_token"}, "unsupported_response_type"},
		"fragment":                    {[]string{"response_mode", "fragment"}, "invalid_request"},
		"a request object":            {[]string{"request", "x"}, "request_not_supported"},
		"a request URI":               {[]string{"request_uri", "https://x"}, "request_uri_not_supported"},
		"no scope":                    {[]string{"scope", ""}, "invalid_scope"},
		"no openid":                   {[]string{"scope", "profile"}, "invalid_scope"},
		"an unknown scope":            {[]string{"scope", "openid offline"}, "invalid_scope"},
		"an unknown acr":              {[]string{"acr_values", "AAL9_ANY"}, "invalid_request"},
		"an unknown acr among others": {[]string{"acr_values", "AAL3_ANY AAL9_ANY"}, "invalid_request"},
		"an unknown prompt":           {[]string{"prompt", "please"}, "invalid_request"},
		"none and login":              {[]string{"prompt", "none login"}, "invalid_request"},
		"none without a session":      {[]string{"prompt", "none"}, "login_required"},
		"max_age in words":            {[]string{"max_age", "five"}, "invalid_request"},
		"max_age below zero":          {[]string{"max_age", "-1"}, "invalid_request"},
		"plain PKCE":                  {[]string{"code_challenge", strings.Repeat("a", 43), "code_challenge_method", "plain"}, "invalid_request"},
		"PKCE without a method":       {[]string{"code_challenge", strings.Repeat("a", 43)}, "invalid_request"},
		"a challenge too short":       {[]string{"code_challenge", "abc", "code_challenge_method", "S256"}, "invalid_request"},
		"a method without challenge":  {[]string{"code_challenge_method", "S256"}, "invalid_request"},
		"a nonce with a zero":         {[]string{"nonce", "a\x00b"}, "invalid_request"},
		"a nonce too long":            {[]string{"nonce", strings.Repeat("n", 513)}, "invalid_request"},
		"a hint too long":             {[]string{"login_hint", strings.Repeat("n", 65)}, "invalid_request"},
		"a state with a line":         {[]string{"state", "a\nb"}, "invalid_request"},
	} {
		a := r.browser().authorize(row.pairs...)
		if row.code == nowhere {
			if a.status != http.StatusBadRequest || a.location != nil {
				t.Errorf("%s: %d, sent to %v", name, a.status, a.location)
			}
			continue
		}
		if a.status != http.StatusFound || a.location == nil || !strings.HasPrefix(a.location.String(), callback+"&") {
			t.Errorf("%s: %d, sent to %v", name, a.status, a.location)
			continue
		}
		got := a.location.Query()
		if got.Get("error") != row.code || got.Get("code") != "" || got.Get("from") != "mock" || !strings.Contains(name, "state") && got.Get("state") != "the state" {
			t.Errorf("%s: %v", name, got)
		}
		// RFC 6749, 4.1.2.1, and nothing of what was sent.
		if strings.ContainsAny(got.Get("error_description"), "\"\\") || strings.Contains(got.Get("error_description"), "AAL9") {
			t.Errorf("%s: %s", name, got.Get("error_description"))
		}
	}
	for _, name := range []string{"client_id", "redirect_uri", "scope", "state", "code_challenge", "prompt"} {
		v := request("code_challenge", strings.Repeat("a", 43), "code_challenge_method", "S256", "prompt", "login")
		v.Add(name, v.Get(name))
		a := r.browser().get(r.server.Endpoints().Authorize + "?" + v.Encode())
		if a.location != nil && a.location.Query().Get("error") != "invalid_request" || a.location == nil && a.status != http.StatusBadRequest {
			t.Errorf("%s twice: %d %v", name, a.status, a.location)
		}
	}
	// A client that is registered for few scopes gets no more.
	a := r.browser().authorize("client_id", "second", "redirect_uri", "http://localhost:4000/cb", "scope", "openid email")
	if a.location.Query().Get("error") != "invalid_scope" {
		t.Error(a.location)
	}
}

func TestCancelling(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.answerStep(b.waiting(aal3User), "cancel")
	if s.Stage != "done" {
		t.Fatalf("%+v", s)
	}
	a := b.get(s.Continue)
	if got := a.location.Query(); got.Get("error") != "access_denied" || got.Get("state") != "the state" || got.Has("code") {
		t.Error(a.location)
	}
	for _, c := range a.header.Values("Set-Cookie") {
		if strings.Contains(c, "session") {
			t.Error("who cancels has a session")
		}
	}
	if a := b.authorize("prompt", "none"); a.location.Query().Get("error") != "login_required" {
		t.Error(a.location)
	}
}
