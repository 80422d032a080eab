package inventory

import (
	"slices"
	"strings"

	"authbridge/agent/contract"
)

// hidden stands for personal data of which nothing may be told, not even its
// length.
const hidden = "***"

func maskText(text string) string {
	if text == "" {
		return ""
	}
	return hidden
}

// maskCertificate hides whose certificate it is. Fingerprint and serial number
// stay: a configuration names certificates by them.
func maskCertificate(c contract.Certificate) contract.Certificate {
	c.Subject = maskText(c.Subject)
	c.DER = nil
	return c
}

// scrubber replaces personal data in free text. Texts should hold none; this
// makes sure.
type scrubber struct{ pairs []string }

func newScrubber(authenticators []contract.Authenticator) scrubber {
	var s scrubber
	for i := range authenticators {
		a := &authenticators[i]
		s.add(a.User, contract.MaskUser(a.User))
		for _, b := range a.Users {
			s.add(b.User, contract.MaskUser(b.User))
		}
		s.add(a.Holder, hidden)
		for _, name := range strings.FieldsFunc(a.Holder, func(r rune) bool { return r == ' ' || r == '_' || r == ',' }) {
			s.add(name, hidden)
		}
	}
	return s
}

func (s *scrubber) add(secret, mask string) {
	if len(secret) >= 4 { // shorter ones are parts of ordinary words
		s.pairs = append(s.pairs, secret, mask)
	}
}

func (s scrubber) text(text string) string {
	for i := 0; i < len(s.pairs); i += 2 {
		text = strings.ReplaceAll(text, s.pairs[i], s.pairs[i+1])
	}
	return text
}

func (s scrubber) checks(checks []contract.Check) []contract.Check {
	checks = slices.Clone(checks)
	for i := range checks {
		checks[i].Evidence = s.text(checks[i].Evidence)
	}
	return checks
}

func (s scrubber) authenticator(a contract.Authenticator) contract.Authenticator {
	a.Holder = maskText(a.Holder)
	a.User = contract.MaskUser(a.User)
	a.Users = slices.Clone(a.Users)
	for i := range a.Users {
		a.Users[i].User = contract.MaskUser(a.Users[i].User)
	}
	a.Detail = s.text(a.Detail)
	a.Checks = s.checks(a.Checks)
	return a
}

func (s scrubber) reader(r contract.Reader) contract.Reader {
	r.Detail = s.text(r.Detail)
	r.Checks = s.checks(r.Checks)
	return r
}

// lease hides the user that is asked for. The rest holds no personal data.
func (s scrubber) lease(l contract.Lease) contract.Lease {
	s.pairs = slices.Clone(s.pairs)
	s.add(l.Requirement.User, contract.MaskUser(l.Requirement.User))
	l.Requirement.User = contract.MaskUser(l.Requirement.User)
	l.Waiting = s.text(l.Waiting)
	l.Remarks = slices.Clone(l.Remarks)
	for i := range l.Remarks {
		l.Remarks[i] = s.text(l.Remarks[i])
	}
	return l
}

// ceremony hides what may have got into its texts.
func (s scrubber) ceremony(c contract.Ceremony) contract.Ceremony {
	if c.Prompt != nil {
		c.Prompt = new(*c.Prompt)
		c.Prompt.Text = s.text(c.Prompt.Text)
	}
	if c.Problem != nil {
		c.Problem = new(*c.Problem)
		c.Problem.Detail = s.text(c.Problem.Detail)
	}
	return c
}

// maskSnapshot is the snapshot for callers without the right identity.
func maskSnapshot(snapshot *contract.Snapshot) *contract.Snapshot {
	s := newScrubber(snapshot.Authenticators)
	masked := *snapshot
	masked.Readers = slices.Clone(snapshot.Readers)
	for i, r := range masked.Readers {
		masked.Readers[i] = s.reader(r)
	}
	masked.Authenticators = slices.Clone(snapshot.Authenticators)
	for i, a := range masked.Authenticators {
		masked.Authenticators[i] = s.authenticator(a)
	}
	masked.Checks = s.checks(snapshot.Checks)
	masked.Leases = slices.Clone(snapshot.Leases)
	for i, l := range masked.Leases {
		masked.Leases[i] = s.lease(l)
	}
	return &masked
}

// maskEvent is the event for callers without the right identity. known are the
// authenticators whose data its texts might hold.
func maskEvent(event contract.Event, known []contract.Authenticator) contract.Event {
	s := newScrubber(known)
	if event.Authenticator != nil {
		own := newScrubber([]contract.Authenticator{*event.Authenticator})
		s.pairs = append(own.pairs, s.pairs...)
		a := s.authenticator(*event.Authenticator)
		event.Authenticator = &a
	}
	if event.Reader != nil {
		r := s.reader(*event.Reader)
		event.Reader = &r
	}
	if event.Check != nil {
		c := *event.Check
		c.Evidence = s.text(c.Evidence)
		event.Check = &c
	}
	if event.Lease != nil {
		s.add(event.Lease.Requirement.User, contract.MaskUser(event.Lease.Requirement.User))
		l := s.lease(*event.Lease)
		event.Lease = &l
	}
	if event.Ceremony != nil {
		c := s.ceremony(*event.Ceremony)
		event.Ceremony = &c
	}
	event.Text = s.text(event.Text)
	return event
}
