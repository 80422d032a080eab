package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"authbridge/agent/client"
	"authbridge/agent/contract"
)

// world is what the tray knows of the daemon: the last snapshot, what events
// have changed in it, and the verdicts. One goroutine has it.
type world struct {
	// gone is why the daemon does not answer; empty while it does.
	gone           string
	version        string
	readers        map[string]contract.Reader
	authenticators map[string]contract.Authenticator
	leases         map[string]contract.Lease // by the part of the id that stays
	ceremonies     map[string]contract.Ceremony
	verdicts       []contract.Verdict // in the order of the questions
	last           contract.Event
	said           string // of what was clicked, where no notification could say it
}

// told is what the world learns at once: a message of the stream and, with a
// snapshot, the ceremonies, which it does not hold.
type told struct {
	client.Event
	ceremonies []contract.Ceremony
	gone       string // why there is no stream at all
}

// learn takes what the stream says, and says whether verdicts may be others now.
func (w *world) learn(t told) (judge bool) {
	switch {
	case t.gone != "":
		w.lose(t.gone)
	case t.Lost != nil:
		w.lose("The daemon does not answer; it is looked for.")
	case t.Snapshot != nil:
		w.reset(t.Snapshot, t.ceremonies)
		return true
	case t.Event.Event != nil:
		return w.apply(*t.Event.Event)
	}
	return false
}

// lose forgets all: what was known last is nothing to act on.
func (w *world) lose(why string) { *w = world{gone: why, last: w.last, said: w.said} }

func (w *world) reset(s *contract.Snapshot, ceremonies []contract.Ceremony) {
	*w = world{
		version: s.Version, last: w.last, said: w.said, verdicts: w.verdicts,
		readers:        by(s.Readers, func(r contract.Reader) string { return r.ID }),
		authenticators: by(s.Authenticators, func(a contract.Authenticator) string { return a.ID }),
		leases:         by(s.Leases, func(l contract.Lease) string { return stem(l.ID) }),
		ceremonies:     map[string]contract.Ceremony{},
	}
	for _, c := range ceremonies {
		w.ceremony(c)
	}
}

func by[V any](list []V, key func(V) string) map[string]V {
	m := make(map[string]V, len(list))
	for _, v := range list {
		m[key(v)] = v
	}
	return m
}

// stem is the id of a lease without the fence that it gets once it is taken.
func stem(id string) string {
	parts := strings.SplitN(id, "-", 3)
	return strings.Join(parts[:min(2, len(parts))], "-")
}

// apply takes an event. Leases, ceremonies and logins change no verdict.
func (w *world) apply(e contract.Event) (judge bool) {
	if w.readers == nil {
		return false // there is no snapshot that it could change
	}
	w.last = e
	switch e.Type {
	case contract.ReaderRemoved:
		delete(w.readers, e.Subject)
	case contract.KeyUnplugged, contract.AuthenticatorGone:
		delete(w.authenticators, e.Subject)
	case contract.LeaseChanged:
		if e.Lease != nil {
			put(w.leases, stem(e.Lease.ID), *e.Lease, e.Lease.State != contract.LeaseEnded)
		}
		return false
	case contract.CeremonyChanged:
		if e.Ceremony != nil {
			w.ceremony(*e.Ceremony)
		}
		return false
	case contract.SourceChanged, contract.ReaderAdded, contract.ReaderChanged, contract.CardInserted, contract.CardRemoved,
		contract.KeyPlugged, contract.AuthenticatorChanged, contract.CheckChanged:
	default:
		return false
	}
	if e.Reader != nil && e.Type != contract.ReaderRemoved {
		w.readers[e.Reader.ID] = *e.Reader
	}
	if a := e.Authenticator; a != nil && e.Type != contract.KeyUnplugged && e.Type != contract.AuthenticatorGone {
		w.authenticators[a.ID] = *a
	}
	return true
}

// ceremony takes a ceremony's state, unless a later one is known: the list that
// comes with a snapshot may be ahead of the events behind it.
func (w *world) ceremony(c contract.Ceremony) {
	if known, ok := w.ceremonies[c.ID]; ok && len(known.Steps) > len(c.Steps) {
		return
	}
	put(w.ceremonies, c.ID, c, !c.State.Over())
}

func put[V any](m map[string]V, key string, value V, keep bool) {
	if keep {
		m[key] = value
	} else {
		delete(m, key)
	}
}

// sorted gives the values of a map in an order that does not change from view to
// view.
func sorted[V any](m map[string]V, keys func(V) []string) []V {
	return slices.SortedFunc(maps.Values(m), func(a, b V) int { return slices.Compare(keys(a), keys(b)) })
}

// waiting are the ceremonies that need somebody at the machine, the most urgent
// first.
func (w *world) waiting() []contract.Ceremony {
	var list []contract.Ceremony
	for _, c := range w.ceremonies {
		switch c.State {
		case contract.CeremonyInsert, contract.CeremonyPIN, contract.CeremonyTouch:
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b contract.Ceremony) int {
		return cmp.Or(a.Deadline.Compare(b.Deadline), cmp.Compare(a.ID, b.ID))
	})
	return list
}
