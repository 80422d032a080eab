package login

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/agent/store"
)

// writeTime bounds a write that no caller waits for.
const writeTime = 5 * time.Second

// run is one login run. All but what the mutex guards is its goroutine's.
type run struct {
	r      *Runner
	id     string
	by     lease.Caller
	asked  asked
	began  time.Time
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{} // closed once it is over

	web      *web
	provider *provider
	held     *held                   // the lease; nil: none
	leaving  chan contract.LoginStep // of a lease that is being given back; nil: none
	names    []string                // that no step may show
	again    bool                    // whether it tries what was refused the last time
	used     bool                    // whether the authenticator has signed for the sign-in
	said     cis2.IDToken            // what the target said of the sign-in

	reached map[string]bool // by the names of steps

	ledger ledger

	mu    sync.Mutex // guards what follows
	state contract.Login
}

func newRun(r *Runner, by lease.Caller, a asked) *run {
	one := &run{r: r, id: newID(), by: by, asked: a, began: r.now(), done: make(chan struct{}), reached: make(map[string]bool)}
	one.ledger.keep = one.keep
	one.ctx, one.cancel = context.WithCancelCause(r.ctx)
	transport := r.config.Transport
	if a.target.Transport != nil {
		transport = a.target.Transport
	}
	one.web = newWeb(transport, r.config.CallTime)
	one.state = contract.Login{
		ID: one.id, State: contract.LoginQueued, Target: a.Target, Issuer: a.target.Issuer, ClientID: a.target.ClientID,
		Mode: a.Mode, Scenario: a.Scenario, Refusers: refusers(a.Scenario), ACR: a.ACR, AAL: a.aal, User: a.User, Kind: a.Kind,
		DrivenBy: "bridge", Holder: by.Name, Purpose: a.Purpose, Suite: a.Suite, Only: a.Authenticator, StartedAt: one.began, Steps: []contract.LoginStep{},
		Reports: contract.LoginReports{
			JSON: "/v1/logins/" + one.id + "/report?format=json", JUnit: "/v1/logins/" + one.id + "/report?format=junit",
			HTML: "/v1/logins/" + one.id + "/report?format=html",
		},
	}
	switch a.Mode {
	case contract.DriveBrowser:
		one.state.DrivenBy = "browser"
	case contract.DriveTokens:
		one.state.DrivenBy = "application"
		// At the mock the target's client is that of runs, and nobody's application.
		if a.Tokens.ClientID != "" || a.target.Headless {
			one.state.ClientID = a.Tokens.ClientID
		}
	}
	return one
}

func (o *run) snapshot() contract.Login {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.state
	l.Steps = slices.Clone(l.Steps)
	return l
}

// change edits what others see.
func (o *run) change(edit func(*contract.Login)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	edit(&o.state)
}

// run plays the run to its end. Whatever happens, the lease is given back and
// the end is written before anybody hears of it.
func (o *run) run() {
	defer o.cancel(nil)
	err := o.play()
	o.asked.Wipe() // before anybody hears that it is over
	o.release()
	if !negative(o.asked.Scenario) {
		o.skipRest()
	}
	o.finish(err)
}

func (o *run) play() error {
	if o.asked.Mode == contract.DriveTokens {
		return o.verify(o.ctx)
	}
	if err := o.reach(o.ctx); err != nil {
		return err
	}
	switch {
	case o.asked.undrivable():
		return o.turnDown(o.ctx)
	case o.asked.Mode == contract.DriveBrowser:
		return o.browse(o.ctx)
	}
	return o.act(o.ctx)
}

// stop is why a run goes no further; the step that says so is recorded.
var errStop = errors.New("a step failed")

// step does one thing and records it. An error that has a code is the step's;
// the run goes no further then.
func (o *run) step(ctx context.Context, name, expected string, do func(context.Context, *contract.LoginStep) error) error {
	s := contract.LoginStep{Name: name, Expected: expected, State: contract.StepPass, At: o.r.now()}
	began := o.r.config.Now()
	err := do(ctx, &s)
	s.TookMS = float64(o.r.config.Now().Sub(began).Microseconds()) / 1000
	if why := o.why(ctx); err != nil && why != nil && failure.CodeOf(err) != failure.LoginNotRefused {
		err = why // what failed did so because the run ends
	}
	if err != nil {
		fail(&s, err)
	}
	o.record(s)
	if err != nil {
		return errors.Join(errStop, err)
	}
	return nil
}

// fail marks a step as failed by an error.
func fail(s *contract.LoginStep, err error) {
	s.State = contract.StepFail
	var e *failure.Error
	if !errors.As(err, &e) {
		e = &failure.Error{Code: failure.Internal}
	}
	s.Code = string(e.Code)
	entry, _ := failure.Lookup(e.Code)
	s.Remedy = entry.Remedy
	if s.Got == "" {
		s.Got = entry.Title
		if e.Detail != "" {
			s.Got = e.Detail
		}
	} else if e.Detail != "" {
		s.Evidence = join(s.Evidence, e.Detail)
	}
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

// record adds steps. The run goes on meanwhile: it waits for them to be kept
// where somebody may act on them (settle).
func (o *run) record(steps ...contract.LoginStep) {
	if len(steps) == 0 {
		return
	}
	for i := range steps {
		mask(&steps[i], o.names)
		o.reached[steps[i].Name] = true
	}
	o.ledger.add(steps...)
}

// keep writes steps, which are on the disk before anybody hears of them.
func (o *run) keep(steps []contract.LoginStep) {
	now := o.snapshot()
	now.Steps = append(now.Steps, steps...)
	o.write(now, nil)
	o.change(func(l *contract.Login) { l.Steps = now.Steps })
	o.tell(now, steps)
}

func (o *run) tell(now contract.Login, steps []contract.LoginStep) {
	for i := range steps {
		o.r.config.Tell(told(o.by.Owner, now, &steps[i]))
	}
}

func (o *run) write(l contract.Login, proof *contract.Proof) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), writeTime)
	defer cancel()
	l.Open = "" // it is good for this daemon only
	if err := o.r.config.Store.PutLogin(ctx, store.Login{Login: l, Owner: o.by.Owner, Proof: proof}); err != nil {
		o.r.config.Log.WithField("login", o.id).WithError(err).Error("a login run is not written")
	}
}

// errTime is why the context of a run ends when its time is up.
type errTime struct{}

func (errTime) Error() string { return "the time of the run is up" }

// why is what ended the run from outside; nil while nothing did.
func (o *run) why(ctx context.Context) *failure.Error {
	cause := context.Cause(ctx)
	if cause == nil {
		return nil
	}
	if _, ok := cause.(errTime); ok { //nolint:errorlint // it is the cause itself
		return &failure.Error{Code: failure.LoginTimeout, Detail: "after " + o.asked.timeout.String()}
	}
	var e *failure.Error
	if errors.As(cause, &e) {
		return e
	}
	return &failure.Error{Code: failure.LoginCancelled}
}

// finish ends the run: on the disk first, then for all who wait.
func (o *run) finish(err error) {
	rest := o.ledger.close() // is written with the end
	running := o.snapshot()
	running.Steps = append(running.Steps, rest...)
	l := running
	l.EndedAt, l.Open = o.r.now(), ""
	l.State = contract.LoginPassed
	i := slices.IndexFunc(l.Steps, func(s contract.LoginStep) bool { return s.State == contract.StepFail })
	switch {
	case err != nil && context.Cause(o.ctx) != nil:
		l.State, l.Problem = contract.LoginAborted, problemOf(o.why(o.ctx))
	case i >= 0:
		l.State = contract.LoginFailed
		l.Problem = problemOf(&failure.Error{Code: failure.Code(l.Steps[i].Code), Detail: l.Steps[i].Name + ": " + join(l.Steps[i].Got, l.Steps[i].Evidence)})
	case err != nil:
		l.State, l.Problem = contract.LoginFailed, problemOf(asFailure(err))
	}
	l.Summary = summary(&l)
	var said *cis2.IDToken
	if o.used {
		said = &o.said
	}
	proof := proofOf(&l, said)
	o.write(l, proof)
	if proof != nil {
		o.r.config.Learn(*proof)
	}
	o.change(func(now *contract.Login) { *now = l })
	o.r.finished(o)
	o.tell(running, rest)
	o.r.config.Tell(told(o.by.Owner, l, nil))
	close(o.done)
}

func asFailure(err error) *failure.Error {
	var e *failure.Error
	if errors.As(err, &e) {
		return e
	}
	return &failure.Error{Code: failure.Internal, Err: err}
}

func problemOf(e *failure.Error) *contract.Problem {
	p := e.Problem()
	return &p
}

// summary is what came of a run in one sentence.
func summary(l *contract.Login) string {
	with := l.ACR + " at " + l.Target
	if l.Kind != "" {
		with += " by " + strings.TrimSpace(string(l.Origin)+" "+string(l.Kind))
	}
	switch l.State {
	case contract.LoginPassed:
		if len(l.Refusers) > 0 {
			return "It was refused as it must be: " + string(l.Scenario) + ", " + with + "."
		}
		return "It is as it must be: " + string(l.Scenario) + ", " + with + "."
	case contract.LoginFailed:
		return "It failed: " + string(l.Scenario) + ", " + with + ": " + l.Problem.Title + "."
	case contract.LoginAborted:
		return "It was aborted: " + string(l.Scenario) + ", " + with + ": " + l.Problem.Title + "."
	}
	return ""
}

// told is the event of a run: of a step, when that ended, or of its state.
func told(owner contract.Owner, l contract.Login, step *contract.LoginStep) contract.Event {
	text := l.ID + " is " + string(l.State)
	at := l.StartedAt
	if l.State.Over() {
		at = l.EndedAt
	}
	l.Steps = []contract.LoginStep{}
	if step != nil {
		text = strings.TrimSuffix(l.ID+": "+step.Name+": "+string(step.State)+", "+step.Code, ", ")
		at = step.At.Add(time.Duration(step.TookMS * float64(time.Millisecond)))
		l.Steps = append(l.Steps, *step)
	}
	l.User, l.Open = contract.MaskUser(l.User), ""
	return contract.Event{Type: contract.LoginChanged, At: at, Subject: l.ID, Text: text, Login: &l, Owner: &owner}
}

// digits are what a user's UUID looks like. A client id that begins so is none.
var digits = regexp.MustCompile(`\b[0-9]{12}\b(\.apps)?`)

// mask takes personal data out of a step's texts.
func mask(s *contract.LoginStep, personal []string) {
	for _, text := range []*string{&s.Expected, &s.Got, &s.Evidence} {
		for _, word := range personal {
			if len(word) >= 4 && !cis2.ValidUser(word) { // shorter ones are parts of ordinary words
				*text = strings.ReplaceAll(*text, word, "***")
			}
		}
		*text = digits.ReplaceAllStringFunc(*text, func(found string) string {
			if strings.HasSuffix(found, ".apps") {
				return found
			}
			return contract.MaskUser(found)
		})
	}
}
