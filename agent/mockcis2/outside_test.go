package mockcis2_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
)

// party is a relying party that is not ours: go-oidc and x/oauth2.
type party struct {
	ctx      context.Context
	provider *oidc.Provider
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier
}

func (r *rig) party(clientID, secret string) *party {
	r.t.Helper()
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: r.dial})
	provider, err := oidc.NewProvider(ctx, r.server.Issuer())
	if err != nil {
		r.t.Fatal(err)
	}
	return &party{
		ctx: ctx, provider: provider,
		config: oauth2.Config{
			ClientID: clientID, ClientSecret: secret, Endpoint: provider.Endpoint(), RedirectURL: callback,
			Scopes: []string{"openid", "profile", "email", "nhsperson", "nationalrbacaccess", "associatedorgs", "selectedrole"},
		},
		verifier: provider.VerifierContext(ctx, &oidc.Config{ClientID: clientID, Now: r.clock.now}),
	}
}

// TestAnOutsideRelyingPartySignsIn is a login by card, with a client secret and
// PKCE, judged by libraries that are not ours.
func TestAnOutsideRelyingPartySignsIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.party("secretive", "s3cret")
	verifier := oauth2.GenerateVerifier()
	b := r.browser()
	a := b.get(p.config.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("n-0S6"), oauth2.SetAuthURLParam("acr_values", "AAL3_ANY")))
	s := b.choose(a.step(t), aal3User, "smartcard")
	if a := b.prove(s.Reference, r.ca.card(t, aal3User)); a.status != http.StatusOK {
		t.Fatalf("%s", a.body)
	}
	a = b.get(b.get(s.Action).step(t).Continue)
	if got := a.location.Query(); got.Get("state") != "the state" || !strings.HasPrefix(a.location.String(), callback+"&") {
		t.Errorf("sent back to %s", a.location)
	}
	token, err := p.config.Exchange(p.ctx, codeOf(t, a), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verifier.Verify(p.ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Nonce != "n-0S6" || id.VerifyAccessToken(token.AccessToken) != nil {
		t.Errorf("nonce %s, at_hash %v", id.Nonce, id.VerifyAccessToken(token.AccessToken))
	}
	var claims json.RawMessage
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	got, err := cis2.ParseIDToken(claims)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject != aal3User || got.ACR != "AAL3_ANY" || got.AMR[0] != "N3_SMARTCARD" || got.AuthLevel.Value != 3 || got.AuthLevel.Number ||
		got.IdentityLevel.Value != 3 || got.SessionID == "" || got.CodeHash == "" || got.StateHash == "" || got.SelectedRole == "" ||
		got.AuthTime != r.clock.now().Unix() || got.AuthorisedParty != "secretive" {
		t.Errorf("%+v", got)
	}
	info, err := p.provider.UserInfo(p.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	if err := info.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	user, err := cis2.ParseUserinfo(claims)
	if err != nil {
		t.Fatal(err)
	}
	if user.Subject != aal3User || user.UID != aal3User || user.UserUID != aal3User || user.Name == "" || user.Email == "" || user.Identity.Value != 3 ||
		len(user.Roles) != 1 || user.Roles[0].Job() != "R0260" || len(user.Orgs) != 1 || user.SelectedRole != user.Roles[0].RoleID || user.SelectedRole != got.SelectedRole {
		t.Errorf("%+v", user)
	}
}

// TestDiscovery holds the document to what a relying party must find.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.browser().get(r.server.Endpoints().Discovery)
	var d struct {
		Issuer  string   `json:"issuer"`
		ACRs    []string `json:"acr_values_supported"`
		Scopes  []string `json:"scopes_supported"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
		Algs    []string `json:"token_endpoint_auth_signing_alg_values_supported"`
		PKCE    []string `json:"code_challenge_methods_supported"`
		JWKS    string   `json:"jwks_uri"`
		Logout  bool     `json:"backchannel_logout_session_supported"`
	}
	if err := json.Unmarshal(a.body, &d); err != nil {
		t.Fatal(err)
	}
	if d.Issuer != r.base+"/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare" || d.JWKS != d.Issuer+"/connect/jwk_uri" ||
		len(d.ACRs) != 11 || len(d.Scopes) != 10 || len(d.Algs) != 2 || len(d.PKCE) != 1 || !d.Logout {
		t.Errorf("%+v", d)
	}
	if len(d.Methods) != 3 { // one client of the rig may use the header
		t.Errorf("%v", d.Methods)
	}
	without := newRig(t, func(c *mockcis2.Config) { c.Clients = c.Clients[:1] })
	if a := without.browser().get(without.server.Endpoints().Discovery); strings.Contains(string(a.body), "basic") {
		t.Error("basic is offered, which CIS2 does not")
	}
}

// TestTheIssuerKeepsItsPort holds the trap that libraries fall into: the usual
// port is part of CIS2's issuer, and no part of what a browser sends.
func TestTheIssuerKeepsItsPort(t *testing.T) {
	t.Parallel()
	server, err := mockcis2.New(mockcis2.Config{Base: "https://localhost:443", Key: serverKey()})
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://localhost:443" + cis2.RealmPath; server.Issuer() != want {
		t.Error(server.Issuer())
	}
	for host, want := range map[string]int{"localhost": 200, "localhost:443": 200, "LOCALHOST": 200, "127.0.0.1": 421, "evil.example": 421, "localhost:444": 421} {
		if got := serve(server, http.MethodGet, "/", "Host", host).Code; got != want {
			t.Errorf("Host %s: %d", host, got)
		}
	}
	for _, base := range []string{"https://localhost", "localhost:443", "https://localhost:443/", "ftp://localhost:443", "https://u@localhost:443", "https://localhost:443?x", ""} {
		if _, err := mockcis2.New(mockcis2.Config{Base: base, Key: serverKey()}); err == nil {
			t.Errorf("%q is a base", base)
		}
	}
}
