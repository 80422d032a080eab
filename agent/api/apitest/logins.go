package apitest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
)

const (
	// SampleLogin is what StageLogin puts there.
	SampleLogin = "login-sample"
	// SampleSuite is what it is in.
	SampleSuite = "suite-0123456789abcdef"
	// Opens is what a run has opened in a browser.
	Opens = "http://localhost:9/authorize?state=secret"
	// Judged is what a step of every login run says it got.
	Judged = "the secret token as it must be"
)

// Logins play login runs: each has one step, and runs until the test ends it.
type Logins struct {
	// Careless is said in every step, as no run should.
	Careless string
	// BreakOff is what the report of a suite fails with, when it is half written.
	BreakOff error

	tell func(...contract.Event)

	mu     sync.Mutex
	last   int
	all    []*ran
	calls  []string
	pins   []string
	tokens []string
}

type ran struct {
	contract.Login
	owner contract.Owner
	over  chan struct{}
}

// Calls are all orders that were given, in order: begin, cancel, report.
func (l *Logins) Calls() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls)
}

// Secrets are the PINs and ID tokens that arrived.
func (l *Logins) Secrets() (pins, tokens []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.pins), slices.Clone(l.tokens)
}

// Stage puts SampleLogin there, under way, whatever was before. It is no order.
func (l *Logins) Stage(owner contract.Owner, user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = slices.DeleteFunc(l.all, func(r *ran) bool { return r.ID == SampleLogin })
	owner.Lease = ""
	l.add(SampleLogin, owner, contract.LoginRequest{Target: "mock", User: user, Suite: SampleSuite})
}

func (l *Logins) add(id string, owner contract.Owner, request contract.LoginRequest) *ran {
	r := &ran{owner: owner, over: make(chan struct{}), Login: contract.Login{
		ID: id, State: contract.LoginRunning, Target: request.Target, Issuer: "http://localhost:9", ClientID: "sample", Mode: cmp.Or(request.Mode, contract.DriveHeadless),
		Scenario: contract.ScenarioSignIn, Suite: request.Suite, ACR: "AAL3_ANY", AAL: 3, User: request.User, Holder: owner.Name, DrivenBy: "bridge", StartedAt: time.Now(),
	}}
	l.all = append(l.all, r)
	l.step(r, "preflight")
	return r
}

// Step adds a step to a run.
func (l *Logins) Step(id, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.step(l.find(id), name)
}

func (l *Logins) step(r *ran, name string) {
	r.Steps = append(slices.Clone(r.Steps), contract.LoginStep{Name: name, State: contract.StepPass, Got: Judged + l.Careless, At: time.Now()})
	now := r.Login
	now.Steps, now.Open = now.Steps[len(now.Steps)-1:], ""
	l.tell(contract.Event{Type: contract.LoginChanged, Subject: r.ID, Text: r.ID + ": " + name, Login: &now, Owner: &r.owner})
}

// Grant gives a run a lease.
func (l *Logins) Grant(id, lease string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.find(id)
	r.Lease = lease
	l.step(r, "lease")
}

// Open has a run wait for a browser.
func (l *Logins) Open(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.find(id)
	r.Open = Opens
	now := r.Login
	now.Steps, now.Open = nil, ""
	l.tell(contract.Event{Type: contract.LoginChanged, Subject: r.ID, Text: r.ID, Login: &now, Owner: &r.owner})
}

// Finish ends a run.
func (l *Logins) Finish(id string, state contract.LoginState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finish(l.find(id), state)
}

func (l *Logins) finish(r *ran, state contract.LoginState) {
	if r.State.Over() {
		return
	}
	r.State, r.EndedAt, r.Summary = state, time.Now(), Judged+l.Careless
	if state != contract.LoginPassed {
		problem := (&failure.Error{Code: failure.LoginCancelled, Detail: Judged + l.Careless}).Problem()
		r.Problem = &problem
	}
	now := r.Login
	now.Steps, now.Open = nil, ""
	l.tell(contract.Event{Type: contract.LoginChanged, Subject: r.ID, Text: r.ID + " is " + string(state), Login: &now, Owner: &r.owner})
	close(r.over)
}

func (l *Logins) find(id string) *ran {
	for _, r := range l.all {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Begin begins one, notes its secrets and wipes them.
func (l *Logins) Begin(_ context.Context, by lease.Caller, request contract.LoginRequest) (contract.Login, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, fmt.Sprintf("begin at %s by %s", request.Target, by.Name))
	if request.PIN != nil && len(request.PIN.Value) > 0 {
		l.pins = append(l.pins, string(request.PIN.Value))
		clear(request.PIN.Value)
	}
	if request.Tokens != nil {
		l.tokens = append(l.tokens, string(request.Tokens.IDToken))
		clear(request.Tokens.IDToken)
		clear(request.Tokens.AccessToken)
	}
	l.last++
	return l.add(fmt.Sprintf("login-%d", l.last), by.Owner, request).Login, nil
}

// Login finds one.
func (l *Logins) Login(_ context.Context, id string) (contract.Login, contract.Owner, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.find(id); r != nil {
		return r.Login, r.owner, nil
	}
	return contract.Login{}, contract.Owner{}, &failure.Error{Code: failure.LoginUnknown, Field: "path.id"}
}

// Logins are all, the newest first.
func (l *Logins) Logins(context.Context) ([]contract.Login, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []contract.Login
	for _, r := range l.all {
		list = append([]contract.Login{r.Login}, list...)
	}
	return list, nil
}

// Await waits for the end.
func (l *Logins) Await(ctx context.Context, id string) (contract.Login, error) {
	l.mu.Lock()
	r := l.find(id)
	l.mu.Unlock()
	if r == nil {
		return contract.Login{}, &failure.Error{Code: failure.LoginUnknown, Field: "path.id"}
	}
	select {
	case <-r.over:
	case <-ctx.Done():
		return contract.Login{}, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return r.Login, nil
}

// Cancel cancels.
func (l *Logins) Cancel(_ context.Context, id string) (contract.Login, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, "cancel "+id)
	r := l.find(id)
	if r == nil {
		return contract.Login{}, &failure.Error{Code: failure.LoginUnknown, Field: "path.id"}
	}
	l.finish(r, contract.LoginAborted)
	return r.Login, nil
}

// Report is a text of that form.
func (l *Logins) Report(_ context.Context, id string, form contract.LoginReportForm) (body []byte, mediaType string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, "report "+id)
	kinds := map[contract.LoginReportForm]string{contract.LoginReportJSON: "application/json", contract.LoginReportJUnit: "application/xml", contract.LoginReportHTML: "text/html; charset=utf-8"}
	return []byte(string(form) + " of " + id), kinds[form], nil
}

// Check refuses for what does not go together whoever asks for AAL9, and all
// else that asks for no target.
func (l *Logins) Check(request contract.LoginRequest) error {
	switch {
	case request.ACR == "AAL9":
		return &failure.Error{Code: failure.LoginMismatch, Field: "body.acr", Detail: "no authenticator reaches it"}
	case request.Target == "nowhere":
		return &failure.Error{Code: failure.LoginTarget, Field: "body.target"}
	}
	return nil
}

// SuiteReport is a text of that form, which names the runs.
func (l *Logins) SuiteReport(_ context.Context, by contract.Owner, suite string, form contract.LoginReportForm) (write func(context.Context, io.Writer) error, mediaType string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := string(form) + " of"
	for _, r := range l.all {
		if r.Suite == suite && by.Owns(r.owner) {
			text += " " + r.ID
		}
	}
	if text == string(form)+" of" {
		return nil, "", &failure.Error{Code: failure.LoginUnknown, Field: "query.suite"}
	}
	kinds := map[contract.LoginReportForm]string{contract.LoginReportJSON: "application/json", contract.LoginReportJUnit: "application/xml", contract.LoginReportHTML: "text/html; charset=utf-8"}
	return func(_ context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, text); err != nil || l.BreakOff == nil {
			return err
		}
		return l.BreakOff
	}, kinds[form], nil
}
