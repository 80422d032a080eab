package api

import (
	"slices"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/inventory"
)

// maskVerdict hides personal data in the texts of a verdict. It was judged on
// the whole snapshot, since a question may name a user. The texts should hold
// none; this makes sure.
func maskVerdict(v contract.Verdict, view *inventory.View) contract.Verdict {
	var pairs []string
	masked := view.Masked().Authenticators
	for i, a := range view.Snapshot().Authenticators {
		// Whole values first: the replacer takes the earlier pair.
		for _, p := range [...][2]string{{a.User, masked[i].User}, {a.Holder, masked[i].Holder}} {
			if p[0] != "" {
				pairs = append(pairs, p[0], p[1])
			}
		}
	}
	if len(pairs) == 0 {
		return v
	}
	r := strings.NewReplacer(pairs...)
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
