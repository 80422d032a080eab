package mockcis2_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
)

// judge is what a strict relying party finds wrong with a login that has just
// been done: signature, issuer, audience and times by go-oidc.
func (r *rig) judge(p *party, got tokens) []string {
	r.t.Helper()
	var wrong []string
	id, err := p.verifier.Verify(p.ctx, got.IDToken)
	if err != nil {
		// go-oidc stops at the first; what it says is told apart by its words.
		return []string{err.Error()}
	}
	var raw json.RawMessage
	if err := id.Claims(&raw); err != nil {
		r.t.Fatal(err)
	}
	claims, err := cis2.ParseIDToken(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	find := func(is bool, what string) {
		if is {
			wrong = append(wrong, what)
		}
	}
	now := r.clock.now().Unix()
	find(cis2.IssuerDifference(r.server.Issuer(), claims.Issuer) != "", "issuer")
	find(claims.Nonce != "the-nonce", "nonce")
	find(claims.ACR != "AAL3_ANY", "acr")
	find(claims.AuthLevel == nil, "no level")
	find(claims.AuthLevel != nil && claims.AuthLevel.Value < 3, "level")
	find(claims.AuthLevel != nil && claims.AuthLevel.Number, "number")
	find(claims.IdentityLevel.Value < 3, "identity level")
	find(claims.Subject != aal3User, "sub")
	find(claims.AuthTime < now-300, "auth_time")
	find(claims.AuthTime > now+60 || claims.IssuedAt > now+60, "clock")
	info, err := cis2.ParseUserinfo(r.userinfo(got.AccessToken).body)
	find(err != nil || info.Subject != claims.Subject, "userinfo")
	return wrong
}

// TestEveryFaultIsSeen sets each fault for a client, for a single login and for
// all, and has the judge see it there and nowhere else.
func TestEveryFaultIsSeen(t *testing.T) {
	t.Parallel()
	seen := map[string]string{
		mockcis2.NoACR: "acr", mockcis2.LevelAsNumber: "number", mockcis2.LevelAsText: "", mockcis2.LevelTooLow: "level", mockcis2.NoLevel: "no level",
		mockcis2.IdentityTooLow: "identity level", mockcis2.WrongAudience: "audience", mockcis2.WrongSubject: "sub", mockcis2.OtherUserinfo: "userinfo",
		mockcis2.Expired: "expired", mockcis2.BadSignature: "signature", mockcis2.IssuerNoPort: "issued by", mockcis2.WrongNonce: "nonce",
		mockcis2.StaleAuthTime: "auth_time", mockcis2.ClockSkew: "clock",
	}
	for name, says := range seen {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			p := r.party("secretive", "s3cret")
			fault, err := mockcis2.ParseFault(name)
			if err != nil {
				t.Fatal(err)
			}
			b := r.browser()
			b.signIn(aal3User)
			login := func(state string) []string {
				return r.judge(p, r.exchange(codeOf(t, b.authorize("state", state))))
			}
			fits := func(got []string) bool {
				return says == "" && len(got) == 0 || len(got) == 1 && says != "" && strings.Contains(got[0], says)
			}
			if got := login("one"); len(got) > 0 {
				t.Fatalf("without a fault: %v", got)
			}
			for where, f := range map[string]mockcis2.Faulting{
				"a client": {Client: "secretive"}, "one login": {Client: "secretive", State: "one"}, "one login of whom ever": {State: "one"}, "all": {},
			} {
				f.Faults = []mockcis2.Fault{fault}
				r.server.SetFaults(f)
				if got := login("one"); !fits(got) {
					t.Errorf("%s: %v, not %q", where, got, says)
				}
				if got := login("two"); f.State != "" && len(got) > 0 {
					t.Errorf("%s: another login: %v", where, got)
				}
				f.Faults = nil
				r.server.SetFaults(f)
				if got := login("one"); len(got) > 0 {
					t.Errorf("%s: taken back: %v", where, got)
				}
			}
			r.server.SetFaults(mockcis2.Faulting{Client: "second", Faults: []mockcis2.Fault{fault}})
			if got := login("one"); len(got) > 0 {
				t.Errorf("another client's: %v", got)
			}
		})
	}
	for _, name := range mockcis2.Faults() {
		if _, ok := seen[name]; !ok && !slices.Contains([]string{mockcis2.Slow, mockcis2.InternalError, mockcis2.AcceptAnyProof}, name) {
			t.Errorf("nobody looks for %s", name)
		}
	}
}

// TestLevelsAsTheClientIsGivenThem holds both forms that were seen.
func TestLevelsAsTheClientIsGivenThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	b.signIn(aal3User)
	second := func() string {
		code := codeOf(t, b.authorize("client_id", "second", "redirect_uri", "http://localhost:4000/cb"))
		got := r.exchange(code, "client_id", "second", "client_secret", "other", "redirect_uri", "http://localhost:4000/cb")
		p := r.party("second", "other")
		id, err := p.verifier.Verify(p.ctx, got.IDToken)
		if err != nil {
			t.Fatal(err)
		}
		var raw json.RawMessage
		_ = id.Claims(&raw)
		return string(raw)
	}
	if got := second(); !strings.Contains(got, `"authentication_assurance_level":3`) || !strings.Contains(got, `"id_assurance_level":3`) {
		t.Error(got)
	}
	r.server.SetFaults(mockcis2.Faulting{Client: "second", Faults: []mockcis2.Fault{{Name: mockcis2.LevelAsText}}})
	if got := second(); !strings.Contains(got, `"authentication_assurance_level":"3"`) {
		t.Error(got)
	}
}

func TestSlowAndDown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	code := b.signIn(aal3User)
	slow, _ := mockcis2.ParseFault("slow:30s")
	r.server.SetFaults(mockcis2.Faulting{Client: "secretive", Faults: []mockcis2.Fault{slow}})
	came := make(chan tokens, 1)
	go func() { came <- r.exchange(code) }()
	timer := <-r.timers
	select {
	case <-came:
		t.Error("it did not wait")
	default:
	}
	timer <- r.clock.now()
	if got := <-came; got.IDToken == "" {
		t.Errorf("%+v", got)
	}
	r.server.SetFaults(mockcis2.Faulting{Client: "secretive", Faults: []mockcis2.Fault{{Name: mockcis2.InternalError}}})
	code = codeOf(t, b.authorize())
	if got := r.exchange(code); got.status != http.StatusInternalServerError {
		t.Errorf("%+v", got)
	}
	r.server.SetFaults(mockcis2.Faulting{Client: "secretive"})
	if got := r.exchange(code); got.IDToken == "" {
		t.Errorf("the code is spent by a server that is down: %+v", got)
	}
	r.server.SetFaults(mockcis2.Faulting{Faults: []mockcis2.Fault{{Name: mockcis2.InternalError}}})
	for _, path := range []string{r.server.Endpoints().Discovery, r.server.Endpoints().JWKS} {
		if a := b.get(path); a.status != http.StatusInternalServerError {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// TestTheClockOfAnAnswer holds what CLOCK_SKEW is judged by.
func TestTheClockOfAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	skew, _ := mockcis2.ParseFault("clock-skew:-90s")
	r.server.SetFaults(mockcis2.Faulting{Faults: []mockcis2.Fault{skew}})
	at, err := http.ParseTime(r.browser().get(r.server.Endpoints().Discovery).header.Get("Date"))
	if err != nil || !at.Equal(r.clock.now().Add(-90*time.Second)) {
		t.Errorf("%v, %v", at, err)
	}
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"no-acr": "no-acr", "slow": "slow:15s", "slow:2s": "slow:2s", "clock-skew": "clock-skew:10m0s", "clock-skew:-90s": "clock-skew:-1m30s",
		"": "", "x": "", "no-acr:2s": "", "slow:x": "", "slow:-1s": "", "slow:1000h": "", "clock-skew:": "",
	} {
		got, err := mockcis2.ParseFault(text)
		if got.String() != want || (err == nil) != (want != "") {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

// TestKeysRotate holds that a token of the old key is still good, and a new one
// of the new key.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	old := r.exchange(b.signIn(aal3User))
	kids := func() (all []string) {
		var set struct {
			Keys []struct {
				Kid, Use, Alg string
				D             string
			}
		}
		if err := json.Unmarshal(b.get(r.server.Endpoints().JWKS).body, &set); err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			if k.D != "" || k.Use != "sig" || k.Alg != "RS256" {
				t.Errorf("%+v", k)
			}
			all = append(all, k.Kid)
		}
		return all
	}
	before := kids()
	if err := r.server.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	after := kids()
	if len(before) != 1 || len(after) != 2 || after[1] != before[0] {
		t.Errorf("%v, then %v", before, after)
	}
	fresh := r.exchange(codeOf(t, b.authorize()))
	p := r.party("secretive", "s3cret")
	for _, token := range []string{old.IDToken, fresh.IDToken} {
		if _, err := p.verifier.Verify(p.ctx, token); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		if err := r.server.RotateKeys(); err != nil {
			t.Fatal(err)
		}
	}
	p = r.party("secretive", "s3cret")
	if _, err := p.verifier.Verify(p.ctx, old.IDToken); err == nil || len(kids()) != 3 {
		t.Errorf("%v, %v", err, kids())
	}
}

func TestSignedUserinfo(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"RS256", "RS512"} {
		r := newRig(t, func(c *mockcis2.Config) { c.Clients[0].SignedUserinfo = algorithm })
		got := r.exchange(r.browser().signIn(aal3User))
		a := r.userinfo(got.AccessToken)
		if a.header.Get("Content-Type") != "application/jwt" {
			t.Fatalf("%s: %s", algorithm, a.body)
		}
		p := r.party("secretive", "s3cret")
		verifier := p.provider.VerifierContext(p.ctx, &oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true, SupportedSigningAlgs: []string{algorithm}})
		id, err := verifier.Verify(p.ctx, string(a.body))
		if err != nil || id.Subject != aal3User || len(id.Audience) > 0 {
			t.Errorf("%s: %+v, %v", algorithm, id, err)
		}
	}
}
