package mockcis2_test

import (
	"net/http"
	"strings"
	"testing"

	"authbridge/agent/mockcis2"
)

// pages are how a browser marks what a page of somebody else has it do. The last
// two are of browsers that do not tell where a request comes from.
var pages = []struct {
	name   string
	header []string
}{
	{"a script of another site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", "https://evil.example"}},
	{"a script of another site, opaque", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty"}},
	{"a script of another port", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", "http://localhost:1"}},
	{"a frame", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Origin", "http://localhost:1"}},
	{"an image", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}},
	{"a sandboxed page", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", "null"}},
}

var links = []struct {
	name   string
	header []string
}{
	{"a link or form of another site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", "https://evil.example"}},
	{"a link or form of another port", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", "http://localhost:1"}},
	{"an old browser's form", []string{"Origin", "https://evil.example"}},
	{"an old browser's form without an origin", []string{"Origin", "null"}},
}

// TestAHostilePageGetsNoCode walks the whole flow as a page of somebody else
// has a browser walk it, the browser's cookies and ids known: each step is
// closed by itself.
func TestAHostilePageGetsNoCode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	b.signIn(aal3User) // there is a session to be misused
	authorize := r.server.Endpoints().Authorize + "?" + request().Encode()
	for _, page := range pages {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			a := b.do(method, authorize, strings.NewReader(request().Encode()), append([]string{"Content-Type", formType}, page.header...)...)
			if a.status != http.StatusForbidden || a.location != nil {
				t.Errorf("%s: %s authorize: %d %v", page.name, method, a.status, a.location)
			}
		}
		if a := b.do(http.MethodGet, "/register", nil, page.header...); a.status != http.StatusForbidden {
			t.Errorf("%s: register: %d", page.name, a.status)
		}
	}
	// Whole pages may come to the door, and no further; what they get there goes
	// to the application that is registered.
	s := b.choose(b.authorize("prompt", "login").step(t), aal1User, "smartcard")
	if s.Stage == "smartcard" {
		t.Fatal("a user of AAL1 has a card")
	}
	s = b.waiting(aal3User, "prompt", "login")
	done := b.waiting(aal3User, "prompt", "login")
	b.prove(done.Reference, r.ca.card(t, aal3User))
	c, _ := b.challenge(s.Reference)
	card := r.ca.card(t, aal3User)
	proof := mockcis2.Proof{Reference: s.Reference, Certificate: card.der, Signature: card.sign(t, c.Data)}
	for _, page := range append(append(pages[:0:0], pages...), links...) {
		for _, path := range []string{s.Action, s.Action + "/wait", done.Action, done.Action + "/continue"} {
			if a := b.do(http.MethodGet, path, nil, page.header...); a.status != http.StatusForbidden || a.location != nil {
				t.Errorf("%s: GET %s: %d %v", page.name, path, a.status, a.location)
			}
		}
		for _, do := range []string{"choose", "back", "cancel", "webauthn", "totp", "role"} {
			body := values("csrf", s.CSRF, "do", do, "user", aal3User, "authenticator", "smartcard").Encode()
			if a := b.do(http.MethodPost, s.Action, strings.NewReader(body), append([]string{"Content-Type", formType}, page.header...)...); a.status != http.StatusForbidden {
				t.Errorf("%s: POST %s: %d", page.name, do, a.status)
			}
		}
		for _, path := range []string{"/register", "/signout"} {
			if a := b.do(http.MethodPost, path, strings.NewReader("csrf=x"), append([]string{"Content-Type", formType}, page.header...)...); a.status != http.StatusForbidden {
				t.Errorf("%s: POST %s: %d", page.name, path, a.status)
			}
		}
		if a := b.postProof(proof, page.header...); a.status != http.StatusForbidden {
			t.Errorf("%s: POST proof: %d %s", page.name, a.status, a.body)
		}
		for _, path := range []string{"/proof/" + s.Reference, r.server.Endpoints().Userinfo} {
			if a := b.do(http.MethodGet, path, nil, page.header...); a.status != http.StatusForbidden {
				t.Errorf("%s: GET %s: %d", page.name, path, a.status)
			}
		}
		if a := b.do(http.MethodPost, r.server.Endpoints().Token, strings.NewReader("x=y"), append([]string{"Content-Type", formType}, page.header...)...); a.status != http.StatusForbidden {
			t.Errorf("%s: POST token: %d", page.name, a.status)
		}
	}
	// Our own pages bring no proof either: they have no card.
	own := []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", r.base}
	if a := b.postProof(proof, own...); a.status != http.StatusForbidden {
		t.Errorf("our own page: %d", a.status)
	}
	if got := b.get(s.Action).step(t); got.Stage != "smartcard" || got.Reference != s.Reference {
		t.Errorf("something of it changed the sign-in: %+v", got)
	}
	// And the right ones still work.
	if a := b.postProof(proof); a.status != http.StatusOK {
		t.Errorf("%s", a.body)
	}
	if a := b.do(http.MethodGet, s.Action+"/continue", nil, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); a.location == nil {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestALoginBelongsToItsBrowser holds that who knows everything but the cookie
// gets nothing.
func TestALoginBelongsToItsBrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, other := r.browser(), r.browser()
	other.authorize() // has a cookie of its own
	s := b.waiting(aal3User)
	b.prove(s.Reference, r.ca.card(t, aal3User))
	for _, who := range []*browser{other, r.browser()} {
		for _, path := range []string{s.Action, s.Action + "/wait", s.Action + "/continue"} {
			if a := who.get(path); a.status != http.StatusNotFound || a.location != nil {
				t.Errorf("%s: %d %v", path, a.status, a.location)
			}
		}
		if a := who.form(s.Action, "csrf", s.CSRF, "do", "cancel"); a.status != http.StatusNotFound {
			t.Errorf("%d", a.status)
		}
	}
	if a := b.form(s.Action, "csrf", "x", "do", "cancel"); a.status != http.StatusForbidden {
		t.Errorf("without the form's token: %d", a.status)
	}
	b.finish(b.get(s.Action).step(t))
	if a := b.get(s.Action + "/continue"); a.status != http.StatusNotFound {
		t.Errorf("a second code: %d", a.status)
	}
}

func TestNothingIsCached(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.waiting(aal3User)
	ends := r.server.Endpoints()
	for _, path := range []string{
		ends.Discovery, ends.JWKS, ends.Authorize + "?" + request().Encode(), ends.Authorize, ends.Userinfo, ends.EndSession,
		s.Action, "/register", "/proof/x", "/", "/nothing",
	} {
		for _, accept := range []string{"text/html", asJSON} {
			a := b.do(http.MethodGet, path, nil, "Accept", accept)
			if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Frame-Options") != "DENY" || a.header.Get("X-Content-Type-Options") != "nosniff" ||
				!strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s: %v", path, a.header)
			}
			if a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: CORS", path)
			}
		}
	}
	for _, path := range []string{ends.Token, "/proof", s.Action} {
		if a := b.do(http.MethodOptions, path, nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"); a.status < 400 {
			t.Errorf("a preflight to %s: %d", path, a.status)
		}
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.waiting(aal3User)
	b.prove(s.Reference, r.ca.card(t, aal3User))
	a := b.get(s.Action + "/continue")
	port := r.base[strings.LastIndexByte(r.base, ':')+1:]
	set := a.header.Get("Set-Cookie")
	for _, part := range []string{"mockcis2-session-" + port + "=", "Path=/;", "HttpOnly", "SameSite=Lax"} {
		if !strings.Contains(set, part) {
			t.Errorf("%s: no %s", set, part)
		}
	}
	server, err := mockcis2.New(mockcis2.Config{Base: "https://localhost:8443", Key: serverKey()})
	if err != nil {
		t.Fatal(err)
	}
	set = serve(server, http.MethodGet, "/register", "Host", "localhost:8443").Header().Get("Set-Cookie")
	for _, part := range []string{"__Host-mockcis2-registration-8443=", "Path=/;", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(set, part) || strings.Contains(set, "Domain") {
			t.Errorf("over TLS: %s: no %s", set, part)
		}
	}
}
