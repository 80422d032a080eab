package inventory

import (
	"maps"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

// Judge turns facts into checks: [health.Judge], or [health.Steady]. It is
// called from one goroutine at a time, in the order in which facts came.
type Judge func(facts health.Facts, now time.Time) health.Report

// merge puts the observations of all sources together, in the order of the
// sources and within them by id, so that equal states are equal snapshots.
func merge(goos string, observations []Observation) health.Facts {
	facts := health.Facts{OS: goos}
	for _, o := range observations {
		facts.Sources = append(facts.Sources, o.Source)
		facts.Readers = append(facts.Readers, sorted(o.Readers, func(r contract.Reader) string { return r.Name + r.ID })...)
		facts.Cards = append(facts.Cards, sorted(o.Cards, func(c health.Card) string { return c.ID })...)
		facts.Keys = append(facts.Keys, sorted(o.Keys, func(k health.Key) string { return k.ID })...)
		facts.Targets = append(facts.Targets, o.Targets...)
		if o.Workstation != nil {
			facts.Workstation = o.Workstation
		}
		facts.Apps = append(facts.Apps, sorted(o.Apps, func(a health.App) string { return a.ID })...)
		facts.Users = append(facts.Users, o.Users...)
		facts.Proofs = append(facts.Proofs, o.Proofs...)
	}
	return facts
}

func sorted[T any](list []T, by func(T) string) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b T) int { return strings.Compare(by(a), by(b)) })
	return list
}

// compose makes the snapshot from facts and the report on them.
func compose(id contract.EventID, version string, facts health.Facts, report health.Report, leases []contract.Lease, now time.Time) *contract.Snapshot {
	s := &contract.Snapshot{
		ID:             id.String(),
		Version:        version,
		ObservedAt:     now,
		Sources:        notNil(facts.Sources),
		Readers:        notNil(slices.Clone(facts.Readers)),
		Authenticators: make([]contract.Authenticator, 0, len(facts.Cards)+len(facts.Keys)+len(facts.Apps)),
		Checks:         notNil(report.Machine),
		Leases:         notNil(leases),
	}
	for i := range s.Readers {
		s.Readers[i].Checks = notNil(report.Readers[s.Readers[i].ID])
	}
	for i := range facts.Cards {
		s.Authenticators = append(s.Authenticators, facts.Cards[i].Authenticator)
	}
	for i := range facts.Keys {
		s.Authenticators = append(s.Authenticators, facts.Keys[i].Authenticator)
	}
	for i := range facts.Apps {
		s.Authenticators = append(s.Authenticators, facts.Apps[i].Authenticator)
	}
	s.Authenticators = append(s.Authenticators, platforms(facts.Workstation)...)
	bound := health.Bindings(facts.Users, facts.Proofs)
	for i := range s.Authenticators {
		s.Authenticators[i].Users = bound[s.Authenticators[i].ID]
		s.Authenticators[i].Checks = notNil(report.Authenticators[s.Authenticators[i].ID])
	}
	return s
}

// answered is the last wish for a read of each authenticator that was answered.
func answered(observations []Observation) map[string]uint64 {
	all := make(map[string]uint64)
	for _, o := range observations {
		maps.Copy(all, o.Answered)
	}
	return all
}

// notNil makes an empty list of none: the API says [], not null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
