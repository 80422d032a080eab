package mockcis2_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
)

func code(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *browser) totp(s mockcis2.Step, code string) mockcis2.Step {
	b.t.Helper()
	return b.answerStep(s, "totp", "code", code)
}

func TestCodesOfAnApp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	begin := func() mockcis2.Step {
		return b.choose(b.authorize("acr_values", "AAL2_TOTP", "prompt", "login").step(t), appUser, "totp")
	}
	now := r.clock.now()
	used := code(t, appSecret, now)
	s := b.totp(begin(), used[:3]+" "+used[3:])
	if got := r.claimsOf(b.finish(s)); got.AuthLevel.Value != 2 || got.AMR[0] != "TOTP" || got.ACR != "AAL2_TOTP" {
		t.Errorf("%+v", got)
	}
	for name, row := range map[string]struct {
		code string
		ok   bool
	}{
		"the same again":         {used, false},
		"the one before":         {code(t, appSecret, now.Add(-30*time.Second)), false},
		"one of two steps later": {code(t, appSecret, now.Add(time.Minute)), false},
		"none":                   {"", false},
	} {
		if s := b.totp(begin(), row.code); (s.Stage == "done") != row.ok {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s := b.totp(begin(), code(t, appSecret, now.Add(30*time.Second))); s.Stage != "done" {
		t.Errorf("the next one: %+v", s)
	}
}

// TestAnAppThatIsLent signs in somebody who has none, once, and only while it is
// lent.
func TestAnAppThatIsLent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	const user = "656005750107" // of AAL3, without an app
	begin := func() mockcis2.Step {
		return b.choose(b.authorize("acr_values", "AAL2_TOTP", "prompt", "login").step(t), user, "totp")
	}
	if s := begin(); s.Stage != "choose" || s.Problem == "" {
		t.Errorf("without an app: %+v", s)
	}
	secret, takeBack, err := r.server.LendTOTP(user)
	if err != nil {
		t.Fatal(err)
	}
	other, takeOther, err := r.server.LendTOTP(user)
	if err != nil || string(other) == string(secret) {
		t.Fatal(err)
	}
	now := r.clock.now()
	for name, row := range map[string]struct {
		code string
		ok   bool
	}{
		"its code":          {code(t, string(secret), now), true},
		"that of the other": {code(t, string(other), now.Add(-30*time.Second)), true},
	} {
		if s := b.totp(begin(), row.code); (s.Stage == "done") != row.ok {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s := b.totp(begin(), code(t, string(secret), now.Add(30*time.Second))); s.Stage == "done" {
		t.Errorf("a second code: %+v", s)
	}
	late := begin()
	takeBack()
	takeOther()
	if s := b.totp(late, code(t, string(secret), now)); s.Stage == "done" {
		t.Errorf("it was taken back: %+v", s)
	}
	if _, _, err := r.server.LendTOTP("999999999999"); err == nil {
		t.Error("it is lent to nobody")
	}
}

func TestCodesAreNotGuessed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.choose(b.authorize("acr_values", "AAL2_ANY").step(t), appUser, "totp")
	right := code(t, appSecret, r.clock.now())
	wrong := "000000"
	if right == wrong {
		wrong = "000001"
	}
	for range 5 {
		s = b.totp(s, wrong)
	}
	if s = b.totp(s, right); s.Stage == "done" || !strings.Contains(s.Problem, "Too many") {
		t.Errorf("after five wrong ones: %+v", s)
	}
	r.clock.pass(5 * time.Minute)
	if s = b.totp(s, code(t, appSecret, r.clock.now())); s.Stage != "done" {
		t.Errorf("five minutes later: %+v", s)
	}
}

func TestAnAppIsRegistered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.authorize("acr_values", "AAL2_TOTP").step(t)
	if got := b.choose(s, aal2User, "totp"); !strings.Contains(got.Problem, "no authenticator app") {
		t.Errorf("%+v", got)
	}
	e := b.beginRegistration(aal2User, "totp")
	if e = b.form(e.Action, "csrf", e.CSRF, "code", "123").enrolment(t); e.Problem == "" || e.Secret == "" {
		t.Errorf("%+v", e)
	}
	secret := e.Secret
	if e = b.form(e.Action, "csrf", e.CSRF, "code", code(t, secret, r.clock.now())).enrolment(t); e.Done == "" || e.Secret != "" {
		t.Fatalf("%+v", e)
	}
	s = b.choose(s, aal2User, "totp")
	if got := b.totp(s, code(t, secret, r.clock.now())); got.Stage == "done" {
		t.Error("the code that registered it signs in too")
	}
	r.clock.pass(30 * time.Second)
	if got := b.totp(s, code(t, secret, r.clock.now())); got.Stage != "done" {
		t.Errorf("%+v", got)
	}
}

// TestAUserWhoIsChangedKeepsTheApp: what changes a user knows no secret.
func TestAUserWhoIsChangedKeepsTheApp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.server.SetUser(mockcis2.User{User: cis2.User{UUID: appUser, AAL: 2, IAL: 3}}); err != nil {
		t.Fatal(err)
	}
	b := r.browser()
	s := b.totp(b.choose(b.authorize("acr_values", "AAL2_TOTP").step(t), appUser, "totp"), code(t, appSecret, r.clock.now()))
	if s.Stage != "done" {
		t.Errorf("%+v", s)
	}
}
