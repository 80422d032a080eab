package health

import (
	"fmt"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Report is the checks of everything, by what they belong to.
type Report struct {
	Machine        []contract.Check
	Readers        map[string][]contract.Check // by reader id
	Authenticators map[string][]contract.Check // by authenticator id
	// Again is when time alone can change it; zero is never.
	Again time.Time

	targets int // how many checks a rule with PerTarget makes
	// held is since when a worse state waits to be shown; see [Settle].
	held map[string]time.Time
}

// Judge makes all checks. The same facts and time give the same report.
func Judge(facts Facts, now time.Time) Report {
	r := Report{
		Readers:        make(map[string][]contract.Check, len(facts.Readers)),
		Authenticators: make(map[string][]contract.Check, len(facts.Cards)+len(facts.Keys)+len(facts.Apps)),
		targets:        len(facts.Targets),
	}
	all := subject{facts: &facts, now: now}
	r.Machine = r.run(machineRules(), all, now)
	for i := range facts.Readers {
		s := all
		s.reader = &facts.Readers[i]
		r.Readers[s.reader.ID] = r.run(readerRules(), s, s.reader.ObservedAt)
	}
	for i := range facts.Cards {
		s := all
		s.card = &facts.Cards[i]
		r.Authenticators[s.card.ID] = r.run(cardRules(), s, observed(&s.card.Authenticator))
	}
	for i := range facts.Keys {
		s := all
		s.key = &facts.Keys[i]
		r.Authenticators[s.key.ID] = r.run(keyRules(), s, observed(&s.key.Authenticator))
	}
	for i := range facts.Apps {
		s := all
		s.app = &facts.Apps[i]
		r.Authenticators[s.app.ID] = r.run(appRules(), s, observed(&s.app.Authenticator))
	}
	return r
}

// observed is when the facts of an authenticator are from.
func observed(a *contract.Authenticator) time.Time {
	if a.ReadAt.IsZero() {
		return a.ObservedAt
	}
	return a.ReadAt
}

// run makes the checks of one subject.
func (r *Report) run(rules []Rule, s subject, at time.Time) []contract.Check {
	rows := rows(rules, r.targets)
	checks := make([]contract.Check, 0, len(rows))
	made := make(map[rowKey]contract.Check, len(rows))
	for _, row := range rows {
		target := ""
		if s.target = nil; row.target != forAll {
			s.target = &s.facts.Targets[row.target]
			target = s.target.Name
		}
		f, waiting := waitFor(row, made)
		if !waiting {
			f = row.judge(s)
		}
		if !f.again.IsZero() && (r.Again.IsZero() || f.again.Before(r.Again)) {
			r.Again = f.again
		}
		if f.code == "" {
			f.code = row.Code
		}
		if f.at.IsZero() {
			f.at = at
		}
		check := Check(f.code, f.state, f.evidence, f.at)
		check.Target = target
		if f.waits {
			// What to do is said by what it waits for: "renew the certificates"
			// would mislead whose card does not answer.
			check.Remedy, check.Mend, check.NHSCode = "", "", ""
		}
		made[rowKey{row.Code, row.target}] = check
		checks = append(checks, check)
	}
	return checks
}

// rowKey finds what a row has made, by the rule's code.
type rowKey struct {
	code   failure.Code
	target int
}

// waitFor finds the first dependency that is not met, and names it by the code
// that is shown for it. Its own dependencies need no look: it is unknown
// itself while they are not met.
func waitFor(r row, made map[rowKey]contract.Check) (finding, bool) {
	for _, code := range r.DependsOn {
		dep, ok := made[rowKey{code, r.target}]
		if !ok {
			dep = made[rowKey{code, forAll}]
		}
		if dep.State != contract.Pass && dep.State != contract.Warn {
			return waitsFor(code, dep), true
		}
	}
	return finding{}, false
}

// waitsFor names a check that is not as it must be, by the code that is shown for
// it.
func waitsFor(code failure.Code, dep contract.Check) finding {
	if dep.Code != string(code) { // its title says what is the matter
		return waits(fmt.Sprintf("waits for %s (“%s”)", dep.Code, dep.Title))
	}
	is := "fails"
	if dep.State != contract.Fail {
		is = "is not known"
	}
	return waits(fmt.Sprintf("waits for %s (“%s”), which %s", dep.Code, dep.Title, is))
}

// Check makes a check in the words of the registry.
func Check(code failure.Code, state contract.CheckState, evidence string, at time.Time) contract.Check {
	entry, _ := failure.Lookup(code)
	c := contract.Check{
		Code: string(code), State: state, Title: entry.Title, Evidence: evidence,
		Remedy: entry.Remedy, Mend: entry.Mend.Here(), NHSCode: entry.NHSCode, ObservedAt: at,
	}
	if state == contract.Pass {
		c.Remedy, c.Mend, c.NHSCode = "", "", ""
	}
	return c
}
