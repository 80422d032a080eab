package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/inventory"
	"authbridge/platform"
)

// wall is a face that keeps all that it showed.
type wall struct {
	mu      sync.Mutex
	views   []view
	changed chan struct{}
	clicked chan click
}

func newWall() *wall {
	return &wall{changed: make(chan struct{}), clicked: make(chan click)}
}

func (w *wall) show(v view) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.views = append(w.views, v)
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *wall) clicks() <-chan click { return w.clicked }

// click clicks on a row that has been there for a while.
func (w *wall) click(row int) { w.clicked <- click{row, time.Now().Add(time.Minute)} }

// wait gives the first view that is as wanted.
func (w *wall) wait(t *testing.T, what string, wanted func(view) bool) view {
	t.Helper()
	end := time.After(time.Minute)
	for {
		w.mu.Lock()
		last, changed := view{}, w.changed
		n := len(w.views)
		if n > 0 {
			last = w.views[n-1]
		}
		w.mu.Unlock()
		if n > 0 && wanted(last) {
			return last
		}
		select {
		case <-changed:
		case <-end:
			t.Fatalf("never seen: %s; last seen:\n%s", what, text(last))
		}
	}
}

func (w *wall) all() []view {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.views)
}

func text(v view) string {
	lines := []string{v.state.String() + ": " + v.title}
	for _, r := range v.rows {
		if r.text != "" {
			lines = append(lines, r.text)
		}
	}
	return strings.Join(lines, "\n")
}

func has(v view, part string) bool { return strings.Contains(text(v), part) }

// chime is a bell that keeps what it was to show.
type chime struct {
	clicked chan uint32
	changed chan struct{} // one for each change; has room for a test

	mu     sync.Mutex
	number uint32
	shown  map[uint32]string
	titles []string
}

func newChime() *chime {
	return &chime{clicked: make(chan uint32), changed: make(chan struct{}, 100), shown: map[uint32]string{}}
}

func (c *chime) Show(_ context.Context, title, text string) (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	c.shown[c.number] = text
	c.titles = append(c.titles, title)
	c.changed <- struct{}{}
	return c.number, nil
}

func (c *chime) Close(_ context.Context, number uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.shown, number)
	c.changed <- struct{}{}
	return nil
}

func (c *chime) Clicked() <-chan uint32 { return c.clicked }

// next is what is shown after the next change.
func (c *chime) next(t *testing.T) map[uint32]string {
	t.Helper()
	select {
	case <-c.changed:
	case <-time.After(time.Minute):
		t.Fatal("the bell does not ring")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	shown := map[uint32]string{}
	for n, text := range c.shown {
		shown[n] = text
	}
	return shown
}

// play runs a tray in front of a daemon until the test ends.
func play(t *testing.T, dir string, change func(*tray)) (*wall, *chime) {
	t.Helper()
	w, c := newWall(), newChime()
	tr := &tray{
		client: &client.Client{URL: "unix://" + dir + "/sock"}, questions: settings{}.questions(), face: w, bell: c, now: time.Now,
		deeds: deeds{askPIN: func(context.Context, string, string, time.Duration) ([]byte, error) {
			return nil, platform.ErrNoPINDialog
		}},
	}
	if change != nil {
		change(tr)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tr.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("the tray does not end")
		}
		tr.client.Close()
	})
	return w, c
}

func keys(names ...string) inventory.Observation {
	var o inventory.Observation
	for i, name := range names {
		k := apitest.Key(fmt.Sprintf("key-%d", i+1))
		k.Name = name
		o.Keys = append(o.Keys, k)
	}
	return o
}

func TestTheTrayFollowsABurstInOrder(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	w, _ := play(t, s.Dir, nil)
	w.wait(t, "the daemon", func(v view) bool { return v.state == notReady && v.rows[rowOpen].text != "" })
	const burst = 1000
	for i := range burst {
		s.Observe(t, keys(fmt.Sprintf("key number %04d", i)))
	}
	w.wait(t, "the last of the burst", func(v view) bool { return has(v, fmt.Sprintf("✓ key number %04d", burst-1)) })
	next := 0
	for _, v := range w.all() {
		var seen int
		if _, err := fmt.Sscanf(v.rows[rowHealth].text, "✓ key number %d", &seen); err != nil {
			continue
		}
		switch seen {
		case next - 1: // shown again, for a verdict
		case next:
			next++
		default:
			t.Fatalf("number %d is shown where %d is due", seen, next)
		}
	}
	if next != burst {
		t.Errorf("%d of %d are shown", next, burst)
	}
	w.wait(t, "the verdict", func(v view) bool { return v.state == ready })
}

func TestADaemonThatRestartsIsFoundAgain(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	w, _ := play(t, s.Dir, nil)
	s.Observe(t, keys("key a"))
	w.wait(t, "ready", func(v view) bool { return v.state == ready })
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	gone := w.wait(t, "not running", func(v view) bool { return v.state == notRunning })
	gone.rows[rowLast] = row{} // what happened last has happened
	if has(gone, "key a") || gone.rows[rowStart].action.what != startService || gone.rows[rowOpen].text != "" {
		t.Errorf("of a daemon that is gone it shows\n%s", text(gone))
	}
	again := apitest.Start(t, apitest.Options{Dir: s.Dir})
	again.Observe(t, keys("key b"))
	w.wait(t, "the new daemon", func(v view) bool {
		v.rows[rowLast] = row{}
		return v.state == ready && has(v, "key b") && !has(v, "key a")
	})
}

func TestADaemonThatComesLaterIsFound(t *testing.T) {
	dir := t.TempDir()
	w, _ := play(t, dir, nil)
	w.wait(t, "not running", func(v view) bool { return v.state == notRunning && has(v, "No daemon answers.") })
	apitest.Start(t, apitest.Options{Dir: dir})
	w.wait(t, "the daemon", func(v view) bool { return v.state == notReady })
}

// owner is who takes leases in these tests: the user of the tray.
func owner() contract.Owner { return contract.Owner{Name: "user 1000", UserID: "1000"} }

func TestAPINIsAskedForAndGivenOnce(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	type asked struct{ text, problem string }
	ask, answer := make(chan asked), make(chan []byte)
	w, _ := play(t, s.Dir, func(tr *tray) {
		tr.deeds.askPIN = func(ctx context.Context, text, problem string, within time.Duration) ([]byte, error) {
			ask <- asked{text, problem}
			select {
			case pin := <-answer:
				return pin, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	})
	s.Observe(t, keys("key a"))
	s.Leases.Lend(owner())
	s.Ceremonies.Stage(owner(), contract.CeremonyTouch)
	touch := w.wait(t, "a touch that is waited for", func(v view) bool { return v.state == attention && has(v, apitest.Asked) })
	if touch.rows[rowPrompts].action.what != nothing {
		t.Error("to click on a touch does something")
	}
	w.click(rowPrompts) // and so does nothing
	before := time.Now()
	s.Ceremonies.Step(apitest.SampleCeremony, contract.CeremonyPIN)
	w.wait(t, "a PIN that is waited for", func(v view) bool { return v.rows[rowPrompts].action.what == enterPIN })
	w.clicked <- click{rowPrompts, before} // when it was a touch
	w.click(rowPrompts)
	if got := <-ask; !strings.Contains(got.text, "asks for the PIN of virtual key 1") || !strings.Contains(got.text, "signs in to localhost at mock") {
		t.Errorf("the dialog says\n%s", got.text)
	}
	if calls := s.Ceremonies.Calls(); len(calls) > 0 {
		t.Errorf("a click alone does %v", calls)
	}
	w.click(rowPrompts) // a second dialog is not opened
	pin := []byte("4711")
	answer <- pin
	for len(s.Ceremonies.PINs()) == 0 {
		select {
		case <-ask:
			t.Fatal("there is a second dialog")
		case <-time.After(5 * time.Millisecond):
		}
	}
	if got := s.Ceremonies.PINs(); !slices.Equal(got, []string{"4711"}) {
		t.Errorf("PINs %q arrived", got)
	}
	s.Ceremonies.Finish(apitest.SampleCeremony, contract.CeremonyDone, nil)
	w.wait(t, "the end", func(v view) bool { return v.state == ready })
	if string(pin) == "4711" {
		t.Error("the PIN is not wiped")
	}
}

func TestADialogGoesWithItsCeremony(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	opened, closed := make(chan struct{}), make(chan struct{})
	w, _ := play(t, s.Dir, func(tr *tray) {
		tr.deeds.askPIN = func(ctx context.Context, _, _ string, _ time.Duration) ([]byte, error) {
			opened <- struct{}{}
			<-ctx.Done()
			closed <- struct{}{}
			return nil, ctx.Err()
		}
	})
	s.Observe(t, keys("key a"))
	for range 2 { // and the next one has its own
		s.Leases.Lend(owner())
		s.Ceremonies.Stage(owner(), contract.CeremonyTouch)
		s.Ceremonies.Step(apitest.SampleCeremony, contract.CeremonyPIN)
		w.wait(t, "a PIN that is waited for", func(v view) bool { return v.rows[rowPrompts].action.what == enterPIN })
		w.click(rowPrompts)
		<-opened
		s.Ceremonies.Finish(apitest.SampleCeremony, contract.CeremonyTimedOut, nil)
		<-closed
		w.wait(t, "the end", func(v view) bool { return v.state == ready })
	}
	if pins := s.Ceremonies.PINs(); len(pins) > 0 {
		t.Errorf("%q arrived", pins)
	}
}

// TestAPINThatAnotherMayGiveIsNotAskedFor: what a ceremony asks is for its owner.
func TestAPINThatAnotherMayGiveIsNotAskedFor(t *testing.T) {
	s := apitest.Start(t, apitest.Options{Users: apitest.NewUsers("1000", map[string][]contract.Right{"": contract.Rights, "1000": {contract.RightRead}})})
	w, _ := play(t, s.Dir, nil)
	s.Observe(t, keys("key a"))
	s.Ceremonies.Stage(contract.Owner{Name: "token ci", TokenID: "t1"}, contract.CeremonyPIN)
	s.Ceremonies.Step(apitest.SampleCeremony, contract.CeremonyPIN)
	v := w.wait(t, "somebody else's PIN", func(v view) bool { return has(v, "PIN of virtual key 1, to be entered by") })
	if v.rows[rowPrompts].action.what != nothing || has(v, "secret run") {
		t.Error(text(v))
	}
}

func TestWhoIsNeededIsToldOnce(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	asked := make(chan struct{}, 1)
	w, c := play(t, s.Dir, func(tr *tray) {
		tr.deeds.askPIN = func(context.Context, string, string, time.Duration) ([]byte, error) {
			asked <- struct{}{}
			return nil, platform.ErrPINDeclined
		}
	})
	s.Observe(t, keys("key a"))
	s.Leases.Lend(owner())
	s.Ceremonies.Stage(owner(), contract.CeremonyTouch)
	shown := c.next(t)
	if len(shown) != 1 || !strings.Contains(shown[1], apitest.Asked) {
		t.Errorf("it shows %v", shown)
	}
	w.wait(t, "the time that is left", func(v view) bool { return has(v, " s left") })
	c.clicked <- 1 // a touch is not asked for in a window
	c.clicked <- 1
	select {
	case <-asked:
		t.Error("a PIN is asked for where none is waited for")
	default:
	}
	s.Ceremonies.Step(apitest.SampleCeremony, contract.CeremonyPIN)
	c.next(t) // the touch goes
	c.next(t) // and the PIN comes
	c.clicked <- 2
	<-asked
	s.Ceremonies.Finish(apitest.SampleCeremony, contract.CeremonyDone, nil)
	if shown := c.next(t); len(shown) != 0 {
		t.Errorf("it still shows %v", shown)
	}
}

func TestWhatCannotBeDoneIsTold(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	w, c := play(t, s.Dir, func(tr *tray) {
		tr.deeds.openPage = func(context.Context) (string, error) { return "", errors.New("no browser <b>is</b> here") }
	})
	w.wait(t, "the daemon", func(v view) bool { return v.rows[rowOpen].text != "" })
	w.click(rowOpen)
	for n, said := range c.next(t) {
		if n != 1 || !strings.Contains(said, "no browser") {
			t.Errorf("%d: %s", n, said)
		}
	}
	w.click(rowQuit)
}

// dumb is a desktop that shows no notifications, as Windows is.
type dumb struct{ *chime }

func (dumb) Show(context.Context, string, string) (uint32, error) { return 0, platform.ErrNoDesktop }

// TestWhatCannotBeNotifiedIsInTheMenu, while the daemon runs and while it does not,
// until something else is clicked.
func TestWhatCannotBeNotifiedIsInTheMenu(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	again := make(chan struct{})
	w, _ := play(t, s.Dir, func(tr *tray) {
		tr.bell = dumb{newChime()}
		tr.deeds.startService = func(context.Context) (string, error) { return "", errors.New("an administrator starts it") }
		tr.deeds.saveBundle = func(context.Context) (string, error) {
			<-again
			return "/home/ada/bundle.zip.", nil
		}
	})
	w.wait(t, "the daemon", func(v view) bool { return v.rows[rowSave].text != "" })
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	w.wait(t, "a service to start", func(v view) bool { return v.rows[rowStart].text != "" && v.rows[rowSave].text != "" })
	w.click(rowStart)
	w.wait(t, "why not", func(v view) bool {
		return v.rows[rowSaid].text == "The service could not be started: an administrator starts it"
	})
	apitest.Start(t, apitest.Options{Dir: s.Dir})
	w.wait(t, "the daemon, and what was said", func(v view) bool { return v.rows[rowOpen].text != "" && v.rows[rowSaid].text != "" })
	w.click(rowSave)
	w.wait(t, "nothing said", func(v view) bool { return v.rows[rowSaid].text == "" })
	again <- struct{}{}
	w.wait(t, "where it is", func(v view) bool { return v.rows[rowSaid].text == "The support bundle is saved: /home/ada/bundle.zip." })
}

func TestTheReportHasNoNamesOfPeople(t *testing.T) {
	t.Parallel()
	s := contract.Snapshot{
		ID: "e-1", Version: "1.2.3",
		Readers:        []contract.Reader{{Name: "reader one", Origin: contract.Physical, Condition: contract.Hung, Code: "CARD_HUNG"}},
		Authenticators: []contract.Authenticator{{Name: "card 4f2a", Kind: contract.Smartcard, Origin: contract.Physical, Condition: contract.Ready, Holder: "Goro Takahashi", User: "555200000001", Checks: []contract.Check{{Code: "PIN_RETRIES", State: contract.Fail, Evidence: "no tries are left", Remedy: "Unlock it.", NHSCode: "PIN_BLOCKED"}}}},
		Leases:         []contract.Lease{{ID: "lease-a-1", State: contract.LeaseActive, Name: "card 4f2a", Holder: "token ci", Purpose: "run 17", Requirement: contract.Requirement{User: "555200000001"}}},
	}
	got := report(&s, []contract.Verdict{{Question: contract.Question{AAL: 3, Target: "mock"}, Outcome: contract.VerdictNotReady, Summary: "Not ready."}}, time.Unix(0, 0))
	for _, want := range []string{
		"authbridge 1.2.3, 1970-01-01T00:00:00Z, snapshot e-1", "AAL3 at mock: not ready. Not ready.", "reader one (physical): stopped answering, CARD_HUNG",
		"card 4f2a (physical smartcard): ready", "fail PIN_RETRIES (PIN_BLOCKED): no tries are left", "→ Unlock it.", "lease-a-1, active, card 4f2a, token ci, run 17",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "Takahashi") || strings.Contains(got, "5552") {
		t.Errorf("a person is in\n%s", got)
	}
}
