package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
)

// state is the whole in one word, as the page has it too (docs/page.md).
type state int

const (
	notRunning state = iota
	notReady
	attention
	ready
)

func (s state) String() string {
	return [...]string{"not running", "not ready", "attention", "ready"}[s]
}

// view is all that the tray shows: the icon, its name, and the rows of its menu.
type view struct {
	state state
	title string // of the icon, where somebody points at it
	rows  [rows]row
}

// row is one line of the menu; an empty text is not shown.
type row struct {
	text   string
	action action
}

// action is what a click asks for. It is never consent: every program of the
// session can click.
type action struct {
	what deed
	// ceremony is whose PIN is to be entered.
	ceremony string
}

// deed is one of the things that the menu offers.
type deed int

const (
	nothing deed = iota
	enterPIN
	openPage
	copyReport
	saveBundle
	startService
	quit
)

// The menu is as long as this, whatever there is: the place of each part.
const (
	rowVerdict = 0
	rowWhy     = 1
	rowPrompts = rowWhy + linesEach // ceremonies that need somebody
	rowHealth  = rowPrompts + 6     // authenticators, and what is wrong with them
	rowQueue   = rowHealth + 16     // leases and who waits
	rowLast    = rowQueue + 6       // what happened last
	rowSaid    = rowLast + 1        // what came of what was clicked
	rowOpen    = rowSaid + linesEach
	rowCopy    = rowOpen + 1
	rowSave    = rowOpen + 2
	rowStart   = rowOpen + 3
	rowQuit    = rowOpen + 4
	rows       = rowOpen + 5
)

// parts are the rows before which a line is drawn.
var parts = [...]int{rowHealth, rowOpen}

// view is what the world looks like at a moment.
func (w *world) view(now time.Time) view {
	state, title, why := w.overall()
	v := view{state: state, title: "authbridge: " + title}
	v.put(rowVerdict, rowWhy, []entry{{text: title}})
	v.put(rowWhy, rowPrompts, []entry{{text: why}})
	v.put(rowPrompts, rowHealth, w.prompts(now))
	v.put(rowHealth, rowQueue, w.health())
	v.put(rowQueue, rowLast, w.queue())
	if !w.last.At.IsZero() {
		v.put(rowLast, rowSaid, []entry{{text: w.last.At.Local().Format("15:04:05  ") + w.last.Text}})
	}
	v.put(rowSaid, rowOpen, []entry{{text: w.said}})
	if w.gone == "" {
		v.lead(0, rowPrompts)
		v.lead(rowHealth, rowSaid)
		v.rows[rowOpen] = row{"Open the page", action{what: openPage}}
		v.rows[rowCopy] = row{"Copy the report", action{what: copyReport}}
	} else {
		v.rows[rowStart] = row{"Start the service", action{what: startService}}
	}
	v.rows[rowSave] = row{"Save the support bundle", action{what: saveBundle}}
	v.rows[rowQuit] = row{"Quit", action{what: quit}}
	return v
}

// lead has rows that say something lead to the page, which says more.
func (v *view) lead(from, next int) {
	for i := from; i < next; i++ {
		if v.rows[i].text != "" {
			v.rows[i].action = action{what: openPage}
		}
	}
}

// entry is what is said at once, in as many rows as it takes: what there is,
// and what to do. A click on any of them is the same.
type entry struct {
	text, remedy string
	action       action
}

func (e entry) lines(room int) []string {
	lines := wrap(e.text, min(room, linesEach))
	if e.remedy != "" {
		lines = append(lines, wrap(todo+e.remedy, linesEach)...)
	}
	return lines
}

// put fills the rows of a part, up to the next, with whole entries. Where there
// are too many, the last row says so.
func (v *view) put(from, next int, list []entry) {
	for i, e := range list {
		room := next - from
		lines := e.lines(room)
		if i < len(list)-1 {
			room-- // for the row that says how many more there are
		}
		if len(lines) > room {
			v.rows[from] = row{text: fmt.Sprintf("and %d more: open the page", len(list)-i)}
			return
		}
		for _, line := range lines {
			v.rows[from] = row{line, e.action}
			from++
		}
	}
}

// overall is the state of all, in the words and by the rules of the page.
func (w *world) overall() (s state, title, why string) {
	switch {
	case w.gone != "":
		return notRunning, "Not running", w.gone
	case len(w.verdicts) == 0:
		return notReady, "Being looked at", ""
	}
	best := 3
	at := w.readyAt(best)
	if len(at) == 0 {
		best = 2
		at = w.readyAt(best)
	}
	if len(at) == 0 {
		why = w.verdicts[0].Summary
		return notReady, "Not ready", why
	}
	title = fmt.Sprintf("Ready for AAL%d at %s", best, strings.Join(at, ", "))
	for _, c := range w.waiting() {
		return attention, title, "Somebody is needed at " + c.Name + "."
	}
	for _, a := range w.sortedAuthenticators() {
		if check, ill := failing(a.Checks); ill {
			return attention, title, a.Name + ": " + check.Evidence + "."
		}
	}
	for _, r := range w.sortedReaders() {
		if trouble(r.Condition) {
			return attention, title, r.Name + ": " + words[r.Condition] + "."
		}
	}
	if best < 3 {
		return attention, title, "Not for AAL3."
	}
	return ready, title, virtualOnly(w.verdicts)
}

// virtualOnly says where a verdict rests on a virtual authenticator: nobody may
// take it for a real one.
func virtualOnly(verdicts []contract.Verdict) string {
	for _, v := range verdicts {
		if v.AAL == 3 && v.Outcome == contract.VerdictReady && v.Origin == contract.Virtual {
			return "With a virtual authenticator."
		}
	}
	return ""
}

func (w *world) readyAt(aal int) (targets []string) {
	for _, v := range w.verdicts {
		if v.AAL == aal && v.Outcome == contract.VerdictReady {
			targets = append(targets, v.Target)
		}
	}
	return targets
}

func (w *world) sortedAuthenticators() []contract.Authenticator {
	return sorted(w.authenticators, func(a contract.Authenticator) []string { return []string{a.Name, a.ID} })
}

func (w *world) sortedReaders() []contract.Reader {
	return sorted(w.readers, func(r contract.Reader) []string { return []string{r.Name, r.ID} })
}

// failing is the first check that fails.
func failing(checks []contract.Check) (contract.Check, bool) {
	i := slices.IndexFunc(checks, func(c contract.Check) bool { return c.State == contract.Fail })
	if i < 0 {
		return contract.Check{}, false
	}
	return checks[i], true
}

// words say what condition a reader or authenticator is in.
var words = map[contract.Condition]string{
	contract.Empty: "no card", contract.Present: "being read", contract.Ready: "ready", contract.Mute: "does not answer",
	contract.Hung: "stopped answering", contract.InUse: "used by another program", contract.Unreadable: "answers, but not as it must",
	contract.Forbidden: "may not be opened", contract.Unavailable: "its service is down",
}

// trouble is whether a condition is a failure.
func trouble(c contract.Condition) bool {
	switch c {
	case contract.Mute, contract.Hung, contract.Unreadable, contract.Forbidden, contract.Unavailable:
		return true
	}
	return false
}

// health says how each authenticator is, and of what fails what to do; what
// fails comes first.
func (w *world) health() []entry {
	var ill, well []entry
	add := func(name string, checks []contract.Check, condition contract.Condition) {
		check, fails := failing(checks)
		switch {
		case fails:
			ill = append(ill, entry{text: "✗ " + name + ": " + check.Evidence, remedy: check.Remedy})
		case trouble(condition):
			ill = append(ill, entry{text: "✗ " + name + ": " + words[condition]})
		case condition == contract.Ready:
			well = append(well, entry{text: "✓ " + name})
		case condition != contract.Empty && condition != "":
			well = append(well, entry{text: "… " + name + ": " + words[condition]})
		}
	}
	for _, a := range w.sortedAuthenticators() {
		add(a.Name, a.Checks, a.Condition)
	}
	for _, r := range w.sortedReaders() {
		if r.Card == "" && r.Condition != contract.Ready {
			add(r.Name, r.Checks, r.Condition) // else it is its card that counts
		}
	}
	for _, c := range w.failingMachine() {
		add(cmp.Or(c.Target, "this machine"), []contract.Check{c}, "")
	}
	return append(ill, well...)
}

// failingMachine are the checks of the machine that fail, of those on which a
// verdict rests: a machine need not have all that some target wants.
func (w *world) failingMachine() (list []contract.Check) {
	for _, v := range w.verdicts {
		for _, c := range v.Checks {
			same := func(other contract.Check) bool { return other.Code == c.Code && other.Target == c.Target }
			if c.State == contract.Fail && !slices.ContainsFunc(list, same) {
				list = append(list, c)
			}
		}
	}
	return list
}

// queue names each lease: those that are taken, then who waits.
func (w *world) queue() []entry {
	leases := sorted(w.leases, func(l contract.Lease) []string {
		return []string{fmt.Sprintf("%06d", l.Position), l.QueuedAt.UTC().Format(time.RFC3339Nano), l.ID}
	})
	list := make([]entry, 0, len(leases))
	for _, l := range leases {
		who := l.Holder
		if l.Purpose != "" {
			who += ", " + l.Purpose
		}
		if l.State == contract.LeaseQueued {
			list = append(list, entry{text: fmt.Sprintf("Waits (%d): %s", l.Position, who)})
		} else {
			list = append(list, entry{text: fmt.Sprintf("Lent: %s to %s", cmp.Or(l.Name, l.Authenticator), who)})
		}
	}
	return list
}
