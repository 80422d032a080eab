package api

import (
	"slices"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/inventory"
)

// scrubber hides personal data of the authenticators there are, in texts that
// should hold none; this makes sure.
func scrubber(view *inventory.View) *strings.Replacer {
	var pairs []string
	masked := view.Masked().Authenticators
	for i, a := range view.Snapshot().Authenticators {
		// Whole values first: the replacer takes the earlier pair.
		for _, p := range [...][2]string{{a.User, masked[i].User}, {a.Holder, masked[i].Holder}} {
			if p[0] != "" {
				pairs = append(pairs, p[0], p[1])
			}
		}
		for n, b := range a.Users {
			pairs = append(pairs, b.User, masked[i].Users[n].User)
		}
	}
	return strings.NewReplacer(pairs...)
}

// maskVerdict hides personal data in the texts of a verdict. It was judged on
// the whole snapshot, since a question may name a user.
func maskVerdict(v contract.Verdict, view *inventory.View) contract.Verdict {
	r := scrubber(view)
	v.Summary = r.Replace(v.Summary)
	v.Checks = maskChecks(v.Checks, r)
	v.Candidates = slices.Clone(v.Candidates)
	for i := range v.Candidates {
		v.Candidates[i].Name = r.Replace(v.Candidates[i].Name)
		v.Candidates[i].Checks = maskChecks(v.Candidates[i].Checks, r)
	}
	return v
}

func maskChecks(checks []contract.Check, r *strings.Replacer) []contract.Check {
	checks = slices.Clone(checks)
	for i := range checks {
		checks[i].Evidence = r.Replace(checks[i].Evidence)
	}
	return checks
}

func maskTexts(texts []string, r *strings.Replacer) []string {
	texts = slices.Clone(texts)
	for i := range texts {
		texts[i] = r.Replace(texts[i])
	}
	return texts
}

func maskLease(l contract.Lease, r *strings.Replacer) contract.Lease {
	l.Requirement.User = contract.MaskUser(l.Requirement.User)
	l.Waiting = r.Replace(l.Waiting)
	l.Remarks = maskTexts(l.Remarks, r)
	return l
}

// maskCeremony leaves out the certificate, which names the card's holder: who
// may not see it among the card's own must not get it for a signature.
func maskCeremony(c contract.Ceremony, r *strings.Replacer) contract.Ceremony {
	if c.Prompt != nil {
		prompt := *c.Prompt
		prompt.Text = r.Replace(prompt.Text)
		c.Prompt = &prompt
	}
	if c.Problem != nil {
		problem := *c.Problem
		problem.Detail = r.Replace(problem.Detail)
		c.Problem = &problem
	}
	if c.Result != nil {
		result := *c.Result
		result.Remarks = maskTexts(result.Remarks, r)
		if result.Certificate != nil {
			result.Certificate = nil
			result.Remarks = append(result.Remarks, "the certificate is left out: it names the holder of the card, which takes the right identity")
		}
		c.Result = &result
	}
	return c
}

// maskLogin hides who signs in. The texts of a run should hold no personal
// data; this makes sure.
func maskLogin(l contract.Login, r *strings.Replacer) contract.Login {
	l.User = contract.MaskUser(l.User)
	l.Summary = r.Replace(l.Summary)
	l.Steps = slices.Clone(l.Steps)
	for i := range l.Steps {
		s := &l.Steps[i]
		s.Expected, s.Got, s.Evidence = r.Replace(s.Expected), r.Replace(s.Got), r.Replace(s.Evidence)
	}
	if l.Problem != nil {
		problem := *l.Problem
		problem.Detail = r.Replace(problem.Detail)
		l.Problem = &problem
	}
	return l
}
