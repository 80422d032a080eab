package assurance_test

import (
	"slices"
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

// TestACheckOfAnotherTargetIsNotLookedAt: what is wrong with one target keeps
// nobody from another, and what is right with one proves nothing of another.
func TestACheckOfAnotherTargetIsNotLookedAt(t *testing.T) {
	t.Parallel()
	s := settled(snapshot(with(machine("windows"), []string{"c"}, nil, contract.Physical)))
	ask := func(target string) contract.Verdict {
		return assurance.Judge(s, contract.Question{AAL: 3, Target: target, Kind: contract.Smartcard})
	}
	s.Checks = append(s.Checks, checkAt("prod", failure.NetIssuer, contract.Fail))
	s.Authenticators[0].Checks = append(s.Authenticators[0].Checks, checkAt("prod", failure.CertValid, contract.Fail))
	v := ask("int")
	if v.Outcome != contract.VerdictReady {
		t.Errorf("what fails for prod makes it %s: %s", v.Outcome, v.Summary)
	}
	for _, c := range append(v.Checks, v.Candidates[0].Checks...) {
		if c.Target != "" && c.Target != "int" {
			t.Errorf("the verdict for int shows %s at %s", c.Code, c.Target)
		}
	}
	if v := ask("prod"); v.Outcome != contract.VerdictNotReady {
		t.Errorf("what fails for prod leaves it %s there: %s", v.Outcome, v.Summary)
	}
	// Nobody looked at dep: that int answers does not settle it.
	v = ask("dep")
	if v.Outcome != contract.VerdictUnproven || !slices.ContainsFunc(v.Checks, func(c contract.Check) bool {
		return c.Code == string(failure.NetIssuer) && c.State == contract.Unknown
	}) {
		t.Errorf("%s: %s", v.Outcome, v.Summary)
	}
}

func checkAt(target string, code failure.Code, state contract.CheckState) contract.Check {
	c := health.Check(code, state, "seen", noon)
	c.Target = target
	return c
}

func TestTheTableCannotBeChanged(t *testing.T) {
	t.Parallel()
	assurance.Rules(contract.Smartcard)[0].Required = false
	if !assurance.Rules(contract.Smartcard)[0].Required {
		t.Error("the table was changed from outside")
	}
}
