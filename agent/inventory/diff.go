package inventory

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"authbridge/agent/contract"
)

// diff says what changed between two snapshots, apart from what told, the
// source's own events, say already. Times alone are no change, and of leases
// tells who shows them.
//
// Events get copies, so that one which is kept keeps no snapshot alive. The
// order is that in which a reader needs it: sources, then what went, then
// what came or changed, then the machine's checks.
func diff(prev, next *contract.Snapshot, told []contract.Event) []contract.Event {
	var events []contract.Event
	events = append(events, diffSources(prev.Sources, next.Sources)...)
	events = append(events, diffReaders(prev.Readers, next.Readers, told)...)
	events = append(events, diffAuthenticators(prev.Authenticators, next.Authenticators, told)...)
	events = append(events, diffChecks(prev.Checks, next.Checks)...)
	return events
}

func diffSources(prev, next []contract.Source) []contract.Event {
	var events []contract.Event
	for i := range next {
		now := new(next[i])
		was := find(prev, func(s *contract.Source) bool { return s.Name == now.Name })
		if was == nil || untimedSource(*was) != untimedSource(*now) {
			events = append(events, contract.Event{Type: contract.SourceChanged, Subject: now.Name, Source: now})
		}
	}
	return events
}

func diffReaders(prev, next []contract.Reader, told []contract.Event) []contract.Event {
	var events []contract.Event
	for i := range prev {
		was := &prev[i]
		if find(next, sameReader(was)) == nil && !tells(told, contract.ReaderRemoved, was.ID) {
			events = append(events, contract.Event{Type: contract.ReaderRemoved, Subject: was.ID, Text: "reader " + was.Name + " removed"})
		}
	}
	for i := range next {
		now := new(next[i])
		was := find(prev, sameReader(now))
		last := lastReader(told, now.ID)
		switch {
		case last != nil && equalReaders(last, now):
		case last == nil && was != nil && equalReaders(was, now):
		case was == nil && !tells(told, contract.ReaderAdded, now.ID):
			events = append(events, contract.Event{Type: contract.ReaderAdded, Subject: now.ID, Reader: now})
		default:
			events = append(events, contract.Event{Type: contract.ReaderChanged, Subject: now.ID, Reader: now})
		}
	}
	return events
}

func diffAuthenticators(prev, next []contract.Authenticator, told []contract.Event) []contract.Event {
	var events []contract.Event
	for i := range prev {
		was := &prev[i]
		if find(next, sameAuthenticator(was)) != nil {
			continue
		}
		if was.Kind == contract.SecurityKey && !tells(told, contract.KeyUnplugged, was.ID) {
			events = append(events, contract.Event{Type: contract.KeyUnplugged, Subject: was.ID, Text: was.Name + " unplugged"})
		}
		events = append(events, contract.Event{Type: contract.AuthenticatorGone, Subject: was.ID, Text: was.Name + " is gone"})
	}
	for i := range next {
		now := new(next[i])
		was := find(prev, sameAuthenticator(now))
		if was == nil && now.Kind == contract.SecurityKey && !tells(told, contract.KeyPlugged, now.ID) {
			events = append(events, contract.Event{Type: contract.KeyPlugged, Subject: now.ID, Authenticator: now})
		}
		if was == nil || !equalAuthenticators(was, now) {
			events = append(events, contract.Event{Type: contract.AuthenticatorChanged, Subject: now.ID, Authenticator: now})
		}
	}
	return events
}

func diffChecks(prev, next []contract.Check) []contract.Event {
	var events []contract.Event
	for i := range next {
		now := new(next[i])
		was := find(prev, func(c *contract.Check) bool { return c.Code == now.Code && c.Target == now.Target })
		if was == nil || untimedCheck(*was) != untimedCheck(*now) {
			events = append(events, contract.Event{Type: contract.CheckChanged, Subject: now.Code, Check: now})
		}
	}
	return events
}

func find[T any](list []T, is func(*T) bool) *T {
	if i := slices.IndexFunc(list, func(v T) bool { return is(&v) }); i >= 0 {
		return &list[i]
	}
	return nil
}

func sameReader(r *contract.Reader) func(*contract.Reader) bool {
	return func(o *contract.Reader) bool { return o.ID == r.ID }
}

func sameAuthenticator(a *contract.Authenticator) func(*contract.Authenticator) bool {
	return func(o *contract.Authenticator) bool { return o.ID == a.ID }
}

func tells(told []contract.Event, kind contract.EventType, subject string) bool {
	return slices.ContainsFunc(told, func(e contract.Event) bool { return e.Type == kind && e.Subject == subject })
}

// lastReader is the state of a reader that the last event about it told.
func lastReader(told []contract.Event, id string) *contract.Reader {
	for _, e := range slices.Backward(told) {
		if e.Subject == id && e.Reader != nil {
			return e.Reader
		}
	}
	return nil
}

func untimedSource(s contract.Source) contract.Source {
	s.ObservedAt = time.Time{}
	return s
}

func untimedCheck(c contract.Check) contract.Check {
	c.ObservedAt = time.Time{}
	return c
}

func equalChecks(a, b []contract.Check) bool {
	return slices.EqualFunc(a, b, func(a, b contract.Check) bool { return untimedCheck(a) == untimedCheck(b) })
}

// equalReaders leaves checks out: an event of a source is older than they are.
func equalReaders(a, b *contract.Reader) bool {
	x, y := *a, *b
	x.ObservedAt, y.ObservedAt = time.Time{}, time.Time{}
	x.Checks, y.Checks = nil, nil
	return reflect.DeepEqual(x, y)
}

func equalAuthenticators(a, b *contract.Authenticator) bool {
	x, y := *a, *b
	for _, o := range []*contract.Authenticator{&x, &y} {
		o.ObservedAt, o.ReadAt, o.Checks = time.Time{}, time.Time{}, nil
		if len(o.Versions) == 0 {
			o.Versions = nil
		}
	}
	return reflect.DeepEqual(x, y) && equalChecks(a.Checks, b.Checks)
}

// describe fills in the line for a person where the source gave none. It names
// no holder and no user.
func describe(e *contract.Event) {
	if e.Text != "" {
		return
	}
	switch {
	case e.Ceremony != nil:
		e.Text = inUse(e.Ceremony)
	case e.Lease != nil:
		e.Text = fmt.Sprintf("lease %s: %s", e.Lease.ID, e.Lease.State)
	case e.Source != nil:
		e.Text = withDetail(fmt.Sprintf("source %s is %s", e.Source.Name, e.Source.State), e.Source.Code, e.Source.Detail)
	case e.Check != nil:
		name := e.Check.Code
		if e.Check.Target != "" {
			name += " at " + e.Check.Target
		}
		e.Text = fmt.Sprintf("check %s: %s (%s)", name, e.Check.State, e.Check.Evidence)
	case e.Type == contract.ReaderAdded && e.Reader != nil:
		e.Text = "reader " + e.Reader.Name + " added"
	case e.Type == contract.CardInserted && e.Reader != nil:
		e.Text = "card inserted into " + e.Reader.Name
	case e.Type == contract.CardRemoved && e.Reader != nil:
		e.Text = "card removed from " + e.Reader.Name
	case e.Reader != nil:
		e.Text = withDetail(fmt.Sprintf("reader %s: %s", e.Reader.Name, e.Reader.Condition), e.Reader.Code, e.Reader.Detail)
	case e.Type == contract.KeyPlugged && e.Authenticator != nil:
		e.Text = e.Authenticator.Name + " plugged in"
	case e.Authenticator != nil:
		e.Text = withDetail(fmt.Sprintf("%s: %s", e.Authenticator.Name, e.Authenticator.Condition), e.Authenticator.Code, e.Authenticator.Detail)
	default:
		e.Text = string(e.Type) + " " + e.Subject
	}
}

func withDetail(text, code, detail string) string {
	if code != "" {
		text += " " + code
	}
	if detail != "" {
		text += " (" + detail + ")"
	}
	return text
}
