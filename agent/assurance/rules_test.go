package assurance_test

import (
	"testing"

	"authbridge/agent/assurance"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

var allKinds = []contract.Kind{contract.Smartcard, contract.SecurityKey, contract.Platform, contract.TOTP}

func TestEveryRuleHasItsClause(t *testing.T) {
	t.Parallel()
	for _, kind := range allKinds {
		if len(assurance.Rules(kind)) == 0 {
			t.Errorf("no rule for %s", kind)
		}
		for _, r := range assurance.Rules(kind) {
			if r.Clause == "" || r.Kind != kind {
				t.Errorf("%s of %s has the clause %q", r.Code, r.Kind, r.Clause)
			}
			if e, known := failure.Lookup(r.Code); !known || e.Remedy == "" {
				t.Errorf("%s is not in the registry", r.Code)
			}
		}
	}
}

// TestEveryCheckOfAnAuthenticatorIsInTheTable: none applies, or not, by
// accident.
func TestEveryCheckOfAnAuthenticatorIsInTheTable(t *testing.T) {
	t.Parallel()
	for _, check := range health.Rules() {
		kind := contract.Kind(check.Scope)
		if kind != contract.Smartcard && kind != contract.SecurityKey {
			continue
		}
		found := false
		for _, r := range assurance.Rules(kind) {
			found = found || r.Code == check.Code && !r.Machine
		}
		if !found {
			t.Errorf("no rule says what %s means for a %s", check.Code, kind)
		}
	}
}

// TestWhatDoesNotApplyToTheMock holds DESIGN section 6.
func TestWhatDoesNotApplyToTheMock(t *testing.T) {
	t.Parallel()
	for _, code := range []failure.Code{
		failure.CardSingle, failure.OSSupport, failure.NHSCM, failure.NHSPortService, failure.NHSClientConflict, failure.NHSEnvReg,
		failure.CertIssuerEnv, failure.KeyRegistered, failure.WHRegistered,
	} {
		for _, kind := range allKinds {
			for _, r := range assurance.Rules(kind) {
				if r.Code == code && r.Where == assurance.Everywhere {
					t.Errorf("%s applies to the mock for a %s", code, kind)
				}
			}
		}
	}
	broken := snapshot(with(machine("linux"), []string{"v", "w"}, []string{"k"}, contract.Virtual))
	for i, c := range broken.Checks {
		broken.Checks[i] = health.Check(failure.Code(c.Code), contract.Fail, "broken", noon)
	}
	for _, kind := range []contract.Kind{contract.Smartcard, contract.SecurityKey} {
		if v := assurance.Judge(broken, contract.Question{AAL: 3, Target: "mock", Kind: kind}); v.Outcome != contract.VerdictReady {
			t.Errorf("a broken machine keeps a good virtual %s from the mock: %s", kind, v.Summary)
		}
	}
}

func TestARequiredCheckThatNobodyMadeIsNotPassedOver(t *testing.T) {
	t.Parallel()
	s := snapshot(with(machine("linux"), []string{"v"}, nil, contract.Virtual))
	s.Authenticators[0].Checks = s.Authenticators[0].Checks[:1]
	v := assurance.Judge(s, contract.Question{AAL: 3, Target: "mock"})
	if v.Outcome != contract.VerdictUnproven {
		t.Errorf("%s: %s", v.Outcome, v.Summary)
	}
}

func TestTheTableCannotBeChanged(t *testing.T) {
	t.Parallel()
	assurance.Rules(contract.Smartcard)[0].Required = false
	if !assurance.Rules(contract.Smartcard)[0].Required {
		t.Error("the table was changed from outside")
	}
}
