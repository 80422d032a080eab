package login

import (
	"testing"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
)

// TestProofsOfVirtualAuthenticatorsAreForTheMockAlone is rule 4.
func TestProofsOfVirtualAuthenticatorsAreForTheMockAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		origin contract.Origin
		target string
		proves bool
	}{
		{contract.Virtual, "mock", true},
		{contract.Physical, "mock", true},
		{contract.Physical, "int", true},
		{contract.Virtual, "int", false},
		{"", "int", false},
		{"", "prod", false},
	} {
		l := contract.Login{
			State: contract.LoginFailed, Scenario: contract.ScenarioSignIn, Authenticator: "key-1", Kind: contract.SecurityKey, Origin: tt.origin,
			Target: tt.target, User: "656005750108", Steps: []contract.LoginStep{{Name: "proof", State: contract.StepFail, Code: "LOGIN_REFUSED"}},
		}
		if p := proofOf(&l, nil); (p != nil) != tt.proves || p != nil && p.Outcome != contract.Refused {
			t.Errorf("%+v: %+v", tt, p)
		}
	}
}

// TestWhatARunShows: a proof or a refusal of the authenticator, and else nothing.
func TestWhatARunShows(t *testing.T) {
	t.Parallel()
	said := &cis2.IDToken{Subject: "656005750108", ACR: "AAL3_ANY", AMR: []string{"FIDO2"}, AuthLevel: &cis2.Level{Value: 3}}
	failed := func(step, code string) []contract.LoginStep {
		return []contract.LoginStep{{Name: "lease", State: contract.StepPass}, {Name: step, State: contract.StepFail, Code: code}, {Name: "proof", State: contract.StepSkipped}}
	}
	for name, tt := range map[string]struct {
		change func(*contract.Login)
		said   *cis2.IDToken
		want   contract.ProofOutcome // empty: nothing
	}{
		"passed":                 {func(*contract.Login) {}, said, contract.Proven},
		"passed without it":      {func(*contract.Login) {}, nil, ""},
		"no authenticator":       {func(l *contract.Login) { l.Authenticator = "" }, said, ""},
		"a refusal that must be": {func(l *contract.Login) { l.Scenario = contract.ScenarioWrongUser }, said, ""},
		"the signature refused":  {func(l *contract.Login) { l.State, l.Steps = contract.LoginFailed, failed("proof", "LOGIN_REFUSED") }, said, contract.Refused},
		"no answer to it":        {func(l *contract.Login) { l.State, l.Steps = contract.LoginFailed, failed("proof", "LOGIN_NO_ANSWER") }, said, ""},
		"the user refused":       {func(l *contract.Login) { l.State, l.Steps = contract.LoginFailed, failed("choose", "LOGIN_REFUSED") }, nil, ""},
		"tokens too weak": {func(l *contract.Login) {
			l.State, l.Steps = contract.LoginFailed, failed("authentication-level", "TOK_AAL")
		}, said, ""},
		"aborted": {func(l *contract.Login) { l.State, l.Steps = contract.LoginAborted, failed("proof", "LOGIN_REFUSED") }, said, ""},
		"nobody":  {func(*contract.Login) {}, &cis2.IDToken{}, ""},
	} {
		l := contract.Login{State: contract.LoginPassed, Scenario: contract.ScenarioSignIn, Authenticator: "key-1", Kind: contract.SecurityKey, Origin: contract.Physical, Target: "int", User: "656005750108"}
		tt.change(&l)
		p := proofOf(&l, tt.said)
		if (p == nil) != (tt.want == "") || p != nil && p.Outcome != tt.want {
			t.Errorf("%s: %+v", name, p)
		}
		if p != nil && p.Outcome == contract.Proven && (p.AAL != 3 || p.ACR != "AAL3_ANY" || p.AMR[0] != "FIDO2") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
