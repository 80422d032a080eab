package health

import (
	"fmt"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Settle damps what comes and goes in a moment. A check whose rule has a
// time-to-visible keeps its better state, with its old evidence and
// observed_at, until the worse one has lasted that long; so does a check that
// is unknown only because it waits for such a one. Better states show at
// once.
//
// prev is what was shown, next what was judged now. Only checks are damped:
// sources, readers and authenticators themselves, and so the journal and every
// verdict that needs one of them, are not.
func Settle(prev, next Report, now time.Time) Report {
	shown := Report{
		Readers:        make(map[string][]contract.Check, len(next.Readers)),
		Authenticators: make(map[string][]contract.Check, len(next.Authenticators)),
		Again:          next.Again,
		targets:        next.targets,
	}
	s := settling{held: prev.held, shown: &shown, now: now}
	shown.Machine = s.settle("", machineRules(), prev.Machine, next.Machine)
	for id, checks := range next.Readers {
		shown.Readers[id] = s.settle("reader "+id, readerRules(), prev.Readers[id], checks)
	}
	for id, checks := range next.Authenticators {
		shown.Authenticators[id] = s.settle(id, rulesOf(checks), prev.Authenticators[id], checks)
	}
	return shown
}

// Steady gives a judge that settles each report against the one before. It
// belongs to one goroutine.
func Steady() func(Facts, time.Time) Report {
	var shown Report
	return func(facts Facts, now time.Time) Report {
		shown = Settle(shown, Judge(facts, now), now)
		return shown
	}
}

// rulesOf finds the table that made the checks of an authenticator.
func rulesOf(checks []contract.Check) []Rule {
	switch {
	case len(checks) > 1 && checks[1].Code == string(failure.CardSeries):
		return cardRules()
	case len(checks) > 0 && checks[0].Code == string(failure.TOTPReady):
		return appRules()
	}
	return keyRules()
}

type settling struct {
	held  map[string]time.Time // since when, of the report before
	shown *Report
	now   time.Time
}

// settle settles the checks of one subject: one a row, in the same order.
func (s *settling) settle(subject string, rules []Rule, was, is []contract.Check) []contract.Check {
	rows := rows(rules, s.shown.targets)
	if len(was) != len(rows) || len(is) != len(rows) {
		return is
	}
	shown := slices.Clone(is)
	held := make(map[rowKey]bool) // and broken, so that others wait for it
	for i, row := range rows {
		if !worse(is[i].State, was[i].State) {
			continue
		}
		waits := is[i].State == contract.Unknown && slices.ContainsFunc(row.DependsOn, func(c failure.Code) bool { return held[rowKey{c, row.target}] || held[rowKey{c, forAll}] })
		if waits || s.hold(subject, row, is[i].State) {
			held[rowKey{row.Code, row.target}] = is[i].State != contract.Warn
			shown[i] = was[i]
		}
	}
	return shown
}

// hold reports whether a worse state of the rule must wait still. What a
// verdict rests on, the checks of an authenticator, never hides a failure.
func (s *settling) hold(subject string, r row, state contract.CheckState) bool {
	if r.TimeToVisible == 0 || r.Scope != OfMachine && state != contract.Warn {
		return false
	}
	key := fmt.Sprint(subject, " ", r.Code, " ", r.target)
	since, waiting := s.held[key]
	if !waiting {
		since = s.now
	}
	until := since.Add(r.TimeToVisible)
	if !s.now.Before(until) {
		return false
	}
	if s.shown.held == nil {
		s.shown.held = make(map[string]time.Time)
	}
	s.shown.held[key] = since
	s.shown.Again = earlier(s.shown.Again, until)
	return true
}

// worse reports whether a is a worse state than b.
func worse(a, b contract.CheckState) bool { return rank(a) > rank(b) }

func rank(s contract.CheckState) int {
	switch s {
	case contract.Pass:
		return 0
	case contract.Warn:
		return 1
	case contract.Unknown:
		return 2
	}
	return 3
}
