package login_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/agent/login"
	"authbridge/agent/store"
)

// stuck is a service that stops answering at one place, and tells when.
func stuck(path string) (change func(*world), there <-chan struct{}) {
	reached := make(chan struct{})
	once := sync.OnceFunc(func() { close(reached) })
	return func(w *world) {
		w.config.Transport = instead{w.config.Transport, path, func(r *http.Request) (*http.Response, error) {
			once()
			return hangs(r)
		}}
		w.config.CallTime = time.Minute
	}, reached
}

func TestACancelledRunIsAbortedWithWhatWasSeen(t *testing.T) {
	t.Parallel()
	change, there := stuck("/access_token")
	w := newWorld(t, change)
	id := w.begin(contract.LoginRequest{Scenario: contract.ScenarioReauthentication, Kind: contract.Smartcard}).ID
	<-there
	l, err := w.runner.Cancel(soon(t), id)
	must(t, err)
	if l.State != contract.LoginAborted || l.Problem.Code != "LOGIN_CANCELLED" || stepOf(l, "proof").State != contract.StepPass ||
		stepOf(l, "token").Code != "LOGIN_CANCELLED" || stepOf(l, "release").State != contract.StepPass || stepOf(l, "signature").State != contract.StepSkipped {
		t.Errorf("%s\n%s", l.Summary, story(l))
	}
	w.await(id)
	if again, err := w.runner.Cancel(soon(t), id); err != nil || again.State != contract.LoginAborted {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := w.runner.Cancel(soon(t), "login-0"); failure.CodeOf(err) != failure.LoginUnknown {
		t.Error(err)
	}
}

func TestARunThatWaitsForAPersonCanBeCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.begin(contract.LoginRequest{Kind: contract.Smartcard, PIN: &contract.PINSource{Ask: true}}).ID
	var c contract.Ceremony
	_, err := w.inv.Await(soon(t), func(*contract.Snapshot) bool {
		for _, one := range w.use.Ceremonies() {
			c = one
		}
		return c.State == contract.CeremonyPIN
	})
	must(t, err)
	l, err := w.runner.Cancel(soon(t), id)
	must(t, err)
	if l.State != contract.LoginAborted || stepOf(l, "ceremony").State != contract.StepFail {
		t.Errorf("%s\n%s", l.Summary, story(l))
	}
	if c, _, _ := w.use.Ceremony(c.ID); !c.State.Over() {
		t.Errorf("the ceremony is %s", c.State)
	}
}

// TestAPersonsPINGoesToTheCeremony holds that a person answers a run's ceremony
// as any other.
func TestAPersonsPINGoesToTheCeremony(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.begin(contract.LoginRequest{Kind: contract.Smartcard, PIN: &contract.PINSource{Ask: true}}).ID
	_, err := w.inv.Await(soon(t), func(*contract.Snapshot) bool {
		for _, one := range w.use.Ceremonies() {
			if one.State == contract.CeremonyPIN {
				return w.use.Answer(soon(t), ci, one.ID, []byte("123456")) == nil
			}
		}
		return false
	})
	must(t, err)
	if l := w.await(id); l.State != contract.LoginPassed {
		t.Errorf("%s\n%s", l.Summary, story(l))
	}
}

// TestAPINThatIsRefusedIsNotSentAgain holds that runs are no way around rule 1:
// what came from a caller's requests stays blocked in the next run.
func TestAPINThatIsRefusedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrong := func() contract.LoginRequest {
		return contract.LoginRequest{Kind: contract.Smartcard, PIN: &contract.PINSource{Value: []byte("654321")}}
	}
	w.fails(wrong(), "ceremony", string(failure.PINRefused))
	spent := w.devices.List()[0].PINTries
	w.ready("virtual-reader-1")
	other := wrong()
	other.PIN.Value = []byte("654322")
	l := w.run(other)
	if code := stepOf(l, "ceremony").Code; l.State != contract.LoginFailed || code == string(failure.PINRefused) {
		t.Errorf("%s\n%s", l.Summary, story(l))
	}
	if now := w.devices.List()[0].PINTries; now != spent {
		t.Errorf("%d tries were spent, %d before", now, spent)
	}
}

// TestThePINOfVirtualAuthenticatorsIsASourceOfItsOwn (rule 1): a caller whose PIN
// was refused sends none any more, under whichever name; a run that needs none of
// the caller's goes on, and its right PIN opens the way again.
func TestThePINOfVirtualAuthenticatorsIsASourceOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := func(pin, secret string) (code string, spent uint64) {
		request := contract.LoginRequest{Kind: contract.SecurityKey}
		if pin != "" {
			request.PIN = &contract.PINSource{Value: []byte(pin), Secret: secret}
		}
		w.ready("virtual-key-1")
		before := w.devices.List()[1].PINTries
		if l := w.run(request); l.Problem != nil {
			code = l.Problem.Code
		}
		return code, w.devices.List()[1].PINTries - before
	}
	for _, row := range []struct {
		pin, secret, code string
		sent              bool
	}{
		{"", "", "", true}, // the known one
		{"wrong-1", "", "PIN_REFUSED", true},
		{"wrong-2", "", "PIN_SOURCE_BLOCKED", false},
		{"wrong-3", "vault", "PIN_SOURCE_BLOCKED", false}, // a name that was never right
		{"123456", "", "PIN_SOURCE_BLOCKED", false},       // the right one
		{"", "", "", true},                                // the known one, which was right before
		{"123456", "", "", true},
	} {
		if code, spent := run(row.pin, row.secret); code != row.code || (spent > 0) != row.sent {
			t.Errorf("%q of %q: %s, %d tries sent", row.pin, row.secret, code, spent)
		}
	}
}

func TestShutdownAbortsAndGivesBack(t *testing.T) {
	t.Parallel()
	change, there := stuck("/proof")
	w := newWorld(t, change)
	running := w.begin(contract.LoginRequest{Kind: contract.Smartcard}).ID
	waiting := w.begin(contract.LoginRequest{Kind: contract.Smartcard, Queue: "10m"}).ID
	<-there
	must(t, w.runner.Shutdown(soon(t)))
	for _, id := range []string{running, waiting} {
		if l := w.await(id); l.State != contract.LoginAborted || l.Problem.Code != "SHUTTING_DOWN" {
			t.Errorf("%s\n%s", l.Summary, story(l))
		}
	}
	if _, err := w.runner.Begin(soon(t), ci, contract.LoginRequest{Target: "mock"}); failure.CodeOf(err) != failure.ShuttingDown {
		t.Error(err)
	}
}

// TestAfterKillARunIsAborted is kill -9 as the store sees it: what was told of
// the run was written before, and its end never was.
func TestAfterKillARunIsAborted(t *testing.T) {
	t.Parallel()
	change, there := stuck("/access_token")
	w := newWorld(t, change)
	id := w.begin(contract.LoginRequest{Kind: contract.Smartcard}).ID
	<-there
	w.hears("proof")
	// What a daemon finds that starts now.
	left, err := w.kept.UnfinishedLogins(soon(t))
	must(t, err)
	if len(left) != 1 || stepOf(left[0].Login, "proof").State != contract.StepPass || left[0].State != contract.LoginRunning {
		t.Fatalf("%+v", left)
	}
	next, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	must(t, err)
	defer next.Close()
	must(t, next.PutLogin(t.Context(), left[0]))
	config := w.config
	config.Store = next
	var told []contract.Event
	config.Tell = func(events ...contract.Event) { told = append(told, events...) }
	after, err := login.New(t.Context(), config)
	must(t, err)
	defer func() { must(t, after.Shutdown(context.Background())) }()
	l, owner, err := after.Login(soon(t), id)
	must(t, err)
	if l.State != contract.LoginAborted || l.Problem.Code != "LOGIN_CUT_OFF" || l.EndedAt.IsZero() || owner.TokenID != ci.TokenID ||
		stepOf(l, "proof").State != contract.StepPass || len(told) != 1 {
		t.Errorf("%s\n%s", l.Summary, story(l))
	}
	if report, kind, err := after.Report(soon(t), id, contract.LoginReportJUnit); err != nil || kind != "application/xml" || !strings.Contains(string(report), "LOGIN_CUT_OFF") {
		t.Errorf("%s, %v", report, err)
	}
	if _, err := w.runner.Cancel(soon(t), id); err != nil {
		t.Error(err)
	}
}

// TestWhatAKilledDaemonLeftOfAScenarioIsTakenAway holds that the authenticators
// that fail are there only while they are played with.
func TestWhatAKilledDaemonLeftOfAScenarioIsTakenAway(t *testing.T) {
	t.Parallel()
	left := []string{"login-card-pulled", "login-touch-timeout"}
	w := newWorld(t, func(w *world) {
		_, err := w.devices.Insert(soon(t), contract.VirtualInsert{Name: left[0], User: "555299990001"})
		must(t, err)
		_, err = w.devices.Plug(soon(t), contract.VirtualPlug{Name: left[1], Touch: "never"})
		must(t, err)
	})
	must(t, w.runner.Shutdown(soon(t))) // which waits for that too
	for _, v := range w.devices.List() {
		if slices.Contains(left, v.Name) {
			t.Errorf("%s is left", v.Name)
		}
	}
	var err error
	w.runner, err = login.New(t.Context(), w.config)
	must(t, err)
	for _, s := range []contract.LoginScenario{contract.ScenarioTouchTimeout, contract.ScenarioCardPulled} {
		w.passes(contract.LoginRequest{Scenario: s})
	}
}

// TestTwentyRunsInParallel share two cards and two keys.
func TestTwentyRunsInParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.devices.Insert(soon(t), contract.VirtualInsert{Name: "second-reader", User: secondly})
	must(t, err)
	_, err = w.devices.Plug(soon(t), contract.VirtualPlug{Name: "second-key"})
	must(t, err)
	w.ready("second-reader", "second-key")
	var ids []string
	for n := range 20 {
		request := contract.LoginRequest{Queue: "5m", Purpose: fmt.Sprintf("run %d", n)}
		if n%4 == 0 {
			request.Scenario = contract.ScenarioStaleAuthTime
		}
		ids = append(ids, w.begin(request).ID)
	}
	used := map[string]int{}
	for _, id := range ids {
		l := w.await(id)
		if l.State != contract.LoginPassed {
			t.Errorf("%s\n%s", l.Summary, story(l))
		}
		used[l.Authenticator]++
	}
	if len(used) != 4 {
		t.Errorf("used were %v", used)
	}
	all, err := w.runner.Logins(soon(t))
	must(t, err)
	if len(all) != 20 || !slices.IsSortedFunc(all, func(a, b contract.Login) int { return b.StartedAt.Compare(a.StartedAt) }) {
		t.Errorf("%d are listed", len(all))
	}
}

// TestEventsTellEachStep holds what clients show while a run goes on.
func TestEventsTellEachStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.passes(contract.LoginRequest{Kind: contract.Smartcard})
	w.mu.Lock()
	defer w.mu.Unlock()
	var steps, states []string
	for _, e := range w.events {
		if e.Type != contract.LoginChanged || e.Subject != l.ID || e.Login == nil || e.At.IsZero() {
			t.Errorf("%+v", e)
		}
		if e.Login.User == cardUser {
			t.Error("an event tells who signs in")
		}
		if len(e.Login.Steps) == 1 {
			steps = append(steps, e.Login.Steps[0].Name)
		} else {
			states = append(states, string(e.Login.State))
		}
	}
	if len(steps) != len(l.Steps) || !slices.Equal(states, []string{"queued", "passed"}) {
		t.Errorf("told are %v and %v", steps, states)
	}
}

// hears waits until a step is told.
func (w *world) hears(step string) {
	w.t.Helper()
	for end := soon(w.t).Done(); ; {
		more := w.next()
		w.mu.Lock()
		told := slices.ContainsFunc(w.events, func(e contract.Event) bool { return e.Login != nil && stepOf(*e.Login, step).Name == step })
		w.mu.Unlock()
		if told {
			return
		}
		select {
		case <-more:
		case <-end:
			w.t.Fatalf("%s is not told", step)
		}
	}
}

// unknown are ceremonies that begin while nobody can know whose they are.
type unknown struct {
	login.Ceremonies
	w     *world
	early chan struct{}
}

func (u unknown) Begin(ctx context.Context, by lease.Caller, request contract.CeremonyRequest) (contract.Ceremony, error) {
	u.w.mu.Lock()
	told := slices.ContainsFunc(u.w.events, func(e contract.Event) bool { return e.Login != nil && e.Login.Lease == request.Lease })
	u.w.mu.Unlock()
	if !told {
		u.w.t.Errorf("nobody was told whose %s is", request.Lease)
		close(u.early)
	}
	return u.Ceremonies.Begin(ctx, by, request)
}

// slow is a store that gives a run time to begin its ceremony before it is
// written that it has a lease.
type slow struct {
	*store.Store
	early chan struct{}
}

func (s slow) PutLogin(ctx context.Context, record store.Login) error {
	if record.Lease != "" && !record.State.Over() {
		select {
		case <-s.early:
		case <-time.After(50 * time.Millisecond):
		}
	}
	return s.Store.PutLogin(ctx, record)
}

// TestWhoIsAskedCanKnowByWhom: that a run has a lease is told before its
// ceremony begins, however slow the disk is.
func TestWhoIsAskedCanKnowByWhom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		early := make(chan struct{})
		w.config.Ceremonies, w.config.Store = unknown{w.use, w, early}, slow{w.kept, early}
	})
	w.passes(contract.LoginRequest{Kind: contract.Smartcard})
}
