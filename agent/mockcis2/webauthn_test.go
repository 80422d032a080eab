package mockcis2_test

import (
	"encoding/json"
	"strings"
	"testing"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
)

func (a answer) enrolment(t *testing.T) (e mockcis2.Enrolment) {
	t.Helper()
	if err := json.Unmarshal(a.body, &e); err != nil || a.status != 200 {
		t.Fatalf("%d: %s", a.status, a.body)
	}
	return e
}

// beginRegistration asks the page for a key's registration.
func (b *browser) beginRegistration(user, what string) mockcis2.Enrolment {
	b.t.Helper()
	first := b.get("/register").enrolment(b.t)
	return b.form(first.Action, "csrf", first.CSRF, "user", user, "authenticator", what).enrolment(b.t)
}

func (b *browser) register(user, what string, k *softKey) mockcis2.Enrolment {
	b.t.Helper()
	e := b.beginRegistration(user, what)
	return b.form(e.Action, "csrf", e.CSRF, "response", k.create(b.t, e.Options)).enrolment(b.t)
}

// claimsOf are the claims of the ID token that a code gives, checked by an
// outside verifier.
func (r *rig) claimsOf(code string) cis2.IDToken {
	r.t.Helper()
	p := r.party("secretive", "s3cret")
	got := r.exchange(code)
	id, err := p.verifier.Verify(p.ctx, got.IDToken)
	if err != nil {
		r.t.Fatalf("%v: %+v", err, got)
	}
	var raw json.RawMessage
	if err := id.Claims(&raw); err != nil {
		r.t.Fatal(err)
	}
	claims, err := cis2.ParseIDToken(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	return claims
}

func TestAKeySignsIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	k := newSoftKey(t, r.base)
	e := b.beginRegistration(aal3User, "security-key")
	if o := read(t, e.Options); o.RP.ID != "localhost" || o.Selection.UserVerification != "required" || o.Selection.ResidentKey != "discouraged" || o.Selection.Attachment != "cross-platform" {
		t.Errorf("%s", e.Options)
	}
	if done := b.form(e.Action, "csrf", e.CSRF, "response", k.create(t, e.Options)).enrolment(t); done.Done != "Security key" {
		t.Fatalf("%+v", done)
	}
	if again := b.beginRegistration(aal3User, "security-key"); len(read(t, again.Options).Exclude) != 1 {
		t.Error("the same key can be registered twice")
	}
	s := b.choose(b.authorize().step(t), aal3User, "security-key")
	if o := read(t, s.Options); o.UserVerification != "required" || len(o.Allow) != 1 || o.RPID != "localhost" {
		t.Errorf("%s", s.Options)
	}
	s = b.answerStep(s, "webauthn", "response", k.get(t, s.Options))
	got := r.claimsOf(b.finish(s))
	if got.Subject != aal3User || got.AuthLevel.Value != 3 || got.AMR[0] != "FIDO2" || got.ACR != "AAL3_ANY" {
		t.Errorf("%+v", got)
	}
}

// TestTheLevelIsTheKeys holds that what somebody chose on a page gives no level:
// a key that can be copied is a passkey.
func TestTheLevelIsTheKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	synced := newSoftKey(t, r.base)
	synced.flags |= flagBE | flagBS
	if e := b.register(aal3User, "security-key", synced); e.Done != "Passkey" || e.Authenticator != "passkey" {
		t.Fatalf("%+v", e)
	}
	s := b.choose(b.authorize().step(t), aal3User, "security-key")
	if !strings.Contains(s.Problem, "no security key") {
		t.Errorf("%+v", s)
	}
	if s = b.choose(s, aal3User, "passkey"); !strings.Contains(s.Problem, "Choose") {
		t.Errorf("AAL3 by passkey: %+v", s)
	}
	s = b.choose(b.authorize("acr_values", "AAL2_OR_AAL3_ANY").step(t), aal3User, "passkey")
	s = b.answerStep(s, "webauthn", "response", synced.get(t, s.Options))
	if got := r.claimsOf(b.finish(s)); got.AuthLevel.Value != 2 || got.ACR != "AAL2_OR_AAL3_ANY" {
		t.Errorf("%+v", got)
	}
	built := newSoftKey(t, r.base)
	built.attachment = "platform"
	if e := b.register(aal3User, "platform", built); e.Authenticator != "platform" {
		t.Errorf("%+v", e)
	}
	// And a key of a user of AAL2 is none, whatever it is called.
	if e := b.beginRegistration(aal2User, "security-key"); !strings.Contains(e.Problem, "AAL2 at most") {
		t.Errorf("%+v", e)
	}
	if e := b.register(aal2User, "passkey", newSoftKey(t, r.base)); !strings.Contains(e.Problem, "AAL2 at most") || e.Done != "" {
		t.Errorf("%+v", e)
	}
}

func TestAssertionsThatAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, act := range map[string]func(b *browser, k *softKey, s mockcis2.Step) mockcis2.Step{
		"without user verification": func(b *browser, k *softKey, s mockcis2.Step) mockcis2.Step {
			k.flags = flagUP
			return b.answerStep(s, "webauthn", "response", k.get(t, s.Options))
		},
		"of another page": func(b *browser, k *softKey, s mockcis2.Step) mockcis2.Step {
			k.origin = "http://localhost:1"
			return b.answerStep(s, "webauthn", "response", k.get(t, s.Options))
		},
		"with a counter that went back": func(b *browser, k *softKey, s mockcis2.Step) mockcis2.Step {
			s = b.answerStep(s, "webauthn", "response", k.get(t, s.Options))
			b.finish(s)
			k.counter = 1
			s = b.choose(b.authorize("prompt", "login").step(t), appUser, "security-key")
			return b.answerStep(s, "webauthn", "response", k.get(t, s.Options))
		},
		"of another login": func(b *browser, k *softKey, s mockcis2.Step) mockcis2.Step {
			other := b.choose(b.authorize().step(t), appUser, "security-key")
			return b.answerStep(s, "webauthn", "response", k.get(t, other.Options))
		},
		"of a key that is not registered": func(b *browser, _ *softKey, s mockcis2.Step) mockcis2.Step {
			return b.answerStep(s, "webauthn", "response", newSoftKey(t, r.base).get(t, s.Options))
		},
		"of another user's key": func(b *browser, _ *softKey, s mockcis2.Step) mockcis2.Step {
			k := newSoftKey(t, r.base)
			b.register(otherUser, "security-key", k)
			return b.answerStep(s, "webauthn", "response", k.get(t, s.Options))
		},
		"that is synced all at once": func(b *browser, k *softKey, s mockcis2.Step) mockcis2.Step {
			k.flags |= flagBE
			return b.answerStep(s, "webauthn", "response", k.get(t, s.Options))
		},
		"that is none": func(b *browser, _ *softKey, s mockcis2.Step) mockcis2.Step {
			return b.answerStep(s, "webauthn", "response", "{}")
		},
	} {
		b := r.browser()
		k := newSoftKey(t, r.base)
		b.register(appUser, "security-key", k)
		s := act(b, k, b.choose(b.authorize().step(t), appUser, "security-key"))
		if s.Stage != "choose" || !strings.Contains(s.Problem, "refused") {
			t.Errorf("an assertion %s: %+v", name, s)
		}
	}
	// A challenge is good for one answer, even of two at the same time.
	b := r.browser()
	k := newSoftKey(t, r.base)
	b.register(otherUser, "security-key", k)
	s := b.choose(b.authorize().step(t), otherUser, "security-key")
	first, second := k.get(t, s.Options), k.get(t, s.Options)
	if s := b.answerStep(s, "webauthn", "response", first); s.Stage != "done" {
		t.Fatalf("%+v", s)
	}
	b.finish(b.get(s.Action).step(t))
	if a := b.form(s.Action, "csrf", s.CSRF, "do", "webauthn", "response", second); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	unverified := newSoftKey(t, r.base)
	unverified.flags = flagUP
	elsewhere := newSoftKey(t, "http://localhost:1")
	for name, k := range map[string]*softKey{"without user verification": unverified, "of another page": elsewhere} {
		if e := b.register(aal3User, "security-key", k); e.Done != "" || e.Problem == "" {
			t.Errorf("a key %s: %+v", name, e)
		}
	}
	if e := b.beginRegistration("123456789012", "security-key"); !strings.Contains(e.Problem, "no such user") {
		t.Errorf("%+v", e)
	}
	if e := b.beginRegistration(aal3User, "smartcard"); !strings.Contains(e.Problem, "Choose") {
		t.Errorf("%+v", e)
	}
	// Another browser takes no part in it.
	e := b.beginRegistration(aal3User, "security-key")
	other := r.browser()
	other.get("/register")
	if a := other.form(e.Action, "csrf", e.CSRF, "response", newSoftKey(t, r.base).create(t, e.Options)); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.form(e.Action, "csrf", "x", "response", newSoftKey(t, r.base).create(t, e.Options)); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
