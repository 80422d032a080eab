package mockcis2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
)

// TestWhatIsOffered holds the page to the request: what does not satisfy it is
// not offered.
func TestWhatIsOffered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	aal3 := []cis2.Authenticator{"smartcard", "security-key", "platform"}
	for acr, want := range map[string][]cis2.Authenticator{
		"": aal3, "AAL3_ANY": aal3, "AAL2_OR_AAL3_ANY": append(slices.Clone(aal3), "passkey", "totp"), "AAL2_ANY": append(slices.Clone(aal3), "passkey", "totp"),
		"AAL1_USERPASS": {"user-name"}, "AAL3_FIDO2": {"security-key", "platform"}, "AAL3_N3_SMARTCARD": {"smartcard"},
		"AAL3_CIS2_SMARTCARD": {"smartcard"}, "AAL3_SMARTCARD": {"smartcard"}, "AAL2_TOTP": {"totp"},
	} {
		if got := r.browser().authorize("acr_values", acr).step(t); !slices.Equal(got.Authenticators, want) {
			t.Errorf("%s: %v", acr, got.Authenticators)
		}
	}
	for _, acr := range []string{"AAL3_IOS", "AAL2_NHSMAIL", "AAL3_IOS AAL2_NHSMAIL"} {
		if got := r.browser().authorize("acr_values", acr); got.location == nil || got.location.Query().Get("error") != "unmet_authentication_requirements" {
			t.Errorf("%s: %+v", acr, got)
		}
	}
	// Without an authority no card signs in; at an IP address there is no WebAuthn.
	bare := newRig(t, func(c *mockcis2.Config) { c.CardRoots = nil })
	if got := bare.browser().authorize().step(t); slices.Contains(got.Authenticators, "smartcard") {
		t.Error("a smartcard is offered, and nobody can check it")
	}
}

// TestAUserReachesNoMoreThanTheirLevel is the table of users and authenticators:
// no button makes a level.
func TestAUserReachesNoMoreThanTheirLevel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for user, highest := range map[string]int{aal1User: 1, aal2User: 2, aal3User: 3} {
		for _, with := range []cis2.Authenticator{"smartcard", "security-key", "platform", "passkey", "totp", "user-name", "ios", "pigeon", ""} {
			for _, acr := range cis2.DefaultACRs() {
				first := r.browser()
				a := first.authorize("acr_values", acr.Value)
				if a.location != nil {
					continue // not offered here at all
				}
				s := first.choose(a.step(t), user, string(with))
				may := acr.Admits(with) && cis2.AALOf(with) <= highest && with != "ios"
				went := s.Stage != "choose"
				if with == "smartcard" && may != went || !may && went {
					t.Errorf("%s at %s with %q: %s %q", user, acr.Value, with, s.Stage, s.Problem)
				}
			}
		}
	}
}

func TestLevelsInTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, row := range []struct{ acr, amr, want string }{
		{"AAL3_ANY", "N3_SMARTCARD", "AAL3_ANY"},
		{"AAL3_CIS2_SMARTCARD", "CIS2_SMARTCARD", "AAL3_CIS2_SMARTCARD"},
		{"AAL3_FIDO2 AAL3_SMARTCARD", "N3_SMARTCARD", "AAL3_SMARTCARD"},
		{"AAL2_ANY", "N3_SMARTCARD", "AAL2_ANY"},
		{"", "N3_SMARTCARD", "AAL3_ANY"},
	} {
		got := r.claimsOf(r.browser().signIn(aal3User, "acr_values", row.acr))
		if got.ACR != row.want || got.AMR[0] != row.amr || got.AuthLevel.Value != 3 {
			t.Errorf("%q: %+v", row.acr, got)
		}
	}
	b := r.browser()
	s := b.choose(b.authorize("acr_values", "AAL1_USERPASS").step(t), aal1User, "user-name")
	if got := r.claimsOf(b.finish(s)); got.AuthLevel.Value != 1 || got.ACR != "AAL1_USERPASS" {
		t.Errorf("%+v", got)
	}
	// The identity that is not proven shows.
	if got := r.claimsOf(r.browser().signIn("555031999105")); got.IdentityLevel.Value != 2 || got.AuthLevel.Value != 3 {
		t.Errorf("%+v", got)
	}
}

func TestARoleIsChosen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	const scope = "openid selectedrole nationalrbacaccess"
	s := b.waiting(manyRoles, "scope", scope)
	b.prove(s.Reference, r.ca.card(t, manyRoles))
	s = b.get(s.Action).step(t)
	if s.Stage != "role" || len(s.Roles) != 2 {
		t.Fatalf("%+v", s)
	}
	if a := b.get(s.Action + "/continue"); a.status != 404 {
		t.Errorf("without a role: %d", a.status)
	}
	if got := b.answerStep(s, "role", "role", "x"); got.Stage != "role" || got.Problem == "" {
		t.Errorf("%+v", got)
	}
	want := s.Roles[1].RoleID
	if got := r.claimsOf(b.finish(b.answerStep(s, "role", "role", want))); got.SelectedRole != want {
		t.Errorf("%+v", got)
	}
	// The session has it; one without asks.
	if got := r.claimsOf(codeOf(t, b.authorize("scope", scope, "prompt", "none"))); got.SelectedRole != want {
		t.Errorf("%+v", got)
	}
	other := r.browser()
	if got := r.claimsOf(other.signIn(manyRoles)); got.SelectedRole != "" {
		t.Errorf("%+v", got)
	}
	if a := other.authorize("scope", scope, "prompt", "none"); a.location.Query().Get("error") != "interaction_required" {
		t.Error(a.location)
	}
	s = other.authorize("scope", scope).step(t)
	if got := r.claimsOf(other.finish(other.answerStep(s, "role", "role", want))); s.Stage != "role" || got.SelectedRole != want {
		t.Error(fmt.Sprint(s.Stage, got.SelectedRole))
	}
}

// TestTheLevelIsLookedAtLast holds that what a user may reach is decided when
// somebody has authenticated, whatever was shown before.
func TestTheLevelIsLookedAtLast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.waiting(appUser)
	if err := r.server.SetUser(mockcis2.User{User: cis2.User{UUID: appUser, AAL: 2, IAL: 3}}); err != nil {
		t.Fatal(err)
	}
	b.prove(s.Reference, r.ca.card(t, appUser))
	if s = b.get(s.Action).step(t); s.Stage != "choose" || !strings.Contains(s.Problem, "does not reach") {
		t.Errorf("%+v", s)
	}
}
