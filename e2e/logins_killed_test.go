//go:build linux && cgo

package e2e

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/pcsc/vcard"
)

// loginProgram is the program with a virtual card and a virtual key, whose users
// sign in at its own mock.
type loginProgram struct {
	*program
	api    *apiclient.Client
	config string // a file
}

func startLogins(t *testing.T) *loginProgram {
	t.Helper()
	t.Setenv("AUTHBRIDGE_LOG_LEVEL", "error")
	p := &loginProgram{program: buildProgram(t), config: filepath.Join(t.TempDir(), "config.toml")}
	p.more = []string{"--physical", "off", "--config", p.config}
	p.configure("")
	p.api = p.client()
	t.Cleanup(p.api.Close)
	p.start()
	p.whole()
	return p
}

// configure says what the mock does wrong with login runs, from the next start
// on.
func (p *loginProgram) configure(faults string) {
	p.t.Helper()
	text := "[mock]\nlisten = \"localhost:0\"\n"
	if faults != "" {
		text += "[[mock.client]]\nid = \"authbridge-login\"\nredirects = [\"http://127.0.0.1:1/\"]\npattern = \"client_secret_post\"\nsecret = \"none\"\nfaults = [\"" + faults + "\"]\n"
	}
	must(p.t, os.WriteFile(p.config, []byte(text), 0o600))
}

// whole waits until card and key are ready and nobody has a lease.
func (p *loginProgram) whole() {
	p.t.Helper()
	p.until("card and key are free and ready", func(s *contract.Snapshot) bool {
		n := 0
		for _, a := range s.Authenticators {
			if a.Condition == contract.Ready {
				n++
			}
		}
		return n == 2 && len(s.Leases) == 0
	})
}

// heardRun is a run as its client hears of it.
type heardRun struct {
	mu       sync.Mutex
	steps    []string
	id       string
	ceremony contract.Ceremony
	open     string
	changed  chan struct{}
	over     chan struct{}
	login    contract.Login
	err      error
}

// runs begins a run and follows it, over restarts of the daemon too.
func (p *loginProgram) runs(ctx context.Context, request contract.LoginRequest) *heardRun {
	r := &heardRun{changed: make(chan struct{}), over: make(chan struct{})}
	change := func(do func()) {
		r.mu.Lock()
		defer r.mu.Unlock()
		do()
		close(r.changed)
		r.changed = make(chan struct{})
	}
	request.Target = "mock"
	go func() {
		defer close(r.over)
		r.login, r.err = p.api.RunLogin(ctx, request, apiclient.LoginTold{
			Run: func(l contract.Login) {
				change(func() {
					r.id = l.ID
					for _, s := range l.Steps {
						r.steps = append(r.steps, s.Name)
					}
				})
			},
			Ceremony: func(c contract.Ceremony) { change(func() { r.ceremony = c }) },
			Open:     func(address string) { change(func() { r.open = address }) },
		})
	}()
	return r
}

// until waits until the client knows something of the run.
func (r *heardRun) until(t *testing.T, what string, known func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		is, changed := known(), r.changed
		r.mu.Unlock()
		if is {
			return
		}
		select {
		case <-changed:
		case <-r.over:
			t.Fatalf("%s: it is over: %v\n%+v", what, r.err, r.login)
		case <-late:
			t.Fatalf("%s does not come", what)
		}
	}
}

func (r *heardRun) step(name string) func() bool {
	return func() bool { return slices.Contains(r.steps, name) }
}

func (r *heardRun) state(s contract.CeremonyState) func() bool {
	return func() bool { return r.ceremony.State == s }
}

// settled waits for the end of a run. Whoever had just begun to follow it when
// the daemon was killed asks the next one.
func (p *loginProgram) settled(ctx context.Context, r *heardRun) {
	p.t.Helper()
	<-r.over
	if errors.Is(r.err, apiclient.ErrNotReachable) && r.id != "" {
		r.login, r.err = p.api.Login(ctx, r.id, time.Minute)
	}
}

// cutOff holds what a run is that the daemon did not see to its end: aborted,
// with each step that was ever told, and a report in each form.
func (p *loginProgram) cutOff(r *heardRun) {
	p.t.Helper()
	l := r.login
	if r.err != nil || l.State != contract.LoginAborted || l.Problem == nil || l.Problem.Code != string(failure.LoginCutOff) || l.EndedAt.IsZero() || l.Summary == "" {
		p.t.Errorf("it is %+v, %v", l, r.err)
		return
	}
	for _, name := range r.steps {
		if !slices.ContainsFunc(l.Steps, func(s contract.LoginStep) bool { return s.Name == name }) {
			p.t.Errorf("%s was told and is lost", name)
		}
	}
	for _, form := range []contract.LoginReportForm{contract.LoginReportJSON, contract.LoginReportJUnit, contract.LoginReportHTML} {
		report, err := p.api.LoginReport(p.t.Context(), l.ID, form)
		if err != nil || !bytes.Contains(report, []byte(failure.LoginCutOff)) {
			p.t.Errorf("the report as %s: %v\n%s", form, err, report)
		}
		if form == contract.LoginReportJUnit {
			must(p.t, xml.Unmarshal(report, new(struct{ XMLName xml.Name })))
		}
	}
}

// next are runs with card and key, which must pass.
func (p *loginProgram) next(ctx context.Context) {
	p.t.Helper()
	for _, kind := range []contract.Kind{contract.Smartcard, contract.SecurityKey} {
		if l, err := p.api.RunLogin(ctx, contract.LoginRequest{Target: "mock", Kind: kind}, apiclient.LoginTold{}); err != nil || l.State != contract.LoginPassed {
			p.t.Errorf("the next run with a %s: %v, %s %+v", kind, err, l.Summary, l.Problem)
		}
	}
}

// The daemon is killed at each phase of a login run, which is held there. What is
// left is a run that was cut off, with its evidence, and free authenticators.
func TestLoginRunsOutliveAKilledDaemon(t *testing.T) {
	p := startLogins(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	card := contract.LoginRequest{Kind: contract.Smartcard}
	asks := contract.LoginRequest{Kind: contract.Smartcard, PIN: &contract.PINSource{Ask: true}}
	for _, phase := range []struct {
		name    string
		faults  string // of the mock
		request contract.LoginRequest
		prepare func()
		reach   func(*heardRun) // returns once the run is there, where it stays
		seen    string          // the last step that it has
		never   string          // one that it cannot have
		undo    func()
	}{
		{name: "at once", request: asks, reach: func(r *heardRun) { r.until(t, "the run", func() bool { return r.id != "" }) }, never: "ceremony"},
		{
			name: "queued", request: card, prepare: func() {
				held, err := p.api.HoldLease(ctx, contract.LeaseRequest{Requirement: contract.Requirement{Target: "mock", AAL: 3, Kind: contract.Smartcard}}, nil)
				must(t, err)
				t.Cleanup(held.Close)
			},
			reach: func(r *heardRun) { r.until(t, "the queue", r.step("keys")) }, seen: "keys", never: "lease",
		},
		{name: "the PIN is asked for", request: asks, reach: func(r *heardRun) { r.until(t, "the question", r.state(contract.CeremonyPIN)) }, seen: "choose", never: "ceremony"},
		{
			name: "the card is at work", request: asks, reach: func(r *heardRun) {
				r.until(t, "the question", r.state(contract.CeremonyPIN))
				_, err := p.api.SetCardFaults(ctx, "virtual-reader-1", contract.Fault{Name: "slow", Delay: "10m"})
				must(t, err)
				must(t, p.api.AnswerPIN(ctx, r.ceremony.ID, []byte(vcard.DefaultPIN)))
				r.until(t, "the card's work", r.state(contract.CeremonyRunning))
			}, seen: "choose", never: "ceremony", undo: func() {
				_, err := p.api.SetCardFaults(ctx, "virtual-reader-1")
				must(t, err)
			},
		},
		{
			name: "the key waits for a touch", request: contract.LoginRequest{Kind: contract.SecurityKey}, prepare: func() { p.touch("never") },
			reach: func(r *heardRun) { r.until(t, "the touch", r.state(contract.CeremonyTouch)) }, seen: "choose", never: "token",
			undo: func() { p.touch("auto") },
		},
		{
			name: "a browser is waited for", request: contract.LoginRequest{Kind: contract.Smartcard, Mode: contract.DriveBrowser},
			reach: func(r *heardRun) { r.until(t, "the address", func() bool { return r.open != "" }) }, seen: "lease", never: "browser",
		},
		{name: "tokens are fetched", faults: "slow:10m", request: card, reach: func(r *heardRun) { r.until(t, "the way back", r.step("back")) }, seen: "back", never: "token"},
		{name: "userinfo is fetched", faults: "slow:1s", request: card, reach: func(r *heardRun) { r.until(t, "the tokens", r.step("token")) }, seen: "token", never: "userinfo"},
	} {
		t.Run(phase.name, func(t *testing.T) {
			p.t = t
			if phase.faults != "" {
				p.configure(phase.faults)
				p.kill()
				p.start()
				p.whole()
			}
			if phase.prepare != nil {
				phase.prepare()
			}
			r := p.runs(ctx, phase.request)
			phase.reach(r)
			p.kill()
			p.configure("")
			p.start()
			p.settled(ctx, r)
			p.cutOff(r)
			names := make([]string, len(r.login.Steps))
			for i, s := range r.login.Steps {
				names[i] = s.Name
			}
			if phase.seen != "" && !slices.Contains(names, phase.seen) || slices.Contains(names, phase.never) {
				t.Errorf("it was killed after %s and before %s, and has %v", phase.seen, phase.never, names)
			}
			if phase.undo != nil {
				phase.undo()
			}
			p.whole()
			p.next(ctx)
		})
	}
}

// touch says how the virtual key is touched, which it is asked anew.
func (p *loginProgram) touch(how string) {
	p.t.Helper()
	const key = "virtual-key-1"
	_, err := p.api.UnplugKey(p.t.Context(), key)
	must(p.t, err)
	_, err = p.api.PlugKey(p.t.Context(), contract.VirtualPlug{Name: key, Touch: how})
	must(p.t, err)
	p.whole()
}

// Runs of all kinds are under way, and the daemon is killed at any moment.
func TestLoginRunsOutliveManyKills(t *testing.T) {
	rounds := scaled(8, 100)
	p := startLogins(t)
	random := rand.New(rand.NewPCG(7, uint64(rounds)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rounds)*patience)
	defer cancel()
	var cut, over, unborn, blocked int
	at := make(map[string]int) // by the last step that was seen
	for round := range rounds {
		runs := p.killedAmong(ctx, random, round)
		if random.IntN(4) == 0 {
			unborn++
			p.killedUnborn(random)
		}
		p.start()
		for _, r := range runs {
			p.settled(ctx, r)
			switch {
			case r.login.State == contract.LoginPassed && r.err == nil:
				over++
			case errors.Is(r.err, apiclient.ErrNotReachable) && r.id == "":
				// It may have begun, and nobody was told.
			case blockedIn(r.login):
				blocked++
			default:
				p.cutOff(r)
				cut++
				last := ""
				if n := len(r.login.Steps); n > 0 {
					last = r.login.Steps[n-1].Name
				}
				at[last]++
			}
		}
		all, err := p.api.Logins(ctx)
		must(t, err)
		for _, l := range all {
			if !l.State.Over() {
				t.Errorf("%s is %s", l.ID, l.State)
			}
		}
		p.whole()
		p.mend(ctx)
		p.next(ctx)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	if cut == 0 {
		t.Error("no run was cut off")
	}
	t.Logf("%d daemons killed, %d of them before they listened; %d runs had passed, %d were cut off, %d found a PIN in flight. The last steps that were seen: %v", rounds+unborn, unborn, over, cut, blocked, at)
}

// mend does what a person does where a PIN was in flight, who alone knows
// whether it was right: the block is cleared, and the try that a card loses when
// it dies in the middle of VERIFY is won back by the right PIN.
func (p *loginProgram) mend(ctx context.Context) {
	p.t.Helper()
	s, err := p.api.Status(ctx)
	must(p.t, err)
	for _, a := range s.Authenticators {
		must(p.t, p.api.Unblock(ctx, a.ID))
		if a.Kind != contract.Smartcard || a.PIN.TriesLeft == nil || *a.PIN.TriesLeft > 2 {
			continue
		}
		held, err := p.api.TakeLease(ctx, contract.LeaseRequest{Requirement: contract.Requirement{Authenticator: a.ID, Target: "mock"}})
		must(p.t, err)
		request := withPIN(contract.CeremonyRequest{Lease: held.ID, Type: contract.CeremonySign, Data: []byte("any"), Wait: true, Override: true}, "", vcard.DefaultPIN)
		if done, err := p.api.Begin(ctx, request); err != nil || done.State != contract.CeremonyDone {
			p.t.Errorf("the card is not won back: %v, %+v", err, done.Problem)
		}
		_, err = p.api.ReleaseLease(ctx, held.ID)
		must(p.t, err)
	}
}

// blockedIn is whether a run was refused because a PIN was in flight as an
// earlier daemon was killed.
func blockedIn(l contract.Login) bool {
	return l.Problem != nil && l.Problem.Code == string(failure.PINSourceBlocked)
}

// killedAmong has clients run logins until the daemon is killed, and gives all
// that were begun.
func (p *loginProgram) killedAmong(ctx context.Context, random *rand.Rand, round int) []*heardRun {
	p.t.Helper()
	requests := []contract.LoginRequest{
		{Kind: contract.Smartcard},
		{Kind: contract.SecurityKey},
		{Scenario: contract.ScenarioStepUp},
		{Scenario: contract.ScenarioReauthentication, Kind: contract.SecurityKey},
		{Scenario: contract.ScenarioCardPulled},
		{Scenario: contract.ScenarioTamperedToken},
	}
	var mu sync.Mutex
	var all []*heardRun
	gone := make(chan struct{})
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() {
			for i := n; ; i++ {
				request := requests[i%len(requests)]
				request.Purpose = fmt.Sprintf("round %d client %d", round, n)
				r := p.runs(ctx, request)
				mu.Lock()
				all = append(all, r)
				mu.Unlock()
				select {
				case <-r.over:
				case <-gone:
					return
				}
			}
		})
	}
	moment := time.NewTimer(time.Duration(random.IntN(400_000)) * time.Microsecond)
	defer moment.Stop()
	<-moment.C
	close(gone)
	p.kill()
	clients.Wait()
	return all
}

// killedUnborn kills a daemon before it listens.
func (p *loginProgram) killedUnborn(random *rand.Rand) {
	p.t.Helper()
	cmd := exec.Command(p.binary, append([]string{"run", "--state-dir", p.state, "--listen", "127.0.0.1:0", "--virtual", "on"}, p.more...)...)
	must(p.t, cmd.Start())
	moment := time.NewTimer(time.Duration(random.IntN(100_000)) * time.Microsecond)
	<-moment.C
	must(p.t, cmd.Process.Kill())
	_ = cmd.Wait()
}
