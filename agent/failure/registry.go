package failure

import (
	"cmp"
	"slices"
	"sync"
)

// Subject groups codes for readers of the documentation.
type Subject struct {
	Name    string
	Entries []Entry
}

// Subjects lists the registry by subject, in the order in which a person
// meets them.
func Subjects() []Subject {
	return []Subject{
		{"Smartcard readers and smartcards", cardEntries()},
		{"Security keys", keyEntries()},
		{"Windows Hello and authenticator apps", helloEntries()},
		{"This machine and the way to the target", machineEntries()},
		{"Readiness", readinessEntries()},
		{"Login runs", loginRunEntries()},
		{"After a login", loginEntries()},
		{"Relying parties", relyingPartyEntries()},
		{"Starting and finding the daemon", startEntries()},
		{"The daemon as a service", serviceEntries()},
		{"Leases", leaseEntries()},
		{"Ceremonies", ceremonyEntries()},
		{"Answers of the API", apiEntries()},
	}
}

// registry is built once and never changed after.
var registry = sync.OnceValue(func() map[Code]Entry {
	all := make(map[Code]Entry)
	for _, s := range Subjects() {
		for _, e := range s.Entries {
			all[e.Code] = e
		}
	}
	return all
})

// Lookup finds what the registry knows of a code.
func Lookup(code Code) (Entry, bool) {
	e, ok := registry()[code]
	return e, ok
}

// All lists the registry, sorted by code.
func All() []Entry {
	all := make([]Entry, 0, len(registry()))
	for _, e := range registry() {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Code, b.Code) })
	return all
}
