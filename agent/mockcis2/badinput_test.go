package mockcis2_test

import (
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authbridge/agent/mockcis2"
)

// TestWhatNobodyKnows is what an application or a person may get wrong: each is
// refused with its reason, and nothing of it is said back.
func TestWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const unknown = "4242424242"
	for name, row := range map[string]struct {
		pairs []string
		error string // empty: no application is told
		why   string
	}{
		"acr":                {[]string{"acr_values", unknown}, "invalid_request", "acr_values: one of them is not known"},
		"acr, in small":      {[]string{"acr_values", "aal3_any"}, "invalid_request", "acr_values"},
		"one acr of two":     {[]string{"acr_values", "AAL3_ANY " + unknown}, "invalid_request", "acr_values"},
		"scope":              {[]string{"scope", "openid " + unknown}, "invalid_scope", "scope: one of them is not known"},
		"client":             {[]string{"client_id", unknown}, "", "No application is registered under this client_id"},
		"client, in capital": {[]string{"client_id", "SECRETIVE"}, "", "No application is registered"},
	} {
		a := r.browser().authorize(row.pairs...)
		said := string(a.body)
		if row.error != "" {
			if a.location == nil || a.location.Query().Get("error") != row.error {
				t.Fatalf("%s: %d %v", name, a.status, a.location)
			}
			said = a.location.Query().Get("error_description")
		} else if a.status != http.StatusBadRequest || a.location != nil {
			t.Errorf("%s: %d %v", name, a.status, a.location)
		}
		if !strings.Contains(said, row.why) || strings.Contains(said, unknown) {
			t.Errorf("%s: %s", name, said)
		}
	}
	b := r.browser()
	for user, why := range map[string]string{"": "12 digits", "65600575010": "12 digits", "65600575010x": "12 digits", "656005750999": "no such user"} {
		if s := b.choose(b.authorize().step(t), user, "smartcard"); s.Stage != "choose" || !strings.Contains(s.Problem, why) {
			t.Errorf("user %q: %s %q", user, s.Stage, s.Problem)
		}
	}
	// A hint at somebody unknown is a hint: it is shown to be corrected.
	if s := b.authorize("login_hint", "656005750999").step(t); s.Stage != "choose" || s.User != "656005750999" {
		t.Errorf("%+v", s)
	}
}

// TestAnIssuerThatDiffersByOneOctet asks for each issuer that is one octet away:
// none has a document, and a signature for one of them is for nobody.
func TestAnIssuerThatDiffersByOneOctet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	issuer := r.server.Issuer()
	path := issuer[len(r.base):]
	b := r.browser()
	for i := 1; i < len(path); i++ {
		for _, other := range []string{path[:i] + path[i+1:], path[:i] + "x" + path[i:], path[:i] + strings.ToUpper(path[i:i+1]) + path[i+1:]} {
			if other == path {
				continue
			}
			if a := b.get(r.base + other + "/.well-known/openid-configuration"); a.status != http.StatusNotFound && a.status != http.StatusTemporaryRedirect && a.status != http.StatusMovedPermanently {
				t.Errorf("%s: %d", other, a.status)
			}
		}
	}
	if a := b.get(issuer + "//.well-known/openid-configuration"); a.status == http.StatusOK {
		t.Error("a second slash")
	}
	at, _ := url.Parse(r.base)
	for _, host := range []string{"localhost:" + at.Port() + "1", "localhost", "localhost.:" + at.Port(), "locahost:" + at.Port(), "127.0.0.1:" + at.Port()} {
		if a := b.do(http.MethodGet, r.server.Endpoints().Discovery, nil, "Host", host); a.status != http.StatusMisdirectedRequest {
			t.Errorf("Host %s: %d", host, a.status)
		}
	}

	s := b.waiting(aal3User)
	c, _ := b.challenge(s.Reference)
	card := r.ca.card(t, aal3User)
	signed := []byte(strings.Replace(string(c.Data), issuer, issuer+"/", 1))
	if a := b.postProof(mockcis2.Proof{Reference: s.Reference, Certificate: card.der, Signature: card.sign(t, signed), Signed: signed}); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "wrong_challenge") {
		t.Errorf("a proof for another issuer: %d %s", a.status, a.body)
	}
	keyed := newRig(t, keyed(newJWKSHost(t, publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne()})).url, nil, ""))
	code := keyed.browser().signIn(aal3User, "client_id", "keyed")
	a := keyed.assertion()
	a.claims["aud"] = keyed.server.Endpoints().Token + "/"
	if got := keyed.exchange(code, "client_id", "keyed", "client_secret", "", "client_assertion", a.sign(t), "client_assertion_type", bearer); got.Error != "invalid_client" || !strings.Contains(got.Description, "aud") {
		t.Errorf("an assertion for another address: %+v", got)
	}
}
