package mockcis2_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// crossSite are the headers of a form of another site.
var crossSite = []string{
	"Content-Type", formType, "Accept", "text/html", "Origin", "http://app.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
}

// postFromAfar posts a form of another site as a browser does: without the
// cookies, which are SameSite=Lax, and keeping those that come back.
func (b *browser) postFromAfar(path string, v url.Values) answer {
	b.t.Helper()
	jar := b.client.Jar
	b.client.Jar = nil
	a := b.do(http.MethodPost, path, strings.NewReader(v.Encode()), crossSite...)
	b.client.Jar = jar
	b.keep(a)
	return a
}

// keep takes the cookies of an answer that came without them.
func (b *browser) keep(a answer) {
	at, _ := url.Parse(b.base)
	b.client.Jar.SetCookies(at, (&http.Response{Header: a.header}).Cookies())
}

// TestAPostedRequestIsAsGood posts a request from another site, which OpenID
// Connect Core 1.0, 3.1.2.1 allows, while somebody signs in in another tab.
func TestAPostedRequestIsAsGood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	b.signIn(aal3User)
	tab := b.waiting(aal3User, "prompt", "login", "state", "tab")
	posted := request("prompt", "none", "nonce", "posted", "foreign", "parameter")
	a := b.postFromAfar(r.server.Endpoints().Authorize, posted)
	if a.status != http.StatusSeeOther || a.header.Get("Set-Cookie") != "" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	posted.Del("foreign")
	if want := r.server.Endpoints().Authorize + "?" + posted.Encode(); a.location.String() != want {
		t.Errorf("sent to %s, not %s", a.location, want)
	}
	// As GET the session answers.
	if got := r.claimsOf(codeOf(t, b.get(a.location.String()))); got.Nonce != "posted" {
		t.Errorf("%+v", got)
	}
	b.prove(tab.Reference, r.ca.card(t, aal3User))
	if back := b.get(b.get(tab.Action).step(t).Continue); back.location.Query().Get("state") != "tab" || codeOf(t, back) == "" {
		t.Errorf("the other tab: %v", back.location)
	}
	// What is wrong is said at once, and is in no address of ours.
	for name, change := range map[string][]string{
		"a wrong scope": {"scope", "x"}, "too long": {"id_token_hint", strings.Repeat("x", 9000)},
	} {
		if a := b.postFromAfar(r.server.Endpoints().Authorize, request(change...)); a.status != http.StatusSeeOther || !strings.HasPrefix(a.location.String(), callback+"&error=invalid_") {
			t.Errorf("%s: %d %v", name, a.status, a.location)
		}
	}
	if a := b.postFromAfar(r.server.Endpoints().Authorize, request("client_id", "x")); a.status != http.StatusBadRequest || a.location != nil {
		t.Errorf("an unknown client: %d %v", a.status, a.location)
	}
	if a := b.do(http.MethodPost, r.server.Endpoints().Authorize, strings.NewReader("{}"), "Content-Type", asJSON); a.status != http.StatusBadRequest {
		t.Errorf("JSON: %d", a.status)
	}
}

// TestTabsDoNotKnowOfEachOther begins two sign-ins at two applications at the
// same moment, in a browser that was never here.
func TestTabsDoNotKnowOfEachOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	second := []string{"client_id", "second", "redirect_uri", "http://localhost:4000/cb"}
	one, two := r.browser().authorize(), r.browser().authorize(second...)
	b.keep(one)
	b.keep(two)
	tabs := []*browser{b, b}
	for i, a := range []answer{one, two} {
		s := tabs[i].choose(a.step(t), aal3User, "smartcard")
		if s.Stage != "smartcard" {
			t.Fatalf("tab %d: %+v", i, s)
		}
		b.prove(s.Reference, r.ca.card(t, aal3User))
		b.finish(b.get(s.Action).step(t))
	}
	at, _ := url.Parse(r.base + "/signin/x")
	if left := b.client.Jar.Cookies(at); len(left) != 1 || !strings.Contains(left[0].Name, "session") {
		t.Errorf("cookies that are left: %v", left)
	}
}

// TestAChoiceOfRoleEndsWithItsSession signs out in one tab while another asks
// for the role.
func TestAChoiceOfRoleEndsWithItsSession(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(b *browser){
		"signed out":    func(b *browser) { b.server.EndSessions(t.Context(), "") },
		"somebody else": func(b *browser) { b.signIn(aal3User, "prompt", "login") },
	} {
		r := newRig(t)
		b := r.browser()
		b.signIn(manyRoles)
		s := b.authorize("scope", "openid selectedrole").step(t)
		if s.Stage != "role" {
			t.Fatalf("%+v", s)
		}
		done := b.answerStep(s, "role", "role", s.Roles[0].RoleID)
		meanwhile(b)
		if a := b.get(done.Continue); a.status != http.StatusSeeOther || a.location.Path != s.Action {
			t.Fatalf("%s: %d %v", name, a.status, a.location)
		}
		again := b.get(s.Action).step(t)
		if again.Stage != "choose" || !strings.Contains(again.Problem, "signed out") || again.User != manyRoles {
			t.Errorf("%s: %+v", name, again)
		}
		s = b.choose(again, manyRoles, "smartcard")
		b.prove(s.Reference, r.ca.card(t, manyRoles))
		s = b.get(s.Action).step(t)
		b.finish(b.answerStep(s, "role", "role", s.Roles[0].RoleID))
	}
}

// TestAnOlderSignInTakesNothingBack chooses a role in one tab after somebody has
// signed in anew in another: the session stays the newer one, and each
// application is told what was done for it.
func TestAnOlderSignInTakesNothingBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	first := r.claimsOf(b.signIn(manyRoles))
	s := b.authorize("scope", "openid selectedrole").step(t)
	r.clock.pass(time.Minute)
	newer := r.claimsOf(b.signIn(manyRoles, "prompt", "login"))
	older := r.claimsOf(b.finish(b.answerStep(s, "role", "role", s.Roles[0].RoleID)))
	now := r.claimsOf(codeOf(t, b.authorize("prompt", "none")))
	if older.AuthTime != first.AuthTime || newer.AuthTime == first.AuthTime || now.AuthTime != newer.AuthTime {
		t.Errorf("auth_time: %d first, %d newer, %d for the older one, %d at last", first.AuthTime, newer.AuthTime, older.AuthTime, now.AuthTime)
	}
}

// TestSigningOutOfWhatIsOver leaves the session that came after.
func TestSigningOutOfWhatIsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	old := r.exchange(b.signIn(aal3User)).IDToken
	b.signIn(otherUser, "prompt", "login")
	end := r.server.Endpoints().EndSession
	b.do(http.MethodGet, end+"?id_token_hint="+old, nil, "Accept", "text/html")
	if got := b.authorize("prompt", "none"); got.location.Query().Get("code") == "" {
		t.Errorf("the other session: %v", got.location)
	}
	// Another site's POST brings no cookie; it is asked all the same.
	a := b.postFromAfar(end, url.Values{})
	if a.status != http.StatusSeeOther || a.location.String() != end {
		t.Fatalf("%d %v", a.status, a.location)
	}
	if page := b.page(end); !strings.Contains(string(page.body), "Sign out?") {
		t.Errorf("%s", page.body)
	}
}

// TestAFormSentTwice is a click too many, and a page that is loaded again.
func TestAFormSentTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	send := func(path string, pairs ...string) answer {
		t.Helper()
		a := b.do(http.MethodPost, path, strings.NewReader(values(pairs...).Encode()), "Content-Type", formType, "Accept", "text/html")
		if a.status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		return a
	}
	e := b.beginRegistration(appUser, "totp")
	for range 2 {
		a := send(e.Action, "csrf", e.CSRF, "code", code(t, e.Secret, r.clock.now()))
		if page := string(b.page(a.location.Path).body); !strings.Contains(page, "<h1>Registered</h1>") {
			t.Errorf("%s", page)
		}
	}
	if a := b.get(e.Action); strings.Contains(string(a.body), "problem") {
		t.Errorf("%s", a.body)
	}
	r.clock.pass(time.Minute)
	s := b.authorize("acr_values", "AAL2_TOTP").step(t)
	for range 2 {
		send(s.Action, "csrf", s.CSRF, "do", "choose", "user", appUser, "authenticator", "totp")
	}
	for range 2 {
		send(s.Action, "csrf", s.CSRF, "do", "totp", "code", code(t, appSecret, r.clock.now()))
	}
	b.finish(b.get(s.Action).step(t))
}
