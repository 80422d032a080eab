package assurance

import (
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

// addMissing makes the required checks that nobody made: they are unknown, not
// passed over.
func (t *tally) addMissing(kind contract.Kind, target string, machine bool, made []contract.Check, at time.Time) []contract.Check {
	var missing []contract.Check
	for _, r := range table(kind) {
		if r.Machine != machine || !r.Required || r.Code == ofUser(kind) || r.Where == AtReal && target == Mock {
			continue
		}
		if slices.ContainsFunc(made, func(c contract.Check) bool {
			return concerns(c, target) && health.StandsFor(failure.Code(c.Code), kind) == r.Code
		}) {
			continue
		}
		check := health.Check(r.Code, contract.Unknown, health.NotChecked, at)
		missing = append(missing, check)
		t.add(check, required)
	}
	return missing
}

// absent judges a question for which no authenticator counts, and says why
// there is none.
func absent(s *contract.Snapshot, q contract.Question, virtual bool) (t tally, checks []contract.Check) {
	say := func(code failure.Code, state contract.CheckState, evidence string) {
		c := health.Check(code, state, evidence, s.ObservedAt)
		checks = append(checks, c)
		t.add(c, required)
	}
	switch q.Kind {
	case contract.Platform, contract.TOTP:
		if q.AAL > level(q.Kind) {
			say(failure.LevelNotReached, contract.Fail, reaches(q.Kind))
		}
		if q.User != "" {
			say(failure.AuthenticatorUser, contract.Unknown, userNotKnown(q.Kind))
		}
		switch {
		case q.Kind == contract.Platform && virtual:
			// No failure: it changes nothing that it is here, and a real one may be
			// there of which nobody has said anything.
			say(failure.VirtualNotCounted, contract.Unknown, "no Windows Hello is here that is known to be no virtual one")
		case q.Kind == contract.Platform:
		case q.Target == Mock:
			say(failure.TOTPReady, contract.Fail, "no user in the configuration has the secret of an authenticator app")
		default:
			say(failure.TOTPReady, contract.Unknown, "an app on somebody's phone cannot be seen from here")
		}
		checks = append(checks, machineChecks(s, q.Kind, q.Target, &t)...)
		if q.Kind == contract.Platform && t.outcome == contract.VerdictReady {
			// The machine could, and nobody has said that it is set up.
			say(failure.WHEnrolled, contract.Unknown, "no Windows Hello that is set up is here")
		}
		return t, checks
	}
	waits := pending(s, q)
	switch {
	case waits != "":
		say(failure.NotRead, contract.Unknown, waits)
	case virtual:
		say(failure.VirtualNotCounted, contract.Fail, "only virtual authenticators are here")
	default:
		say(failure.NoAuthenticator, contract.Fail, "no "+plural(q)+" is here")
	}
	for _, kind := range kinds(q) {
		for _, code := range presence(kind) {
			for _, c := range s.Checks {
				if concerns(c, q.Target) && health.StandsFor(failure.Code(c.Code), kind) == code && !passes(c) && (waits == "" || c.State == contract.Fail) {
					checks = append(checks, c)
				}
			}
		}
		if kind == contract.Smartcard {
			checks = append(checks, troubled(s, q.Target)...)
		}
	}
	return t, append(checks, unreachable(s, q.Target)...)
}

// kinds are those that a question looks at. Without one asked for they are
// what the daemon can see by itself.
func kinds(q contract.Question) []contract.Kind {
	if q.Kind != "" {
		return []contract.Kind{q.Kind}
	}
	return []contract.Kind{contract.Smartcard, contract.SecurityKey}
}

// pending says what may still bring an authenticator, without anybody doing
// anything: a source that has not looked yet, a card that is being read.
func pending(s *contract.Snapshot, q contract.Question) string {
	for _, source := range s.Sources {
		if source.State == "starting" && mayBring(source.Name, q) {
			return "the source " + source.Name + " has not looked yet"
		}
	}
	if slices.Contains(kinds(q), contract.Smartcard) {
		for i := range s.Readers {
			r := &s.Readers[i]
			if (r.Condition == contract.Present || r.Condition == contract.InUse) && r.Card == "" && (q.Target == Mock || r.Origin == contract.Physical) {
				return "the card in " + r.Name + " was not read yet"
			}
		}
	}
	return ""
}

// mayBring reports whether a source could bring what a question asks for, by
// its name where that says so.
func mayBring(source string, q contract.Question) bool {
	virtual := strings.HasPrefix(source, "virtual-")
	if virtual && q.Target != Mock {
		return false
	}
	switch strings.TrimPrefix(source, "virtual-") {
	case "pcsc":
		return slices.Contains(kinds(q), contract.Smartcard)
	case "fido":
		return slices.Contains(kinds(q), contract.SecurityKey)
	case "targets":
		return false
	case "workstation":
		return slices.Contains(kinds(q), contract.Platform)
	}
	return true
}

// unreachable are the checks of a target that fail: whoever plugs something in
// is not to find out after that.
func unreachable(s *contract.Snapshot, target string) []contract.Check {
	var checks []contract.Check
	for _, c := range s.Checks {
		if c.Target == target && c.State == contract.Fail && slices.ContainsFunc(targetRules(), func(r Rule) bool { return string(r.Code) == c.Code }) {
			checks = append(checks, c)
		}
	}
	return checks
}

// troubled are the checks of readers whose card gives trouble.
func troubled(s *contract.Snapshot, target string) []contract.Check {
	var checks []contract.Check
	for i := range s.Readers {
		r := &s.Readers[i]
		if target != Mock && r.Origin != contract.Physical {
			continue
		}
		for _, c := range r.Checks {
			if c.State == contract.Fail || c.State == contract.Warn && r.Condition == contract.InUse {
				checks = append(checks, c)
			}
		}
	}
	return checks
}
