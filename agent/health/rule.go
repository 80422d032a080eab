package health

import (
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Scope is what a check belongs to.
type Scope string

// The scopes.
const (
	OfMachine Scope = "machine"
	OfReader  Scope = "reader"
	OfCard    Scope = "smartcard"
	OfKey     Scope = "security-key"
	OfApp     Scope = "totp"
)

// Rule is one row of the table of checks.
type Rule struct {
	Code  failure.Code
	Scope Scope
	// PerTarget makes one check for each of [Facts.Targets].
	PerTarget bool
	// DependsOn are checks of the same scope, and the same target if they are
	// made for each, that must have been found at least usable (pass or warn)
	// before this one means anything; else it is unknown, and its evidence
	// names what it waits for.
	DependsOn []failure.Code
	// TimeToVisible is how long a worse state must last before it shows, so
	// that what comes and goes in a moment does not flap. Better states show
	// at once, and so does a failure of a reader or authenticator. Zero for
	// all but four: the smartcard service, the presence of readers, and
	// another program's use of a card, in its reader and with the card.
	TimeToVisible time.Duration

	judge func(subject) finding
}

// subject is what a rule looks at; reader, card, key and app as the scope says,
// target where a check is made for each.
type subject struct {
	facts  *Facts
	now    time.Time
	reader *contract.Reader
	card   *Card
	key    *Key
	app    *App
	target *Target
}

// row is one check of a subject: no two have the same rule and target.
type row struct {
	*Rule
	target int // in Facts.Targets; forAll: the check holds for every one
}

const forAll = -1

// rows are the checks that rules make, in the order in which they appear.
func rows(rules []Rule, targets int) []row {
	all := make([]row, 0, len(rules))
	for i := range rules {
		if !rules[i].PerTarget {
			all = append(all, row{&rules[i], forAll})
			continue
		}
		for target := range targets {
			all = append(all, row{&rules[i], target})
		}
	}
	return all
}

// finding is what a rule says.
type finding struct {
	state    contract.CheckState
	evidence string
	// waits: it means nothing while something else, which has a check of its
	// own with the remedy, is not as it must be.
	waits bool
	// code stands in for the rule's own, where a condition has a code with
	// words of its own: CARD_MUTE for CARD_PRESENT.
	code failure.Code
	// at is when it was observed; zero is when its subject was.
	at time.Time
	// again is when time alone can change it; zero is never.
	again time.Time
}

func pass(evidence string) finding { return finding{state: contract.Pass, evidence: evidence} }
func warn(evidence string) finding { return finding{state: contract.Warn, evidence: evidence} }
func fail(evidence string) finding { return finding{state: contract.Fail, evidence: evidence} }
func unknown(evidence string) finding {
	return finding{state: contract.Unknown, evidence: evidence}
}

// waits is unknown for want of something else.
func waits(evidence string) finding {
	f := unknown(evidence)
	f.waits = true
	return f
}

// as gives the finding the code and words of a condition.
func (f finding) as(code failure.Code) finding {
	f.code = code
	return f
}

// NotChecked is the evidence of a check that the registry has and this version
// does not make.
const NotChecked = "not checked by this version"

// Rules lists all checks, in the order in which they appear. No rule depends
// on one that comes after it.
func Rules() []Rule {
	var all []Rule
	all = append(all, machineRules()...)
	all = append(all, readerRules()...)
	all = append(all, cardRules()...)
	all = append(all, keyRules()...)
	all = append(all, appRules()...)
	return all
}

// StandsFor says which check a condition's code stands in for: CARD_MUTE is
// what CARD_PRESENT says of a card that does not answer. Other codes stand for
// themselves.
func StandsFor(code failure.Code, kind contract.Kind) failure.Code {
	switch code {
	case failure.CardMute, failure.CardHung, failure.CardInUse, failure.CardUnreadable, failure.CardGone:
		return failure.CardPresent
	case failure.KeyMute, failure.KeyHostile, failure.KeyUnreadable, failure.KeyBusy, failure.KeyForbidden, failure.KeyGone,
		failure.FIDOUnavailable, failure.FIDONeedsAdmin:
		return failure.KeyPresent
	case failure.PCSCNotInstalled, failure.PCSCUnavailable, failure.PCSCDenied, failure.PhysicalLocked, failure.PhysicalOff:
		return failure.PCSCService
	case failure.PINTriesUnknown:
		return failure.PINRetries
	case failure.NotRead:
		if kind == contract.SecurityKey {
			return failure.KeyPresent
		}
		return failure.CardPresent
	}
	return code
}

// said is the code that a source gave for a condition, if it may stand in for
// the check; else the usual one. So no two checks of a subject have one code
// for one target.
func said(code string, check failure.Code, kind contract.Kind, usual failure.Code) failure.Code {
	if c := failure.Code(code); c != check && StandsFor(c, kind) == check {
		return c
	}
	return usual
}
