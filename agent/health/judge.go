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

	// held is since when a worse state waits to be shown; see [Settle].
	held map[string]time.Time
}

// Judge makes all checks. The same facts and time give the same report.
func Judge(facts Facts, now time.Time) Report {
	r := Report{
		Readers:        make(map[string][]contract.Check, len(facts.Readers)),
		Authenticators: make(map[string][]contract.Check, len(facts.Cards)+len(facts.Keys)),
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
	checks := make([]contract.Check, 0, len(rules))
	states := make(map[failure.Code]contract.CheckState, len(rules))
	for _, rule := range rules {
		f, waits := waitFor(rule, states)
		if !waits {
			f = rule.judge(s)
		}
		states[rule.Code] = f.state
		if !f.again.IsZero() && (r.Again.IsZero() || f.again.Before(r.Again)) {
			r.Again = f.again
		}
		if f.code == "" {
			f.code = rule.Code
		}
		if f.at.IsZero() {
			f.at = at
		}
		checks = append(checks, Check(f.code, f.state, f.evidence, f.at))
	}
	return checks
}

// waitFor finds the first dependency that is not met. Its own dependencies
// need no look: it is unknown itself while they are not met.
func waitFor(rule Rule, states map[failure.Code]contract.CheckState) (finding, bool) {
	for _, dep := range rule.DependsOn {
		if state := states[dep]; state != contract.Pass && state != contract.Warn {
			entry, _ := failure.Lookup(dep)
			is := "fails"
			if state != contract.Fail {
				is = "is not known"
			}
			return unknown(fmt.Sprintf("waits for %s (“%s”), which %s", dep, entry.Title, is)), true
		}
	}
	return finding{}, false
}

// Check makes a check in the words of the registry.
func Check(code failure.Code, state contract.CheckState, evidence string, at time.Time) contract.Check {
	entry, _ := failure.Lookup(code)
	c := contract.Check{
		Code: string(code), State: state, Title: entry.Title, Evidence: evidence,
		Remedy: entry.Remedy, NHSCode: entry.NHSCode, ObservedAt: at,
	}
	if state == contract.Pass {
		c.Remedy, c.NHSCode = "", ""
	}
	return c
}
