package mockcis2_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"authbridge/agent/mockcis2"
)

func (b *browser) page(path string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil, "Accept", "text/html,application/xhtml+xml")
}

// walk goes through all elements of a page.
func walk(n *html.Node, do func(*html.Node)) {
	if n.Type == html.ElementNode {
		do(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, do)
	}
}

func value(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func textOf(n *html.Node) string {
	var b strings.Builder
	var all func(*html.Node)
	all = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			all(c)
		}
	}
	all(n)
	return b.String()
}

func parse(t *testing.T, a answer) *html.Node {
	t.Helper()
	if a.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	doc, err := html.ParseWithOptions(strings.NewReader(string(a.body)), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// everyPage is each sort of page that the server shows.
func everyPage(t *testing.T, r *rig) map[string]answer {
	t.Helper()
	all := map[string]answer{}
	authorize := func(pairs ...string) string {
		return r.server.Endpoints().Authorize + "?" + request(pairs...).Encode()
	}
	b := r.browser()
	b.register(aal3User, "security-key", newSoftKey(t, r.base))
	all["choose"] = b.page(authorize("acr_values", "AAL2_OR_AAL3_ANY"))
	s := b.waiting(aal3User)
	all["smartcard"] = b.page(s.Action)
	b.prove(s.Reference, r.ca.card(t, otherUser))
	all["a problem"] = b.page(s.Action)
	s = b.waiting(aal3User)
	b.prove(s.Reference, r.ca.card(t, aal3User))
	all["done"] = b.page(s.Action)
	s = b.choose(b.authorize().step(t), aal3User, "security-key")
	all["webauthn"] = b.page(s.Action)
	s = b.choose(b.authorize("acr_values", "AAL2_TOTP").step(t), appUser, "totp")
	all["totp"] = b.page(s.Action)
	s = b.waiting(manyRoles, "scope", "openid selectedrole")
	b.prove(s.Reference, r.ca.card(t, manyRoles))
	all["role"] = b.page(s.Action)
	all["sorry"] = b.page(authorize("client_id", "<script>alert(1)</script>"))
	all["nothing"] = b.page("/nothing")
	all["home"] = b.page("/")
	all["register"] = b.page("/register")
	e := b.beginRegistration(aal3User, "passkey")
	all["register a passkey"] = b.page(e.Action)
	e = b.beginRegistration(aal3User, "totp")
	all["register an app"] = b.page(e.Action)
	b.form(e.Action, "csrf", e.CSRF, "code", code(t, e.Secret, r.clock.now()))
	all["registered"] = b.page(e.Action)
	b.signIn(aal3User)
	all["sign out"] = b.page(r.server.Endpoints().EndSession)
	all["signed out"] = r.browser().page(r.server.Endpoints().EndSession)
	return all
}

// TestPages holds what makes a page usable by keyboard and screen reader, and
// safe, on each of them: language, title, one heading, labels, no handler in the
// markup, nothing from elsewhere, and a policy that lets in what is there and
// nothing else.
func TestPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, a := range everyPage(t, r) {
		doc := parse(t, a)
		policy := a.header.Get("Content-Security-Policy")
		ids, labels, described := map[string]bool{}, map[string]bool{}, []string{}
		headings, mains, lang, titled := 0, 0, "", ""
		walk(doc, func(n *html.Node) {
			if id, ok := value(n, "id"); ok {
				if ids[id] {
					t.Errorf("%s: the id %s twice", name, id)
				}
				ids[id] = true
			}
			if d, ok := value(n, "aria-describedby"); ok {
				described = append(described, d)
			}
			for _, at := range n.Attr {
				if strings.HasPrefix(at.Key, "on") || at.Key == "style" || strings.Contains(at.Val, "javascript:") || at.Key == "tabindex" {
					t.Errorf("%s: %s=%q", name, at.Key, at.Val)
				}
				if (at.Key == "src" || at.Key == "href" || at.Key == "action") && !strings.HasPrefix(at.Val, "/") && at.Val != "data:," || strings.HasPrefix(at.Val, "//") {
					t.Errorf("%s: leads to %s", name, at.Val)
				}
			}
			switch n.Data {
			case "html":
				lang, _ = value(n, "lang")
			case "title":
				titled = textOf(n)
			case "h1":
				headings++
			case "main":
				mains++
			case "label":
				id, _ := value(n, "for")
				labels[id] = true
			case "form":
				if method, _ := value(n, "method"); method != "post" {
					t.Errorf("%s: a form by %q", name, method)
				}
			case "style", "script":
				sum := sha256.Sum256([]byte(textOf(n)))
				if !strings.Contains(policy, n.Data+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
					t.Errorf("%s: the policy does not let its %s in", name, n.Data)
				}
			}
		})
		if lang != "en-GB" || !strings.Contains(titled, "CIS2 mock") || headings != 1 || mains != 1 {
			t.Errorf("%s: lang %q, title %q, %d h1, %d main", name, lang, titled, headings, mains)
		}
		for _, d := range described {
			if !ids[d] {
				t.Errorf("%s: described by %s, which is not there", name, d)
			}
		}
		walk(doc, func(n *html.Node) {
			kind, _ := value(n, "type")
			id, _ := value(n, "id")
			if n.Data == "input" && kind != "hidden" && !labels[id] {
				t.Errorf("%s: the input %s has no label", name, id)
			}
			if n.Data == "button" && strings.TrimSpace(textOf(n)) == "" {
				t.Errorf("%s: a button without a name", name)
			}
		})
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || !strings.Contains(policy, "default-src 'none'") ||
			!strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "base-uri 'none'") || !strings.Contains(policy, "form-action 'self'") {
			t.Errorf("%s: %s", name, policy)
		}
	}
}

// TestPagesTellTheirStage holds what programs that walk the pages know them by.
func TestPagesTellTheirStage(t *testing.T) {
	t.Parallel()
	pages := everyPage(t, newRig(t))
	for name, want := range map[string]string{
		"choose": "choose", "a problem": "choose", "smartcard": "smartcard", "webauthn": "webauthn", "totp": "totp", "role": "role", "done": "done",
		"register": "register", "register a passkey": "enrol", "register an app": "enrol", "registered": "registered", "sorry": "sorry", "home": "",
	} {
		walk(parse(t, pages[name]), func(n *html.Node) {
			if got, _ := value(n, "data-stage"); n.Data == "main" && got != want {
				t.Errorf("%s: the stage is %q, want %q", name, got, want)
			}
		})
	}
}

// TestDataIsNoMarkup puts into everything that is shown what would be a script.
func TestDataIsNoMarkup(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>'`
	r := newRig(t, func(c *mockcis2.Config) {
		c.Clients[0].Name = evil
		c.Users[0].Given, c.Users[0].Roles[0].Name = evil, evil
		c.Users[0].Roles = append(c.Users[0].Roles, c.Users[0].Roles[0])
		c.Users[0].Roles[1].RoleID = evil
	})
	pages := everyPage(t, r)
	b := r.browser()
	pages["a hint"] = b.page(r.server.Endpoints().Authorize + "?" + request("login_hint", evil).Encode())
	s := b.waiting(appUser, "scope", "openid selectedrole", "state", evil)
	b.prove(s.Reference, r.ca.card(t, appUser))
	pages["roles"] = b.page(s.Action)
	shown := 0
	for name, a := range pages {
		walk(parse(t, a), func(n *html.Node) {
			if n.Data == "img" || n.Data == "script" && strings.Contains(textOf(n), "alert") {
				t.Errorf("%s has %s", name, n.Data)
			}
		})
		if strings.Contains(string(a.body), "alert(1)") {
			shown++
		}
	}
	if shown < 5 {
		t.Errorf("it was shown on %d pages only", shown)
	}
}

// TestWithoutJavaScript signs in by forms alone, as a browser without JavaScript
// does: what the page says is what is sent.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	submit := func(a answer, do string, fields ...string) answer {
		t.Helper()
		var action string
		send := values(fields...)
		walk(parse(t, a), func(n *html.Node) {
			switch n.Data {
			case "form":
				action, _ = value(n, "action")
			case "input":
				name, _ := value(n, "name")
				if kind, _ := value(n, "type"); kind == "hidden" {
					v, _ := value(n, "value")
					send.Set(name, v)
				}
			}
		})
		send.Set("do", do)
		a = b.do(http.MethodPost, action, strings.NewReader(send.Encode()), "Content-Type", formType, "Accept", "text/html", "Origin", r.base,
			"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
		if a.status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return b.page(a.location.String())
	}
	a := b.page(r.server.Endpoints().Authorize + "?" + request("acr_values", "AAL2_TOTP").Encode())
	a = submit(a, "choose", "user", appUser, "authenticator", "totp")
	a = submit(a, "totp", "code", code(t, appSecret, r.clock.now()))
	next := ""
	walk(parse(t, a), func(n *html.Node) {
		if equiv, _ := value(n, "http-equiv"); equiv == "refresh" {
			content, _ := value(n, "content")
			_, next, _ = strings.Cut(content, "0;url=")
		}
	})
	if got := r.claimsOf(codeOf(t, b.page(next))); got.AuthLevel.Value != 2 {
		t.Errorf("%+v", got)
	}
	// The card's page loads itself again, where no script waits.
	s := b.waiting(aal3User, "prompt", "login")
	if !strings.Contains(string(b.page(s.Action).body), `<noscript><meta http-equiv="refresh"`) {
		t.Error("without JavaScript nobody hears of the card")
	}
}
