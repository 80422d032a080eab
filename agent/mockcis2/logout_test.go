package mockcis2_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"authbridge/agent/mockcis2"
)

// endpoint is a relying party's back-channel logout endpoint.
type endpoint struct {
	url   string
	heard chan string // logout tokens
}

func newEndpoint(t *testing.T, status int) *endpoint {
	t.Helper()
	e := &endpoint{heard: make(chan string, 8)}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get("Content-Type") == formType {
			e.heard <- r.PostFormValue("logout_token")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(web.Close)
	e.url = web.URL + "/logout"
	return e
}

// next is the token that came, or must have.
func (e *endpoint) next(t *testing.T) string {
	t.Helper()
	select {
	case token := <-e.heard:
		return token
	case <-time.After(time.Minute):
		t.Fatal("no logout token came")
		return ""
	}
}

func withLogout(url string) func(*mockcis2.Config) {
	return func(c *mockcis2.Config) {
		c.Clients[0].BackChannelLogout = url
		c.HTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
}

// checkLogout is what relying parties of the NHS check (IDS, MAVIS, MBS), and
// OpenID Connect Back-Channel Logout 1.0, 2.6.
func (r *rig) checkLogout(token string) (sid, wrong string) {
	r.t.Helper()
	p := r.party("secretive", "s3cret")
	id, err := p.provider.VerifierContext(p.ctx, &oidc.Config{ClientID: "secretive", Now: r.clock.now}).Verify(p.ctx, token)
	if err != nil {
		return "", err.Error()
	}
	var c struct {
		Sub, Sid, Jti string
		Nonce         *string
		Iat, Exp      int64
		Events        map[string]map[string]any
	}
	if err := id.Claims(&c); err != nil {
		r.t.Fatal(err)
	}
	event, there := c.Events["http://schemas.openid.net/event/backchannel-logout"]
	switch {
	case c.Sub != aal3User:
		wrong = "sub"
	case c.Sid == "":
		wrong = "sid"
	case c.Jti == "":
		wrong = "jti"
	case c.Nonce != nil:
		wrong = "nonce"
	case !there || len(event) > 0 || len(c.Events) != 1:
		wrong = "events"
	case c.Iat < r.clock.now().Unix()-300 || c.Exp <= c.Iat:
		wrong = "iat"
	}
	return c.Sid, wrong
}

func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, http.StatusOK)
	r := newRig(t, withLogout(e.url))
	b := r.browser()
	got := r.exchange(b.signIn(aal3User))
	// A client that is registered for none gets none.
	codeOf(t, b.authorize("client_id", "second", "redirect_uri", "http://localhost:4000/cb"))
	a := b.do(http.MethodGet, r.server.Endpoints().EndSession+"?"+values("id_token_hint", got.IDToken, "post_logout_redirect_uri", "http://localhost:3000/bye", "state", "s 1").Encode(), nil)
	if a.status != http.StatusSeeOther || a.location.String() != "http://localhost:3000/bye?state=s+1" {
		t.Errorf("%d %v", a.status, a.location)
	}
	token := e.next(t)
	if sid, wrong := r.checkLogout(token); wrong != "" || sid == "" || len(e.heard) > 0 {
		t.Errorf("%s: %s", sid, wrong)
	}
	if !strings.HasPrefix(header(t, token), `{"alg":"RS256","kid":`) || !strings.Contains(header(t, token), `"typ":"logout+jwt"`) {
		t.Error(header(t, token))
	}
	if a := b.authorize("prompt", "none"); a.location.Query().Get("error") != "login_required" {
		t.Errorf("the session goes on: %v", a.location)
	}
}

func header(t *testing.T, token string) string {
	t.Helper()
	first, _, _ := strings.Cut(token, ".")
	raw, err := b64.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWhoMayEndASession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	end := r.server.Endpoints().EndSession
	there := func(b *browser) bool { return b.authorize("prompt", "none").location.Query().Get("code") != "" }
	b := r.browser()
	token := r.exchange(b.signIn(aal3User)).IDToken
	// Any page can send a browser here: the user is asked.
	page := b.do(http.MethodGet, end, nil, "Accept", "text/html")
	if !strings.Contains(string(page.body), "Sign out?") || !there(b) {
		t.Errorf("%s", page.body)
	}
	logout, err := r.server.LogoutToken("secretive", aal3User, sidOf(t, token))
	if err != nil {
		t.Fatal(err)
	}
	if a := b.do(http.MethodGet, end+"?id_token_hint="+logout, nil, "Accept", "text/html"); !strings.Contains(string(a.body), "Sign out?") || !there(b) {
		t.Error("a logout token is taken for an ID token")
	}
	if a := b.do(http.MethodGet, end+"?id_token_hint="+token+"x", nil, "Accept", "text/html"); !strings.Contains(string(a.body), "Sign out?") || !there(b) {
		t.Error("a token that is not ours ends a session")
	}
	for _, uri := range []string{"http://localhost:3000/by", "https://evil.example/", "javascript:alert(1)"} {
		if a := b.get(end + "?" + values("id_token_hint", token, "post_logout_redirect_uri", uri).Encode()); a.status != http.StatusBadRequest || a.location != nil || !there(b) {
			t.Errorf("%s: %d %v", uri, a.status, a.location)
		}
	}
	if a := b.form("/signout", "csrf", "x"); a.status != http.StatusForbidden || !there(b) {
		t.Errorf("%d", a.status)
	}
	_, csrf, _ := strings.Cut(string(page.body), `name="csrf" value="`)
	csrf, _, _ = strings.Cut(csrf, `"`)
	for range 2 { // and once more, by a click too many
		if a := b.form("/signout", "csrf", csrf); a.status != http.StatusSeeOther || a.location.String() != end || there(b) {
			t.Errorf("%d %v %s", a.status, a.location, a.body)
		}
	}
	if a := b.do(http.MethodGet, end, nil, "Accept", "text/html"); !strings.Contains(string(a.body), "You are signed out") {
		t.Errorf("%s", a.body)
	}
}

func TestSessionsAreEndedByHand(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
		e := newEndpoint(t, status)
		r := newRig(t, withLogout(e.url))
		b := r.browser()
		b.signIn(aal3User)
		if n, got := r.server.EndSessions(context.Background(), otherUser); n != 0 || len(got) > 0 {
			t.Errorf("%+v", got)
		}
		n, got := r.server.EndSessions(context.Background(), aal3User)
		if n != 1 || len(got) != 1 || got[0].Status != status || got[0].Client != "secretive" || got[0].Error != "" {
			t.Errorf("%d: %+v", status, got)
		}
		if a := b.authorize("prompt", "none"); a.location.Query().Get("error") != "login_required" {
			t.Errorf("%v", a.location)
		}
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	r := newRig(t, withLogout(gone.URL+"/x"))
	r.browser().signIn(aal3User)
	if _, got := r.server.EndSessions(context.Background(), ""); len(got) != 1 || got[0].Error == "" {
		t.Errorf("%+v", got)
	}
}

// TestSomebodyElseEndsTheSession holds that applications hear of it.
func TestSomebodyElseEndsTheSession(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, http.StatusOK)
	r := newRig(t, withLogout(e.url))
	b := r.browser()
	b.signIn(aal3User)
	b.signIn(aal3User, "prompt", "login")
	if len(e.heard) > 0 {
		t.Error("the same user again ends the session")
	}
	b.signIn(otherUser, "prompt", "login")
	if _, wrong := r.checkLogout(e.next(t)); wrong != "" {
		t.Error(wrong)
	}
}

// TestForgedLogoutTokens holds each that a relying party must refuse to what is
// wrong with it.
func TestForgedLogoutTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for fault, want := range map[string]string{
		"": "", mockcis2.BadSignature: "signature", mockcis2.WrongIssuer: "issued by", mockcis2.IssuerNoPort: "issued by", mockcis2.WrongAudience: "audience",
		mockcis2.WrongSubject: "sub", mockcis2.LogoutNonce: "nonce", mockcis2.LogoutNoSID: "sid", mockcis2.LogoutNoEvent: "events", mockcis2.LogoutOld: "iat", mockcis2.Expired: "expired",
	} {
		var faults []string
		if fault != "" {
			faults = []string{fault}
		}
		token, err := r.server.LogoutToken("secretive", aal3User, "a-session", faults...)
		if err != nil {
			t.Fatal(err)
		}
		if _, wrong := r.checkLogout(token); (wrong == "") != (want == "") || !strings.Contains(wrong, want) {
			t.Errorf("%s: %q", fault, wrong)
		}
	}
	if _, err := r.server.LogoutToken("secretive", aal3User, "s", "no-acr"); err == nil {
		t.Error("a fault that it cannot have")
	}
	one, _ := r.server.LogoutToken("secretive", aal3User, "s")
	two, _ := r.server.LogoutToken("secretive", aal3User, "s")
	if jti(t, one) == jti(t, two) {
		t.Error("the same jti twice")
	}
}

func jti(t *testing.T, token string) string { return claimOf(t, token, "jti") }

func sidOf(t *testing.T, token string) string { return claimOf(t, token, "sid") }

func claimOf(t *testing.T, token, name string) string {
	t.Helper()
	raw, err := b64.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	s, _ := c[name].(string)
	if s == "" {
		t.Fatalf("no %s in %s", name, raw)
	}
	return s
}
