package main

import (
	"bytes"
	"fmt"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func verdict(aal int, outcome contract.Outcome) contract.Verdict {
	return contract.Verdict{Question: contract.Question{AAL: aal, Target: "mock"}, Outcome: outcome, Summary: "Summary at " + fmt.Sprint(aal) + ".", Origin: contract.Virtual}
}

// seen is a world after a snapshot, verdicts and events.
func seen(s contract.Snapshot, verdicts []contract.Verdict, events ...contract.Event) *world {
	w := &world{}
	w.learn(told{Event: client.Event{Snapshot: &s}})
	w.verdicts = verdicts
	for _, e := range events {
		w.learn(told{Event: client.Event{Event: &e}})
	}
	return w
}

// fails are verdicts that rest, both, on a check of the machine.
func fails(c contract.Check) []contract.Verdict {
	list := []contract.Verdict{verdict(3, contract.VerdictReady), verdict(2, contract.VerdictReady)}
	for i := range list {
		list[i].Checks = []contract.Check{{Code: "OTHER", State: contract.Warn, Evidence: "a warning"}, c}
	}
	return list
}

func TestTheStateOfAll(t *testing.T) {
	t.Parallel()
	both := []contract.Verdict{verdict(3, contract.VerdictReady), verdict(2, contract.VerdictReady)}
	well := contract.Authenticator{ID: "key-1", Name: "key 4f2a", Condition: contract.Ready}
	ill := well
	ill.Checks = []contract.Check{{Code: "PIN_RETRIES", State: contract.Fail, Evidence: "no tries are left", Remedy: "Unlock it."}}
	warned := well
	warned.Checks = []contract.Check{{Code: "PIN_RETRIES", State: contract.Warn, Evidence: "two tries are left"}}
	touch := contract.Ceremony{ID: "c1", Lease: "lease-a-1", Name: "key 4f2a", Target: "mock", State: contract.CeremonyTouch, Deadline: noon.Add(20 * time.Second), Prompt: &contract.Prompt{Kind: "touch", Text: "Touch key 4f2a, which blinks, for run 17"}}
	for name, c := range map[string]struct {
		world *world
		want  state
		has   []string
		not   string
	}{
		"no daemon":             {world: &world{gone: "No daemon answers."}, want: notRunning, has: []string{"Not running", "No daemon answers.", "Start the service"}, not: "Open the page"},
		"no verdict yet":        {world: seen(contract.Snapshot{}, nil), want: notReady, has: []string{"Being looked at"}},
		"ready":                 {world: seen(contract.Snapshot{Authenticators: []contract.Authenticator{well}}, both), want: ready, has: []string{"Ready for AAL3 at mock", "With a virtual authenticator.", "✓ key 4f2a", "Open the page"}, not: "Start the service"},
		"a warning":             {world: seen(contract.Snapshot{Authenticators: []contract.Authenticator{warned}}, both), want: ready},
		"AAL2 only":             {world: seen(contract.Snapshot{}, []contract.Verdict{verdict(3, contract.VerdictNotReady), verdict(2, contract.VerdictReady)}), want: attention, has: []string{"Ready for AAL2 at mock", "Not for AAL3."}},
		"unproven":              {world: seen(contract.Snapshot{}, []contract.Verdict{verdict(3, contract.VerdictUnproven), verdict(2, contract.VerdictUnproven)}), want: notReady, has: []string{"Summary at 3."}},
		"nothing ready":         {world: seen(contract.Snapshot{}, []contract.Verdict{verdict(3, contract.VerdictNotReady), verdict(2, contract.VerdictNotReady)}), want: notReady, has: []string{"Not ready", "Summary at 3."}},
		"one fails":             {world: seen(contract.Snapshot{Authenticators: []contract.Authenticator{ill}}, both), want: attention, has: []string{"✗ key 4f2a: no tries are left", "→ Unlock it."}},
		"a reader is stuck":     {world: seen(contract.Snapshot{Readers: []contract.Reader{{ID: "r", Name: "reader one", Condition: contract.Hung}}}, both), want: attention, has: []string{"✗ reader one: stopped answering"}},
		"a reader is empty":     {world: seen(contract.Snapshot{Readers: []contract.Reader{{ID: "r", Name: "reader one", Condition: contract.Empty}}}, both), want: ready, not: "reader one"},
		"the machine fails":     {world: seen(contract.Snapshot{Checks: []contract.Check{{Code: "OS_SUPPORT", State: contract.Fail, Evidence: "it is Linux"}}}, fails(contract.Check{Code: "PCSC_SERVICE", State: contract.Fail, Evidence: "pcscd does not run", Remedy: "Start it."})), want: ready, has: []string{"✗ this machine: pcscd does not run\n    → Start it."}, not: "Linux"},
		"a target fails":        {world: seen(contract.Snapshot{}, fails(contract.Check{Code: "TARGET", Target: "int", State: contract.Fail, Evidence: "it cannot be reached"})), want: ready, has: []string{"✗ int: it cannot be reached"}},
		"a touch is waited for": {world: seen(contract.Snapshot{}, both, contract.Event{Type: contract.CeremonyChanged, Ceremony: &touch}), want: attention, has: []string{"Touch key 4f2a, which blinks, for run 17, 20 s left"}},
		"plugged in":            {world: seen(contract.Snapshot{}, both, contract.Event{Type: contract.KeyPlugged, At: noon, Text: "key 4f2a plugged in", Authenticator: &well}), want: ready, has: []string{"✓ key 4f2a", "key 4f2a plugged in"}},
		"unplugged":             {world: seen(contract.Snapshot{Authenticators: []contract.Authenticator{ill}}, both, contract.Event{Type: contract.KeyUnplugged, Subject: "key-1", Text: "it is gone"}), want: ready, not: "key 4f2a"},
		"mended":                {world: seen(contract.Snapshot{Authenticators: []contract.Authenticator{ill}}, both, contract.Event{Type: contract.AuthenticatorChanged, Subject: "key-1", Authenticator: &well}), want: ready, has: []string{"✓ key 4f2a"}, not: "✗"},
		"lent, and somebody waits": {world: seen(contract.Snapshot{Leases: []contract.Lease{
			{ID: "lease-b", State: contract.LeaseQueued, Position: 1, Holder: "token ci", Purpose: "run 18"},
			{ID: "lease-a-1", State: contract.LeaseActive, Name: "key 4f2a", Holder: "user 1000"},
		}}, both), want: ready, has: []string{"Lent: key 4f2a to user 1000\nWaits (1): token ci, run 18"}},
		"taken from the queue": {world: seen(contract.Snapshot{Leases: []contract.Lease{{ID: "lease-b", State: contract.LeaseQueued, Position: 1, Holder: "token ci"}}}, both,
			contract.Event{Type: contract.LeaseChanged, Lease: &contract.Lease{ID: "lease-b-7", State: contract.LeaseActive, Name: "key 4f2a", Holder: "token ci"}}), want: ready, has: []string{"Lent: key 4f2a to token ci"}, not: "Waits"},
		"given back": {world: seen(contract.Snapshot{Leases: []contract.Lease{{ID: "lease-a-1", State: contract.LeaseActive, Name: "key 4f2a", Holder: "token ci"}}}, both,
			contract.Event{Type: contract.LeaseChanged, Lease: &contract.Lease{ID: "lease-a-1", State: contract.LeaseEnded}}), want: ready, not: "Lent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := c.world.view(noon)
			if v.state != c.want {
				t.Errorf("it is %s, want %s", v.state, c.want)
			}
			for _, part := range c.has {
				if !has(v, part) {
					t.Errorf("%q is not in\n%s", part, text(v))
				}
			}
			if c.not != "" && has(v, c.not) {
				t.Errorf("%q is in\n%s", c.not, text(v))
			}
		})
	}
}

func TestAPromptOfAnotherTellsWhatAllMayKnow(t *testing.T) {
	t.Parallel()
	c := contract.Ceremony{ID: "c1", Lease: "lease-a-1", Name: "key 4f2a", State: contract.CeremonyTouch, Deadline: noon.Add(1500 * time.Millisecond)}
	lease := contract.Lease{ID: "lease-a-1", State: contract.LeaseActive, Holder: "token ci", Purpose: "run 17"}
	w := seen(contract.Snapshot{Leases: []contract.Lease{lease}}, nil, contract.Event{Type: contract.CeremonyChanged, Ceremony: &c})
	if got := w.prompts(noon)[0].text; got != "Touch key 4f2a, for token ci (run 17), 2 s left" {
		t.Error(got)
	}
	if got := w.prompts(noon.Add(time.Minute))[0].text; !strings.HasSuffix(got, "0 s left") {
		t.Error(got)
	}
}

// TestALateListTurnsNothingBack: a snapshot's ceremonies may be ahead of the
// events that follow it.
func TestALateListTurnsNothingBack(t *testing.T) {
	t.Parallel()
	step := func(state contract.CeremonyState, steps int) contract.Ceremony {
		return contract.Ceremony{ID: "c1", State: state, Steps: make([]contract.CeremonyStep, steps)}
	}
	w := &world{}
	w.learn(told{Event: client.Event{Snapshot: &contract.Snapshot{}}, ceremonies: []contract.Ceremony{step(contract.CeremonyTouch, 3)}})
	before := step(contract.CeremonyPIN, 2)
	w.learn(told{Event: client.Event{Event: &contract.Event{Type: contract.CeremonyChanged, Ceremony: &before}}})
	if got := w.ceremonies["c1"].State; got != contract.CeremonyTouch {
		t.Errorf("it is in %s", got)
	}
}

func TestTheDialogSaysWhatAPersonMustKnow(t *testing.T) {
	t.Parallel()
	three, purpose := 3, "run 17"+strings.Repeat(" of a suite", 10) // longer than a row
	c := contract.Ceremony{
		ID: "c1", Lease: "lease-a-1", Name: "card\n4f2a", Origin: contract.Virtual, Target: "int", Type: contract.CeremonySign, State: contract.CeremonyPIN,
		Prompt: &contract.Prompt{Kind: "pin", Text: "Enter the PIN", TriesLeft: &three, Asker: `program "node", with token ci of user 1000`},
	}
	w := seen(contract.Snapshot{Leases: []contract.Lease{{ID: "lease-a-1", State: contract.LeaseActive, Holder: "token ci", Purpose: purpose}}}, nil)
	want := `Program "node", with token ci of user 1000 (` + purpose + ") asks for the PIN of card 4f2a.\nWith it, it signs at int.\nIt is a virtual authenticator: do not enter the PIN of a real one.\n3 tries are left."
	if got := w.dialogText(c); got != want {
		t.Errorf("%s", got)
	}
	c.Prompt.RPID = "login.test.example"
	for kind, want := range map[contract.CeremonyType]string{
		contract.CeremonyCreate: "\nWith it, it makes a credential for login.test.example at int.\n",
		contract.CeremonyGet:    "\nWith it, it signs in to login.test.example at int.\n",
	} {
		if c.Type = kind; !strings.Contains(w.dialogText(c), want) {
			t.Errorf("%s", w.dialogText(c))
		}
	}
}

// TestWhatTheMenuSaysLeadsToThePage, which says more, while there is one. What is
// asked of a person is no way anywhere but to the PIN.
func TestWhatTheMenuSaysLeadsToThePage(t *testing.T) {
	t.Parallel()
	touch := contract.Ceremony{ID: "c1", Name: "key 4f2a", State: contract.CeremonyTouch}
	w := seen(contract.Snapshot{
		Authenticators: []contract.Authenticator{{ID: "key-1", Name: "key 4f2a", Condition: contract.Ready}},
		Leases:         []contract.Lease{{ID: "lease-a-1", State: contract.LeaseActive, Name: "key 4f2a", Holder: "user 1000"}},
	}, nil, contract.Event{Type: contract.CeremonyChanged, At: noon, Text: "it is in use", Ceremony: &touch})
	page := action{what: openPage}
	v := w.view(noon)
	for row, want := range map[int]action{rowVerdict: page, rowPrompts: {}, rowHealth: page, rowQueue: page, rowLast: page, rowSaid: {}} {
		if got := v.rows[row]; got.action != want || got.text == "" && want != (action{}) {
			t.Errorf("%q does %v, want %v", got.text, got.action, want)
		}
	}
	w.lose("No daemon answers.")
	v = w.view(noon)
	for i, r := range v.rows[:rowOpen] {
		if r.action != (action{}) {
			t.Errorf("without a daemon row %d, %q, does %v", i, r.text, r.action)
		}
	}
}

func TestTheMenuIsBounded(t *testing.T) {
	t.Parallel()
	var s contract.Snapshot
	for i := range 100 {
		name := fmt.Sprintf("key %03d \x1b[31m\u202e%s", i, strings.Repeat("w", 500))
		s.Authenticators = append(s.Authenticators, contract.Authenticator{ID: name, Name: name, Condition: contract.Ready, Checks: []contract.Check{{State: contract.Fail, Evidence: name, Remedy: name}}})
		s.Leases = append(s.Leases, contract.Lease{ID: fmt.Sprintf("lease-%d", i), State: contract.LeaseQueued, Position: i + 1, Holder: name})
	}
	v := seen(s, nil).view(noon)
	if !has(v, "and 98 more: open the page") || !has(v, "and 99 more: open the page") {
		t.Error(text(v))
	}
	for _, r := range v.rows {
		if utf8.RuneCountInString(r.text) > longest || strings.ContainsAny(r.text, "\x1b\u202e\n") {
			t.Errorf("%q", r.text)
		}
	}
}

// TestWhatToDoCanBeReadInTheMenu: a remedy is longer than a row of a menu may be.
func TestWhatToDoCanBeReadInTheMenu(t *testing.T) {
	t.Parallel()
	word := strings.Repeat("w", 60)
	for text, want := range map[string][]string{
		"":                              {""},
		"short":                         {"short"},
		word + " " + word[:29]:          {word + " " + word[:29]},
		word + " " + word[:30]:          {word, "    " + word[:30]},
		todo + word + " " + word:        {todo + word, "      " + word},
		word + word:                     {word + word[:30], "    " + word[:30]},
		word + "   " + word[:30]:        {word, "    " + word[:30]},
		strings.Repeat(word+" ", 4):     {word, "    " + word, "    " + word + " " + word[:24] + "…"},
		word + "\n\x1b" + word[:30]:     {word, "    " + word[:30]},
		strings.Repeat(word+"é ", 2):    {word + "é", "    " + word + "é"},
		strings.Repeat(" ", 100) + word: {"", "    " + word},
	} {
		if got := wrap(text, linesEach); !slices.Equal(got, want) {
			t.Errorf("%q becomes\n%q, want\n%q", text, got, want)
		}
	}
	for _, f := range failure.All() {
		v := seen(contract.Snapshot{}, fails(contract.Check{Target: "int", State: contract.Fail, Evidence: "no", Remedy: f.Remedy})).view(noon)
		var said []string
		for _, r := range v.rows[rowHealth:rowQueue] {
			said = append(said, strings.Fields(r.text)...)
		}
		if got := strings.Join(said, " "); !strings.Contains(got, f.Remedy) {
			t.Errorf("of what to do about %s the menu says %q", f.Code, got)
		}
	}
}

func TestLabelsMarkNoKeys(t *testing.T) {
	t.Parallel()
	for goos, want := range map[string]string{"linux": "a__b & c", "windows": "a_b && c", "darwin": "a_b & c"} {
		if got := label(goos, "a_b & c"); got != want {
			t.Errorf("%s: %q", goos, got)
		}
	}
}

// TestTheIconsDifferInShape, the mark in them included: whoever sees no colours
// tells them apart.
func TestTheIconsDifferInShape(t *testing.T) {
	t.Parallel()
	shapes := map[string]state{}
	for s := notRunning; s <= ready; s++ {
		img, err := png.Decode(bytes.NewReader(icon(s)))
		if err != nil {
			t.Fatal(err)
		}
		var shape strings.Builder
		for i := range iconSize * iconSize {
			switch r, g, b, a := img.At(i%iconSize, i/iconSize).RGBA(); {
			case a < 0x8000:
				shape.WriteByte(' ')
			case min(r, g, b) > 0xc000:
				shape.WriteByte('+') // the mark in it
			default:
				shape.WriteByte('#')
			}
		}
		for other, of := range shapes {
			different := 0
			for i := range other {
				if other[i] != shape.String()[i] {
					different++
				}
			}
			if different < iconSize*iconSize/20 {
				t.Errorf("%s and %s differ in %d points", s, of, different)
			}
		}
		shapes[shape.String()] = s
		if file := ico(icon(s)); !bytes.Equal(file[22:], icon(s)) || file[2] != 1 || file[4] != 1 || file[6] != iconSize {
			t.Errorf("the icon file of %s begins % x", s, file[:22])
		}
	}
}
