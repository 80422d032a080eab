package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"authbridge/agent/contract"
)

// What a login run takes unless the request says more.
const (
	defaultQueue = time.Minute
	defaultLogin = 2 * time.Minute
)

// BeginLogin begins a login run, and wipes PIN and tokens in the request. With
// Wait it returns once the run is over, and cancels it when ctx ends before.
func (c *Client) BeginLogin(ctx context.Context, request contract.LoginRequest) (contract.Login, error) {
	defer request.Wipe()
	within := answerTime
	if request.Wait {
		within = deviceTime + orElse(request.Queue, defaultQueue) + orElse(request.Timeout, defaultLogin)
	}
	var l contract.Login
	return l, c.doWithin(ctx, within, http.MethodPost, "/v1/logins", request, &l)
}

func orElse(span string, usual time.Duration) time.Duration {
	if d, err := time.ParseDuration(span); err == nil { // the daemon says what is wrong with it
		return d
	}
	return usual
}

// Logins lists the newest runs, without their steps, the newest first. What came
// of them is told to who asked for them alone.
func (c *Client) Logins(ctx context.Context) ([]contract.Login, error) {
	var list []contract.Login
	return list, c.do(ctx, http.MethodGet, "/v1/logins", nil, &list)
}

// Login is one of them with its steps, once it is over or wait (at most 2
// minutes) is.
func (c *Client) Login(ctx context.Context, id string, wait time.Duration) (contract.Login, error) {
	path := in("/v1/logins/%s", id)
	if wait > 0 {
		path += "?" + url.Values{"wait": {wait.String()}}.Encode()
	}
	var l contract.Login
	return l, c.doWithin(ctx, answerTime+max(wait, 0), http.MethodGet, path, nil, &l)
}

// CancelLogin cancels a run and tells how it ended: it may have passed at that
// moment.
func (c *Client) CancelLogin(ctx context.Context, id string) (contract.Login, error) {
	var l contract.Login
	return l, c.doWithin(ctx, deviceTime, http.MethodDelete, in("/v1/logins/%s", id), nil, &l)
}

// LoginReport is the report of a run in one of its forms.
func (c *Client) LoginReport(ctx context.Context, id string, form contract.LoginReportForm) ([]byte, error) {
	return c.bytes(ctx, answerTime, http.MethodGet, in("/v1/logins/%s/report?", id)+url.Values{"format": {string(form)}}.Encode(), nil)
}

// LoginTold hears of a login run on the way. Each may be nil; none may block for
// long.
type LoginTold struct {
	// Run hears of each change; the steps are those that it has not heard of.
	Run func(contract.Login)
	// Ceremony hears of the run's ceremonies, with what they ask of a person,
	// who may have to give the PIN (AnswerPIN).
	Ceremony func(contract.Ceremony)
	// Open hears of the address that is to be opened in the user's browser, once,
	// where that drives the login. It is nobody else's to see.
	Open func(address string)
}

// RunLogin follows a login run to its end, and wipes PIN and tokens in the
// request. That the run failed is no error: its state and problem say so. When
// ctx ends the run is cancelled; then the error is ctx's, and the run tells how
// it ended all the same.
func (c *Client) RunLogin(ctx context.Context, request contract.LoginRequest, told LoginTold) (contract.Login, error) {
	request.Wait = false
	// It must not begin without our knowing: whoever gives up now cancels it.
	l, err := c.BeginLogin(context.WithoutCancel(ctx), request)
	if err != nil {
		return l, err
	}
	f := &followed{client: c, id: l.ID, told: told, heard: make(map[stepKey]bool), asked: make(map[string]int)}
	if err = f.hear(l); err == nil {
		err = c.await(ctx, func(e Event) error { return f.event(ctx, e) })
	}
	if err == nil || errors.Is(err, errLoginOver) {
		if l, err = c.Login(ctx, f.id, 0); err == nil {
			_ = f.hear(l) // it is over
			return l, nil
		}
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), deviceTime)
	defer cancel()
	if ended, failed := c.CancelLogin(late, f.id); failed == nil {
		_ = f.hear(ended)
		l = ended
	}
	return l, err
}

var errLoginOver = errors.New("the login run is over")

// followed is one call of RunLogin.
type followed struct {
	client *Client
	id     string
	told   LoginTold
	heard  map[stepKey]bool
	asked  map[string]int // steps of each ceremony that were told
	state  contract.LoginState
	lease  string
	opened bool
}

// stepKey tells steps apart: an event has the newest alone, a look all.
type stepKey struct {
	name string
	at   int64
}

// event looks at what the stream says. A snapshot holds no runs, so it is asked
// for then: what came before the stream is not missed.
func (f *followed) event(ctx context.Context, e Event) error {
	switch {
	case e.Snapshot != nil:
		l, err := f.client.Login(ctx, f.id, 0)
		if errors.Is(err, ErrNotReachable) {
			return nil // the stream ends too, and is taken up with a snapshot
		} else if err != nil {
			return err
		}
		if err := f.hear(l); err != nil {
			return err
		}
		f.open(l)
		return f.look(ctx)
	case e.Event == nil:
	case e.Event.Login != nil && e.Event.Login.ID == f.id:
		if err := f.hear(*e.Event.Login); err != nil || e.Event.Login.Mode != contract.DriveBrowser || f.opened {
			return err
		}
		l, err := f.client.Login(ctx, f.id, 0) // no event has the address
		if f.open(l); errors.Is(err, ErrNotReachable) {
			err = nil
		}
		return err
	case e.Event.Ceremony != nil && f.lease != "" && e.Event.Ceremony.Lease == f.lease && f.told.Ceremony != nil:
		f.ceremony(*e.Event.Ceremony)
	}
	return nil
}

// open tells of the address once.
func (f *followed) open(l contract.Login) {
	if l.Open != "" && !f.opened && f.told.Open != nil {
		f.opened = true
		f.told.Open(l.Open)
	}
}

// ceremony tells each state of a ceremony once.
func (f *followed) ceremony(c contract.Ceremony) {
	if len(c.Steps) > f.asked[c.ID] {
		f.asked[c.ID] = len(c.Steps)
		f.told.Ceremony(c)
	}
}

// look tells of a ceremony that began before the stream did.
func (f *followed) look(ctx context.Context) error {
	if f.lease == "" || f.told.Ceremony == nil {
		return nil
	}
	all, err := f.client.Ceremonies(ctx)
	if errors.Is(err, ErrNotReachable) {
		return nil
	}
	for _, c := range all {
		if c.Lease == f.lease && !c.State.Over() {
			f.ceremony(c)
		}
	}
	return err
}

// hear tells each step and state once.
func (f *followed) hear(l contract.Login) error {
	f.lease = l.Lease
	var fresh []contract.LoginStep
	for _, s := range l.Steps {
		if key := (stepKey{s.Name, s.At.UnixNano()}); !f.heard[key] {
			f.heard[key] = true
			fresh = append(fresh, s)
		}
	}
	if changed := len(fresh) > 0 || l.State != f.state; changed && f.told.Run != nil {
		l.Steps = fresh
		f.told.Run(l)
	}
	if f.state = l.State; l.State.Over() {
		return errLoginOver
	}
	return nil
}
