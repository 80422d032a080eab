package mockcis2_test

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
)

var clientKeyOne, clientKeyTwo = sync.OnceValue(newRSA), sync.OnceValue(newRSA)

func publicSet(keys map[string]*rsa.PrivateKey) []byte {
	var set jose.JSONWebKeySet
	for kid, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"})
	}
	data, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return data
}

// jwksHost publishes the keys of a client, and counts who asks.
type jwksHost struct {
	set   atomic.Pointer[[]byte]
	asked atomic.Int64
	url   string
}

func newJWKSHost(t *testing.T, set []byte) *jwksHost {
	t.Helper()
	h := &jwksHost{}
	h.set.Store(&set)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.asked.Add(1)
		_, _ = w.Write(*h.set.Load())
	}))
	t.Cleanup(web.Close)
	h.url = web.URL + "/jwks"
	return h
}

// keyed adds the client "keyed", registered for private_key_jwt.
func keyed(jwksURI string, jwks []byte, algorithm string) func(*mockcis2.Config) {
	return func(c *mockcis2.Config) {
		c.HTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		c.Clients = append(c.Clients, mockcis2.Client{Registration: cis2.Registration{
			ClientID: "keyed", Redirects: []string{callback}, Pattern: cis2.PrivateKeyJWT, JWKSURI: jwksURI, JWKS: jwks, SigningAlgorithm: algorithm,
		}})
	}
}

// assertion is a client's JWT before it is signed.
type assertion struct {
	algorithm jose.SignatureAlgorithm
	kid       string
	key       any
	claims    map[string]any
}

func (r *rig) assertion() assertion {
	now := r.clock.now()
	return assertion{jose.RS512, "one", clientKeyOne(), map[string]any{
		"iss": "keyed", "sub": "keyed", "aud": r.server.Endpoints().Token, "jti": now.String(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}}
}

func (a assertion) sign(t *testing.T) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: a.algorithm, Key: jose.JSONWebKey{Key: a.key, KeyID: a.kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(a.claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// TestPrivateKeyJWT is the table of what CIS2 takes and refuses. A code stands
// for each row; who gets one has signed in.
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name    string
		change  func(*rig, *assertion)
		refused string // part of the description; empty: taken
	}{
		{"RS512", func(*rig, *assertion) {}, ""},
		{"RS256", func(_ *rig, a *assertion) { a.algorithm = jose.RS256 }, ""},
		{"without iat", func(_ *rig, a *assertion) { delete(a.claims, "iat") }, ""},
		{"aud in a list", func(r *rig, a *assertion) { a.claims["aud"] = []string{r.server.Endpoints().Token} }, ""},
		{"exp 4 min", func(r *rig, a *assertion) { a.claims["exp"] = r.clock.now().Add(4 * time.Minute).Unix() }, ""},
		{"aud is the issuer", func(r *rig, a *assertion) { a.claims["aud"] = r.server.Issuer() }, "aud"},
		{"aud is also the issuer", func(r *rig, a *assertion) {
			a.claims["aud"] = []string{r.server.Endpoints().Token, r.server.Issuer()}
		}, "aud"},
		{"no aud", func(_ *rig, a *assertion) { delete(a.claims, "aud") }, "aud"},
		{"RS384", func(_ *rig, a *assertion) { a.algorithm = jose.RS384 }, "RS256 or RS512"},
		{"PS256", func(_ *rig, a *assertion) { a.algorithm = jose.PS256 }, "RS256 or RS512"},
		{"HS256 by the public key", func(_ *rig, a *assertion) {
			a.algorithm, a.key = jose.HS256, publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne()})
		}, "RS256 or RS512"},
		{"exp 6 min", func(r *rig, a *assertion) {
			a.claims["exp"], a.claims["iat"] = r.clock.now().Add(6*time.Minute).Unix(), r.clock.now().Add(time.Minute).Unix()
		}, "5 minutes"},
		{"exp 6 min after iat", func(r *rig, a *assertion) { a.claims["iat"] = r.clock.now().Add(-time.Minute).Unix() }, "5 minutes after iat"},
		{"expired", func(r *rig, a *assertion) {
			a.claims["exp"], a.claims["iat"] = r.clock.now().Add(-time.Minute).Unix(), r.clock.now().Add(-2*time.Minute).Unix()
		}, "expired"},
		{"no exp", func(_ *rig, a *assertion) { delete(a.claims, "exp") }, "exp"},
		{"iat to come", func(r *rig, a *assertion) { a.claims["iat"] = r.clock.now().Add(time.Minute).Unix() }, "iat"},
		{"nbf to come", func(r *rig, a *assertion) { a.claims["nbf"] = r.clock.now().Add(time.Minute).Unix() }, "nbf"},
		{"no jti", func(_ *rig, a *assertion) { delete(a.claims, "jti") }, "jti"},
		{"no kid", func(_ *rig, a *assertion) { a.kid = "" }, "no kid"},
		{"an unknown kid", func(_ *rig, a *assertion) { a.kid = "two" }, "kid"},
		{"another key", func(_ *rig, a *assertion) { a.key = clientKeyTwo() }, "signature"},
		{"another client's", func(_ *rig, a *assertion) { a.claims["iss"], a.claims["sub"] = "secretive", "secretive" }, "iss"},
		{"nobody's", func(_ *rig, a *assertion) { a.claims["iss"], a.claims["sub"] = "x", "x" }, "iss"},
		{"sub is another", func(_ *rig, a *assertion) { a.claims["sub"] = "secretive" }, "sub"},
	}
	host := newJWKSHost(t, publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne()}))
	for name, set := range map[string]func(*mockcis2.Config){
		"by URI": keyed(host.url, nil, ""),
		"inline": keyed("", publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne()}), ""),
	} {
		r := newRig(t, set)
		b := r.browser()
		b.signIn(aal3User, "client_id", "keyed")
		for _, row := range rows {
			a := r.assertion()
			a.claims["jti"] = row.name
			row.change(r, &a)
			code := codeOf(t, b.authorize("client_id", "keyed", "prompt", "none"))
			got := r.exchange(code, "client_id", "keyed", "client_secret", "", "client_assertion", a.sign(t), "client_assertion_type", bearer)
			switch {
			case row.refused == "" && got.IDToken == "":
				t.Errorf("%s, %s: %d %s", name, row.name, got.status, got.Description)
			case row.refused != "" && (got.Error != "invalid_client" || got.status != http.StatusUnauthorized || !strings.HasPrefix(got.Description, "JWT is not valid: ") || !strings.Contains(got.Description, row.refused)):
				t.Errorf("%s, %s: %d %s %s", name, row.name, got.status, got.Error, got.Description)
			}
		}
	}
}

func TestAnAssertionComesOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, keyed("", publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne()}), ""))
	b := r.browser()
	code := b.signIn(aal3User, "client_id", "keyed")
	a := r.assertion().sign(t)
	ask := func(code string) tokens {
		return r.exchange(code, "client_id", "keyed", "client_secret", "", "client_assertion", a, "client_assertion_type", bearer)
	}
	if got := ask(code); got.IDToken == "" {
		t.Fatal(got.Description)
	}
	if got := ask(codeOf(t, b.authorize("client_id", "keyed"))); !strings.Contains(got.Description, "jti") {
		t.Errorf("the same jti: %+v", got)
	}
	r.clock.pass(4 * time.Minute)
	if got := ask(codeOf(t, b.authorize("client_id", "keyed"))); !strings.Contains(got.Description, "jti") {
		t.Errorf("the same jti, later: %+v", got)
	}
}

func TestTheRegisteredAlgorithmAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, keyed("", publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne()}), "RS512"))
	a := r.assertion()
	a.algorithm = jose.RS256
	got := r.exchange("x", "client_id", "keyed", "client_secret", "", "client_assertion", a.sign(t), "client_assertion_type", bearer)
	if !strings.Contains(got.Description, "registered for RS512") {
		t.Errorf("%+v", got)
	}
}

// TestAClientRotatesItsKeys holds that a new key is found when it is first used,
// the old one works on while it is published, and made up kids make no storm.
func TestAClientRotatesItsKeys(t *testing.T) {
	t.Parallel()
	host := newJWKSHost(t, publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne()}))
	r := newRig(t, keyed(host.url, nil, ""))
	b := r.browser()
	b.signIn(aal3User, "client_id", "keyed")
	ask := func(kid string, key *rsa.PrivateKey, jti string) string {
		a := r.assertion()
		a.kid, a.key, a.claims["jti"] = kid, key, jti
		return r.exchange(codeOf(t, b.authorize("client_id", "keyed")), "client_id", "keyed", "client_secret", "", "client_assertion", a.sign(t), "client_assertion_type", bearer).Description
	}
	if got := ask("one", clientKeyOne(), "1"); got != "" || host.asked.Load() != 1 {
		t.Fatal(got, host.asked.Load())
	}
	both := publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne(), "two": clientKeyTwo()})
	host.set.Store(&both)
	if got := ask("two", clientKeyTwo(), "2"); got == "" {
		t.Error("an unknown kid asks again at once")
	}
	r.clock.pass(6 * time.Second)
	if got := ask("two", clientKeyTwo(), "3"); got != "" || host.asked.Load() != 2 {
		t.Error(got, host.asked.Load())
	}
	if got := ask("one", clientKeyOne(), "4"); got != "" || host.asked.Load() != 2 {
		t.Error(got, host.asked.Load())
	}
	two := publicSet(map[string]*rsa.PrivateKey{"two": clientKeyTwo()})
	host.set.Store(&two)
	r.clock.pass(6 * time.Minute)
	if got := ask("one", clientKeyOne(), "5"); !strings.Contains(got, "kid") {
		t.Errorf("a key that is not published any more: %q", got)
	}
	junk := []byte("<html>")
	host.set.Store(&junk)
	r.clock.pass(6 * time.Minute)
	if got := ask("two", clientKeyTwo(), "6"); !strings.Contains(got, "cannot be fetched") {
		t.Errorf("a JWKS that is none: %q", got)
	}
}

// TestAnOutsideClientWithAKey has x/oauth2 bring the assertion.
func TestAnOutsideClientWithAKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, keyed("", publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne()}), ""))
	p := r.party("keyed", "")
	p.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	verifier := oauth2.GenerateVerifier()
	b := r.browser()
	s := b.choose(b.get(p.config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier))).step(t), aal3User, "smartcard")
	b.prove(s.Reference, r.ca.card(t, aal3User))
	token, err := p.config.Exchange(p.ctx, b.finish(b.get(s.Action).step(t)), oauth2.VerifierOption(verifier),
		oauth2.SetAuthURLParam("client_assertion", r.assertion().sign(t)), oauth2.SetAuthURLParam("client_assertion_type", bearer))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if _, err := p.verifier.Verify(context.Background(), raw); err != nil {
		t.Error(err)
	}
}

func TestClientsAreHeldToTheirWay(t *testing.T) {
	t.Parallel()
	r := newRig(t, keyed("", publicSet(map[string]*rsa.PrivateKey{"one": clientKeyOne()}), ""))
	ask := func(header []string, pairs ...string) (tokens, http.Header) {
		v := values(append([]string{"grant_type", "authorization_code", "code", "x", "redirect_uri", callback}, pairs...)...)
		a := r.browser().do(http.MethodPost, r.server.Endpoints().Token, strings.NewReader(v.Encode()), append([]string{"Content-Type", formType}, header...)...)
		var got tokens
		_ = json.Unmarshal(a.body, &got)
		return got, a.header
	}
	inHeader := func(id, secret string) []string {
		request, _ := http.NewRequest(http.MethodGet, "/", nil)
		request.SetBasicAuth(id, secret)
		return []string{"Authorization", request.Header.Get("Authorization")}
	}
	for name, row := range map[string]struct {
		header []string
		pairs  []string
		code   string
	}{
		"a right secret":               {nil, []string{"client_id", "secretive", "client_secret", "s3cret"}, "invalid_grant"}, // it is the code that is wrong
		"a wrong secret":               {nil, []string{"client_id", "secretive", "client_secret", "s3cre"}, "invalid_client"},
		"another's secret":             {nil, []string{"client_id", "secretive", "client_secret", "other"}, "invalid_client"},
		"no secret":                    {nil, []string{"client_id", "secretive"}, "invalid_client"},
		"nobody":                       {nil, nil, "invalid_client"},
		"an unknown client":            {nil, []string{"client_id", "x", "client_secret", "s3cret"}, "invalid_client"},
		"the header where it is off":   {inHeader("secretive", "s3cret"), nil, "invalid_client"},
		"the header where it is on":    {inHeader("second", "other"), nil, "invalid_grant"},
		"a wrong secret in the header": {inHeader("second", "othe"), nil, "invalid_client"},
		"two client ids":               {inHeader("second", "other"), []string{"client_id", "secretive"}, "invalid_client"},
		"two ways":                     {inHeader("second", "other"), []string{"client_id", "second", "client_secret", "other"}, "invalid_request"},
		"a secret and an assertion":    {nil, []string{"client_id", "secretive", "client_secret", "s3cret", "client_assertion", "x"}, "invalid_request"},
		"another assertion type":       {nil, []string{"client_id", "keyed", "client_assertion", "x", "client_assertion_type", "saml"}, "invalid_client"},
		"an assertion that is none":    {nil, []string{"client_id", "keyed", "client_assertion", "x", "client_assertion_type", bearer}, "invalid_client"},
		"a secret of a keyed client":   {nil, []string{"client_id", "keyed", "client_secret", ""}, "invalid_client"},
	} {
		got, header := ask(row.header, row.pairs...)
		if got.Error != row.code {
			t.Errorf("%s: %+v", name, got)
		}
		if header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be cached", name)
		}
		if row.header != nil && row.code == "invalid_client" && header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate (RFC 6749, 5.2)", name)
		}
	}
}
