package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
)

// report is all that the daemon knows as text, for a ticket or a chat, in the
// form of the page's. It has no names of people, whatever this user may see.
func report(s *contract.Snapshot, verdicts []contract.Verdict, now time.Time) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("authbridge %s, %s, snapshot %s\n", s.Version, now.UTC().Format(time.RFC3339), s.ID)
	for _, v := range verdicts {
		say("AAL%d at %s: %s. %s", v.AAL, v.Target, strings.ReplaceAll(string(v.Outcome), "_", " "), v.Summary)
	}
	say("\nSources")
	for _, v := range s.Sources {
		say("  %s: %s", v.Name, join(v.State, v.Code, v.Detail))
	}
	say("\nReaders")
	for _, r := range s.Readers {
		say("  %s (%s): %s", r.Name, r.Origin, join(cmp.Or(words[r.Condition], string(r.Condition)), r.Code, r.Detail))
	}
	checks := func(indent string, list []contract.Check) {
		for _, c := range list {
			nhs := ""
			if c.NHSCode != "" {
				nhs = " (" + c.NHSCode + ")"
			}
			say("%s%s %s%s: %s", indent, c.State, c.Code, nhs, c.Evidence)
			if c.State != contract.Pass && c.Remedy != "" {
				say("%s  → %s", indent, c.Remedy)
			}
			for command := range strings.Lines(c.Mend) {
				say("%s    %s", indent, strings.TrimSuffix(command, "\n"))
			}
		}
	}
	say("\nAuthenticators")
	for _, a := range s.Authenticators {
		say("  %s (%s %s): %s", a.Name, a.Origin, a.Kind, join(cmp.Or(words[a.Condition], string(a.Condition)), a.Code, a.Detail))
		checks("    ", a.Checks)
	}
	say("\nMachine")
	checks("  ", s.Checks)
	say("\nLeases")
	for _, l := range s.Leases {
		say("  %s", join(l.ID, string(l.State), l.Name, l.Holder, l.Purpose, l.Waiting))
	}
	return b.String()
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
