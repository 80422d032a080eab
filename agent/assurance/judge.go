package assurance

import (
	"cmp"
	"slices"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

// Judge answers a question from a snapshot, which it does not change.
func Judge(s *contract.Snapshot, q contract.Question) contract.Verdict {
	v := contract.Verdict{
		Question: q, ObservedAt: s.ObservedAt, SnapshotID: s.ID,
		Checks: []contract.Check{}, Candidates: []contract.Candidate{},
	}
	all := candidates(s, q)
	var decides *candidate
	if len(all) > 0 && all[0].counts {
		decides = all[0]
	}
	switch {
	case decides != nil:
		v.Outcome = decides.outcome
		v.Authenticator, v.Origin = decides.ID, decides.Origin
		if v.Origin != contract.Physical {
			v.Origin = contract.Virtual
		}
		v.Checks = append(v.Checks, decides.machine...)
		v.Summary = summarise(q, decides)
	default:
		var t tally
		t, v.Checks = absent(s, q, len(all) > 0)
		v.Outcome, v.Summary = t.outcome, summariseAbsent(q, t)
	}
	for _, c := range all {
		checks := c.own
		if c.counts && c.Kind != decides.Kind {
			// The machine's checks in the verdict are those of another kind.
			checks = slices.Concat(checks, slices.DeleteFunc(slices.Clone(c.machine), passes))
		}
		v.Candidates = append(v.Candidates, contract.Candidate{
			Authenticator: c.ID, Name: c.Name, Kind: c.Kind, Origin: c.Origin, Outcome: c.outcome,
			Checks: worstFirst(checks),
		})
	}
	v.Checks = worstFirst(v.Checks)
	return v
}

func passes(c contract.Check) bool { return c.State == contract.Pass }

// candidate is an authenticator in the light of a question.
type candidate struct {
	*contract.Authenticator
	counts       bool
	own, machine []contract.Check
	tally
}

// tally sums up weighed checks.
type tally struct {
	outcome         contract.Outcome
	failed, unknown int
	reason          contract.Check // that decided, where it is not ready
}

func (t *tally) add(c contract.Check, w weight) {
	switch {
	case w == ignored:
	case c.State == contract.Fail:
		if t.failed++; t.failed == 1 {
			t.reason = c
		}
	case w == required && c.State != contract.Pass && c.State != contract.Warn:
		if t.unknown++; t.unknown == 1 && t.failed == 0 {
			t.reason = c
		}
	}
	switch {
	case t.failed > 0:
		t.outcome = contract.VerdictNotReady
	case t.unknown > 0:
		t.outcome = contract.VerdictUnproven
	default:
		t.outcome = contract.VerdictReady
	}
}

// candidates are the authenticators of the kinds asked for, best first.
func candidates(s *contract.Snapshot, q contract.Question) []*candidate {
	var all []*candidate
	for i := range s.Authenticators {
		a := &s.Authenticators[i]
		if q.Kind != "" && a.Kind != q.Kind {
			continue
		}
		all = append(all, consider(s, a, q))
	}
	slices.SortStableFunc(all, func(a, b *candidate) int {
		return cmp.Or(
			-compareBool(a.counts, b.counts),
			cmp.Compare(preferred(a.Authenticator, q.Target), preferred(b.Authenticator, q.Target)),
			cmp.Compare(belonging(a.Authenticator, q), belonging(b.Authenticator, q)),
			cmp.Compare(rank(a.outcome), rank(b.outcome)),
			cmp.Compare(a.failed, b.failed),
			cmp.Compare(a.unknown, b.unknown),
			cmp.Compare(order(a.Kind), order(b.Kind)),
			cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.ID, b.ID),
		)
	})
	return all
}

func consider(s *contract.Snapshot, a *contract.Authenticator, q contract.Question) *candidate {
	c := &candidate{Authenticator: a, counts: counts(a, q.Target)}
	if !c.counts {
		check := health.Check(failure.VirtualNotCounted, contract.Fail, "a virtual authenticator is ready for the mock only", a.ObservedAt)
		c.own = []contract.Check{check}
		c.add(check, applies)
		return c
	}
	if q.AAL > level(a.Kind) {
		check := health.Check(failure.LevelNotReached, contract.Fail, reaches(a.Kind), a.ObservedAt)
		c.own = append(c.own, check)
		c.add(check, applies)
	}
	own := a.Checks
	if check, ok := userCheck(a, q); ok {
		own = append(slices.Clip(own), check)
	}
	if check, ok := boundUUID(a, q); ok {
		own = append(slices.Clip(own), check)
	}
	for _, check := range own {
		if !concerns(check, q.Target) {
			continue
		}
		check = uuidCheck(issuerCheck(check, a, q.Target), a, q.Target)
		w, named := weigh(failure.Code(check.Code), a.Kind, false, q.Target)
		if !named {
			w = applies
		}
		if w != ignored {
			c.own = append(c.own, check)
		}
		c.add(check, w)
	}
	c.own = append(c.own, c.addMissing(a.Kind, q.Target, false, own, a.ObservedAt)...)
	c.machine = machineChecks(s, a.Kind, q.Target, &c.tally)
	if c.outcome == "" {
		c.outcome = contract.VerdictUnproven // nothing speaks for it
	}
	return c
}

// machineChecks are those of the machine that apply to a kind at a target.
func machineChecks(s *contract.Snapshot, kind contract.Kind, target string, t *tally) []contract.Check {
	var checks []contract.Check
	for _, check := range s.Checks {
		if !concerns(check, target) {
			continue
		}
		if w, _ := weigh(failure.Code(check.Code), kind, true, target); w != ignored {
			checks = append(checks, check)
			t.add(check, w)
		}
	}
	return append(checks, t.addMissing(kind, target, true, s.Checks, s.ObservedAt)...)
}

// concerns is whether a check holds at a target.
func concerns(c contract.Check, target string) bool { return c.Target == "" || c.Target == target }

// worstFirst sorts checks by state and keeps their order otherwise.
func worstFirst(checks []contract.Check) []contract.Check {
	sorted := append([]contract.Check{}, checks...)
	slices.SortStableFunc(sorted, func(a, b contract.Check) int { return cmp.Compare(severity(a.State), severity(b.State)) })
	return sorted
}

func severity(s contract.CheckState) int {
	return slices.Index([]contract.CheckState{contract.Fail, contract.Unknown, contract.Warn, contract.Pass}, s)
}

func rank(o contract.Outcome) int {
	return slices.Index([]contract.Outcome{contract.VerdictReady, contract.VerdictUnproven, contract.VerdictNotReady}, o)
}

func order(k contract.Kind) int {
	return slices.Index([]contract.Kind{contract.Smartcard, contract.SecurityKey, contract.Platform, contract.TOTP}, k)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
