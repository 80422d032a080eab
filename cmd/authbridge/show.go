package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
)

// showVerdict writes a verdict with its reasons and what to do.
func (s *screen) showVerdict(v contract.Verdict) {
	m := markOfOutcome(v.Outcome)
	s.line("%s AAL%d at %s: %s", s.paint(m.colour, m.shape), v.AAL, v.Target, s.paint(bold, m.word))
	s.text("  ", "  ", v.Summary)
	if v.Outcome == contract.VerdictReady {
		s.showWarnings(v)
		return
	}
	// Where something fails, what waits for it says nothing more.
	reasons := func(checks []contract.Check) []contract.Check {
		failed := failing(v.Checks) || failing(checks)
		return slices.DeleteFunc(slices.Clone(checks), func(c contract.Check) bool { return failed && c.State == contract.Unknown })
	}
	s.showChecks("  ", reasons(v.Checks), false)
	for _, c := range v.Candidates {
		s.line("")
		s.line("%s", s.cut(fmt.Sprintf("  %s  %s, %s", c.Name, c.Kind, c.Origin)))
		s.showChecks("    ", reasons(c.Checks), false)
	}
}

// showWarnings writes what will need somebody soon, of the authenticator that
// the verdict rests on.
func (s *screen) showWarnings(v contract.Verdict) {
	for _, c := range v.Candidates {
		if c.Authenticator == v.Authenticator {
			s.showChecks("  ", slices.DeleteFunc(slices.Clone(c.Checks), func(c contract.Check) bool { return c.State != contract.Warn }), false)
		}
	}
}

func failing(checks []contract.Check) bool {
	return slices.ContainsFunc(checks, func(c contract.Check) bool { return c.State == contract.Fail })
}

// showChecks writes the checks that need somebody's attention, worst first;
// all of them if asked.
func (s *screen) showChecks(indent string, checks []contract.Check, all bool) {
	ordered := slices.Clone(checks)
	slices.SortStableFunc(ordered, func(a, b contract.Check) int { return severity(b.State) - severity(a.State) })
	for _, c := range ordered {
		if c.State == contract.Pass && !all {
			continue
		}
		m := markOf(c.State)
		title := c.Title
		if c.NHSCode != "" {
			title += " (" + c.NHSCode + ")"
		}
		name := c.Code
		if c.Target != "" {
			name += " at " + c.Target
		}
		more := indent + "    "
		s.text(indent+s.paint(m.colour, m.shape)+" "+name+"  ", more, title)
		if c.Evidence != "" {
			s.text(more, more, c.Evidence)
		}
		if c.Remedy != "" {
			s.text(indent+"  → ", more, c.Remedy)
		}
		for command := range strings.Lines(c.Mend) { // whole: it is to be copied
			s.line("%s  %s", more, strings.TrimSuffix(command, "\n"))
		}
	}
}

func severity(state contract.CheckState) int {
	switch state {
	case contract.Fail:
		return 3
	case contract.Warn:
		return 2
	case contract.Unknown:
		return 1
	default:
		return 0
	}
}

// showStatus writes a snapshot: what is there, and what needs attention.
func (s *screen) showStatus(snap contract.Snapshot, now time.Time) {
	s.line("%s  %s", s.paint(bold, "authbridge "+snap.Version), s.paint(faint, "seen "+ago(now, snap.ObservedAt)))
	s.line("")
	s.showSources(snap)
	s.line("\nAuthenticators")
	s.showAuthenticators(snap.Authenticators)
	s.line("\nReaders")
	if len(snap.Readers) == 0 {
		s.line("  none")
	}
	rows := make([][]string, 0, len(snap.Readers))
	for _, r := range snap.Readers {
		rows = append(rows, []string{worst(r.Checks).shape, r.Name, string(r.Origin), words(string(r.Condition)), r.Detail})
	}
	s.table("  ", rows)
	if len(snap.Leases) > 0 {
		s.line("\nLeases")
		s.showLeases("  ", snap.Leases, now)
	}
	if bad := attention(snap, nil); len(bad) > 0 {
		s.line("")
		s.showGroups(bad)
	}
}

func (s *screen) showSources(snap contract.Snapshot) {
	s.line("Sources")
	for _, src := range snap.Sources {
		m := markOf(contract.Pass)
		switch src.State {
		case "down":
			m = markOf(contract.Fail)
		case "starting", "off":
			m = markOf(contract.Unknown)
		}
		first := fmt.Sprintf("  %s  %-12s  %s ", s.paint(m.colour, m.shape), src.Name, src.State)
		s.text(first, "                   ", src.Code+" "+src.Detail)
	}
}

func (s *screen) showAuthenticators(all []contract.Authenticator) {
	if len(all) == 0 {
		s.line("  none: insert a card or plug in a key")
	}
	rows := make([][]string, 0, len(all))
	for _, a := range all {
		rows = append(rows, []string{worst(a.Checks).shape, a.ID, a.Name, string(a.Kind), words(string(a.Condition)), pinWords(a.PIN)})
	}
	s.table("  ", rows)
}

// showAuthenticator writes one with every check.
func (s *screen) showAuthenticator(a contract.Authenticator, now time.Time) {
	s.line("%s", s.paint(bold, a.Name))
	rows := [][]string{{"id", a.ID}, {"kind", string(a.Kind)}, {"origin", string(a.Origin)}, {"condition", strings.TrimSpace(words(string(a.Condition)) + " " + a.Detail)}}
	for _, row := range [][]string{{"product", a.Product}, {"AAGUID", a.AAGUID}, {"holder", a.Holder}, {"user", a.User}, {"certificates", a.Environment}, {"PIN", pinWords(a.PIN)}} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	for _, b := range a.Users {
		rows = append(rows, []string{"user at " + b.Target, b.User + ", " + boundBy(b)})
	}
	rows = append(rows, []string{"inserted", ago(now, a.InsertedAt)}, []string{"read", ago(now, a.ReadAt)})
	s.table("  ", rows)
	s.line("\nChecks")
	s.showChecks("  ", a.Checks, true)
}

// boundBy says how it is known whose an authenticator is.
func boundBy(b contract.Binding) string {
	switch {
	case b.By == contract.ByLogin:
		return "by a login that was " + string(b.Login)
	case b.Login != "":
		return "by the configuration, and a login that was " + string(b.Login)
	}
	return "by the configuration"
}

func (s *screen) showCertificates(all []contract.Certificate) {
	for _, c := range all {
		s.line("%s", s.paint(bold, "Slot "+c.Slot))
		s.table("  ", [][]string{
			{"subject", c.Subject},
			{"issuer", c.Issuer},
			{"environment", c.Environment},
			{"valid", c.NotBefore.Format(time.DateOnly) + " to " + c.NotAfter.Format(time.DateOnly)},
			{"key", c.Key},
			{"serial", c.Serial},
		})
		s.line("  SHA-256 %s", c.SHA256)
	}
}

func (s *screen) showDevices(all []contract.VirtualDevice) {
	if len(all) == 0 {
		s.line("no virtual devices")
	}
	rows := make([][]string, 0, len(all))
	for _, d := range all {
		plugged := "out"
		if d.Plugged {
			plugged = "in"
		}
		faults := make([]string, len(d.Faults))
		for i, fault := range d.Faults {
			faults[i] = strings.TrimRight(fault.Name+"="+fault.Delay+fault.SW, "=")
		}
		received := fmt.Sprintf("PIN tries spent: %d", d.PINTries)
		rows = append(rows, []string{d.Name, string(d.Kind), plugged, d.Where, received, strings.Join(faults, " ")})
	}
	s.table("", rows)
	for _, d := range all {
		if d.Reinsert {
			s.text("", "", "It shows once "+d.Name+" is taken out and put in again.")
		}
	}
}

func (s *screen) showTokens(all []contract.Token) {
	rows := make([][]string, 0, len(all))
	for _, t := range all {
		rights := make([]string, len(t.Rights))
		for i, r := range t.Rights {
			rights[i] = string(r)
		}
		ends := "never ends"
		if !t.ExpiresAt.IsZero() {
			ends = "until " + t.ExpiresAt.Format(time.DateOnly)
		}
		rows = append(rows, []string{t.Name, ends, strings.Join(rights, " "), t.ID})
	}
	s.table("", rows)
}

func (s *screen) showSettings(set settings) {
	file := set.File
	if !set.Found {
		file += " (does not exist: embedded default)"
	}
	s.line("file  %s", file)
	for _, row := range [][2]string{
		{"listen", set.Listen},
		{"state_dir", set.StateDir},
		{"log_level", set.LogLevel},
		{"virtual", set.Virtual},
		{"physical", set.Physical},
		{"probe_delay", set.ProbeDelay},
		{"trace.apdu", fmt.Sprint(set.Trace.APDU)},
		{"trace.ctap", fmt.Sprint(set.Trace.CTAP)},
		{"mock.listen", set.Mock.Listen},
		{"mock.tls", fmt.Sprint(set.Mock.TLS)},
	} {
		from := set.From[row[0]]
		if from != "" {
			from = "  (from " + from + ")"
		}
		s.line("  %-11s  %s%s", row[0], row[1], from)
	}
	for _, c := range set.Mock.Clients {
		s.text("  mock client    ", "                 ", c.ID+" by "+c.Pattern+" at "+strings.Join(c.Redirects, ", "))
	}
	s.showLists(set.Lists)
}

// showLists writes what the configuration allows. A PIN's file is named, its
// content is nobody's to see.
func (s *screen) showLists(l Lists) {
	for _, p := range append([]RelyingParty{localParty}, l.RelyingParties...) {
		s.text("  relying party  ", "                 ", p.ID+" from "+strings.Join(p.Origins, ", ")+" for "+strings.Join(p.Targets, ", "))
	}
	for _, c := range l.Signing {
		s.text("  signing        ", "                 ", c.Certificate+" for "+c.Target)
	}
	for _, p := range l.PINs {
		s.text("  pin            ", "                 ", p.Authenticator+" for "+p.Target+" from "+p.File+p.Credential)
	}
	for _, u := range l.Users {
		all := make([]string, 0, len(u.UUID))
		for _, target := range slices.Sorted(maps.Keys(u.UUID)) {
			all = append(all, u.UUID[target]+" at "+target)
		}
		s.text("  user           ", "                 ", u.Name+": "+strings.Join(append(all, u.Authenticators...), ", "))
	}
	for _, t := range l.Targets {
		s.text("  target         ", "                 ", t.inWords())
	}
}

// showFindings writes what doctor found, and what else the daemon knows.
func (s *screen) showFindings(found []contract.Check, more []group) {
	s.showChecks("", found, true)
	if len(found) > 0 && len(more) > 0 {
		s.line("")
	}
	s.showGroups(more)
	if len(found) == 0 && len(more) == 0 {
		s.line("%s nothing is wrong with this set-up", s.paint(green, markOf(contract.Pass).shape))
	}
}

func words(s string) string { return strings.ReplaceAll(s, "_", " ") }

// showGroups writes checks below what they are of, if there are any.
func (s *screen) showGroups(groups []group) {
	if len(groups) > 0 {
		s.line("Attention")
	}
	for _, g := range groups {
		s.line("%s", s.cut("  "+g.of))
		s.showChecks("    ", g.checks, false)
		s.showStandIns(g.standIns)
	}
}

// showStandIns writes in one row what a machine without hardware has instead.
func (s *screen) showStandIns(checks []contract.Check) {
	if len(checks) == 0 {
		return
	}
	names := make([]string, len(checks))
	evidence := make([]string, len(checks))
	for i, c := range checks {
		names[i], evidence[i] = c.Code, c.Evidence
	}
	m := markOf(contract.Warn)
	s.text("    "+s.paint(m.colour, m.shape)+" ", "        ", strings.Join(names, ", "))
	s.text("        ", "        ", strings.Join(evidence, "; ")+": enough for the mock, and for nothing else")
	s.text("      → ", "        ", "Plug in a card or key of your own once a test wants one.")
}

// worst is the mark of the worst check that was made; one that nobody could
// make says nothing about health.
func worst(checks []contract.Check) mark {
	state := contract.Pass
	for _, c := range checks {
		if c.State != contract.Unknown && severity(c.State) > severity(state) {
			state = c.State
		}
	}
	return markOf(state)
}

func pinWords(p contract.PIN) string {
	switch {
	case p.TriesLeft != nil:
		return fmt.Sprintf("PIN %s, %d left", words(p.State), *p.TriesLeft)
	case p.State == "":
		return ""
	default:
		return "PIN " + words(p.State)
	}
}

// ago says how long ago something was, roughly, as a person would.
func ago(now, then time.Time) string {
	if then.IsZero() {
		return "never"
	}
	switch d := now.Sub(then); {
	case d < time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return then.Format(time.DateOnly)
	}
}

// showEvent writes one event on one line, and below it what a person is asked.
func (s *screen) showEvent(e contract.Event) {
	if l := e.Login; l != nil && len(l.Steps) > 0 && l.Steps[0].State != contract.StepFail {
		return // thirty steps a run, which its own command and its report show
	}
	indent := strings.Repeat(" ", 14)
	s.text(e.At.Local().Format("15:04:05.000")+"  ", indent, e.Text)
	if c := e.Ceremony; c != nil && c.Prompt != nil {
		s.text(indent+s.paint(bold, "→ "), indent+"  ", promptText(c, e.At)+", asked by "+c.Prompt.Asker)
	}
}
