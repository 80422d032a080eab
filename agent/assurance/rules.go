package assurance

import (
	"fmt"
	"slices"
	"sync"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

// Mock is the one target that is not real.
const Mock = "mock"

// Where is the sort of target a rule holds for.
type Where int

// The sorts.
const (
	Everywhere Where = iota
	AtReal           // at every target but the mock
	Nowhere          // known, and of no weight for a sign-in
)

// Rule says what a check means for a sign-in.
type Rule struct {
	Code failure.Code
	Kind contract.Kind
	// Machine: the check is one of the machine; else the authenticator's own.
	Machine bool
	Where   Where
	// Required: while it is unknown the verdict is unproven. What is not
	// required must not fail, and may be unknown.
	Required bool
	// Clause is where the rule comes from.
	Clause string
}

// Rules lists what applies to a kind of authenticator. A check that an
// authenticator has and no rule names applies and is not required.
func Rules(kind contract.Kind) []Rule { return slices.Clone(table(kind)) }

// tables are built once and never changed after.
var tables = sync.OnceValue(func() map[contract.Kind][]Rule {
	all := make(map[contract.Kind][]Rule)
	for _, kind := range []contract.Kind{contract.Smartcard, contract.SecurityKey, contract.Platform, contract.TOTP} {
		all[kind] = rulesOf(kind)
	}
	return all
})

func table(kind contract.Kind) []Rule { return tables()[kind] }

func rulesOf(kind contract.Kind) []Rule {
	var rules []Rule
	switch kind {
	case contract.Smartcard:
		rules = cardRules()
	case contract.SecurityKey:
		rules = keyRules()
	case contract.Platform:
		rules = platformRules()
	case contract.TOTP:
		rules = []Rule{
			{Code: failure.AuthenticatorUser, Required: true, Clause: "SP 800-63B, 6.1; NHS: add an authenticator"},
			{Code: failure.TOTPReady, Required: true, Clause: "SP 800-63B, 5.1.4.1; NHS: add an authenticator"},
			{Code: failure.EnvUUID, Where: AtReal, Clause: "NHS: test your software"},
			{Code: failure.NetIssuer, Machine: true, Where: AtReal, Required: true, Clause: "OpenID Connect Discovery 1.0, 4; NHS: allowing domains"},
			{Code: failure.NetACR, Machine: true, Where: AtReal, Clause: "NHS: ACR values"},
			{Code: failure.ClockSkew, Machine: true, Where: AtReal, Clause: "RFC 6238, 6; NHS: security considerations"},
		}
	}
	rules = append(rules, targetRules()...)
	for i := range rules {
		rules[i].Kind = kind
	}
	return rules
}

// targetRules are of the target: the same whatever one signs in with.
func targetRules() []Rule {
	return []Rule{
		{Code: failure.NetIssuer, Machine: true, Where: AtReal, Required: true, Clause: "OpenID Connect Discovery 1.0, 4; NHS: allowing domains"},
		{Code: failure.NetACR, Machine: true, Where: AtReal, Clause: "NHS: ACR values"},
		{Code: failure.ClockSkew, Machine: true, Where: AtReal, Clause: "NHS: security considerations"},
	}
}

func cardRules() []Rule {
	return []Rule{
		{Code: failure.CardPresent, Required: true, Clause: "SP 800-63B, 5.1.9.1; NHS: ERR1002"},
		{Code: failure.CardSeries, Clause: "NHS: deprecation of smartcard series 4, 5 and 6"},
		{Code: failure.CardSeries, Where: AtReal, Required: true, Clause: "NHS: deprecation of smartcard series 4, 5 and 6"},
		{Code: failure.CardBlank, Required: true, Clause: "SP 800-63B, 5.1.9.1; NHS: 400_645"},
		{Code: failure.CertValid, Required: true, Clause: "SP 800-63B, 6.3; NHS: self-renewal"},
		{Code: failure.CertIssuerEnv, Where: AtReal, Required: true, Clause: "SP 800-63B, 6.1; NHS: environments"},
		{Code: failure.CertUUID, Required: true, Clause: "SP 800-63B, 6.1; NHS: test your software"},
		{Code: failure.EnvUUID, Clause: "NHS: test your software"},
		{Code: failure.PINRetries, Required: true, Clause: "SP 800-63B, 5.2.2; NHS: unlock a smartcard"},

		{Code: failure.CardSingle, Machine: true, Where: AtReal, Required: true, Clause: "NHS: ERR1002"},
		{Code: failure.OSSupport, Machine: true, Where: AtReal, Required: true, Clause: "NHS: Smartcard Connect"},
		{Code: failure.NHSCM, Machine: true, Where: AtReal, Required: true, Clause: "NHS: Credential Management, PR30007"},
		{Code: failure.NHSPortService, Machine: true, Where: AtReal, Required: true, Clause: "NHS: Credential Management, PR20002"},
		{Code: failure.NHSClientConflict, Machine: true, Where: AtReal, Clause: "NHS: Smartcard Connect"},
		{Code: failure.NHSEnvReg, Machine: true, Where: AtReal, Clause: "NHS: IA Registry Editor"},
		{Code: failure.MWPIV, Machine: true, Where: AtReal, Clause: "NHS: Credential Management"},
		{Code: failure.MWOberthur, Machine: true, Where: AtReal, Clause: "NHS: Smartcard Connect"},
		{Code: failure.NetHSCN, Machine: true, Where: AtReal, Clause: "NHS: smartcards requiring HSCN"},
	}
}

func keyRules() []Rule {
	return []Rule{
		{Code: failure.KeyPresent, Required: true, Clause: "SP 800-63B, 5.1.9.1"},
		{Code: failure.KeyFIDO2, Required: true, Clause: "SP 800-63B, 5.2.5; NHS: security keys"},
		{Code: failure.KeyPINSet, Required: true, Clause: "SP 800-63B, 5.1.9.1: activation by a second factor"},
		{Code: failure.KeyPINRetries, Required: true, Clause: "SP 800-63B, 5.2.2"},
		// Whether level 1 is refused is not published: it is said, not held against the key.
		{Code: failure.KeyL2, Where: AtReal, Clause: "SP 800-63B, 4.3.2; NHS: security keys"},
		{Code: failure.KeyCCID, Where: AtReal, Clause: "NHS: use a security key"},
		{Code: failure.AuthenticatorUser, Required: true, Clause: "SP 800-63B, 6.1; NHS: manage security keys"},
		{Code: failure.EnvUUID, Where: AtReal, Clause: "NHS: test your software"},
		{Code: failure.KeyRegistered, Where: AtReal, Required: true, Clause: "SP 800-63B, 6.1; NHS: manage security keys"},
	}
}

func platformRules() []Rule {
	return []Rule{
		{Code: failure.AuthenticatorUser, Required: true, Clause: "SP 800-63B, 6.1; NHS: Windows Hello for Business"},
		{Code: failure.EnvUUID, Where: AtReal, Clause: "NHS: test your software"},
		{Code: failure.WHPlatform, Machine: true, Required: true, Clause: "SP 800-63B, 5.1.9.1; NHS: Windows Hello for Business"},
		{Code: failure.WHTPM, Machine: true, Required: true, Clause: "SP 800-63B, 4.3.2; NHS: Windows Hello for Business"},
		{Code: failure.WHEnrolled, Machine: true, Required: true, Clause: "SP 800-63B, 5.1.9.1: activation by a second factor"},
		{Code: failure.WHRegistered, Machine: true, Where: AtReal, Required: true, Clause: "SP 800-63B, 6.1; NHS: Windows Hello for Business"},
		{Code: failure.WHBattery, Machine: true, Where: Nowhere, Clause: "NHS: manage Windows Hello for Business devices: for registering only"},
	}
}

// presence are the checks of the machine that say why no authenticator of a
// kind is there.
func presence(kind contract.Kind) []failure.Code {
	switch kind {
	case contract.Smartcard:
		return []failure.Code{failure.PCSCService, failure.ReaderPresent, failure.CardPresent}
	case contract.SecurityKey:
		return []failure.Code{failure.KeyPresent}
	}
	return nil
}

// level is the highest level that a kind reaches (SP 800-63B, 4.2.1 and
// 4.3.1; NHS: authenticators).
func level(kind contract.Kind) int {
	switch kind {
	case contract.TOTP:
		return 2
	case contract.Smartcard, contract.SecurityKey, contract.Platform:
		return 3
	}
	return 0
}

func reaches(kind contract.Kind) string {
	if level(kind) == 0 {
		return "an authenticator of this kind is not known"
	}
	return fmt.Sprintf("an authenticator of this kind reaches AAL%d at most", level(kind))
}

// weight is what a check means in the light of a question.
type weight int

const (
	ignored weight = iota
	applies
	required
)

// weigh finds what the table says of a check of a kind at a target; named is
// false where it says nothing.
func weigh(code failure.Code, kind contract.Kind, machine bool, target string) (w weight, named bool) {
	code = health.StandsFor(code, kind)
	for _, r := range table(kind) {
		if r.Code != code || r.Machine != machine {
			continue
		}
		named = true
		if r.Where == Nowhere || r.Where == AtReal && target == Mock {
			continue
		}
		w = max(w, applies)
		if r.Required {
			w = required
		}
	}
	return w, named
}
