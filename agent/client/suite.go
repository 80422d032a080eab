package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"authbridge/agent/contract"
)

// CheckLogin is whether a login can ever be as a request asks: the daemon's
// problem LOGIN_MISMATCH says that no authenticator can do it. It begins none.
func (c *Client) CheckLogin(ctx context.Context, request contract.LoginRequest) error {
	return c.do(ctx, http.MethodPost, "/v1/logins/check", request, nil)
}

// NewSuite names runs that are asked for together.
func NewSuite() string {
	var octets [8]byte
	_, _ = rand.Read(octets[:]) // never fails (crypto/rand)
	return "suite-" + hex.EncodeToString(octets[:])
}

// reportTime is for a report of thousands of runs.
const reportTime = 5 * time.Minute

// SuiteReport writes the report of runs that were asked for together, in one of
// its forms.
func (c *Client) SuiteReport(ctx context.Context, suite string, form contract.LoginReportForm, w io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reportTime, fmt.Errorf("no report within %s", reportTime))
	defer cancel()
	response, err := c.open(ctx, http.MethodGet, "/v1/logins/report?"+url.Values{"suite": {suite}, "format": {string(form)}}.Encode(), nil, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("the report is not whole: %w", c.notReachable(ctx, err))
	}
	return nil
}

// SuiteTold hears of the runs of a suite. Each may be nil; none may block for
// long, and no two are called at once.
type SuiteTold struct {
	// Begun and Over hear of each run, by its place among the requests. A run
	// that is over has its steps.
	Begun, Over func(place int, l contract.Login)
	// Ceremony hears what the runs ask of a person, who may have to give a PIN
	// (AnswerPIN). Where it is nil nobody asks the daemon for it.
	Ceremony func(contract.Ceremony)
}

// RunLogins runs logins of one suite, so many at once, each begun in the order of the
// requests, and follows all to their ends. That one failed is no error. When ctx
// ends, or the daemon refuses one, no more are begun, those under way are
// cancelled, and it returns once their leases are given back.
func (c *Client) RunLogins(ctx context.Context, requests []contract.LoginRequest, parallel int, told SuiteTold) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := &suiteRun{client: c, told: told, stop: stop}
	if told.Ceremony != nil && len(requests) > 0 {
		s.work.Go(func() { s.listen(ctx, requests[0].Suite) })
	}
	var running sync.WaitGroup
	places := make(chan struct{}, parallel)
	for i := range requests {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		// It must not begin without our knowing.
		l, err := c.BeginLogin(context.WithoutCancel(ctx), requests[i])
		if err != nil {
			stop(err)
			break
		}
		s.tell(func() { s.begun(i, l) })
		running.Go(func() {
			over, err := s.await(ctx, l.ID)
			if err != nil {
				stop(err)
			} else {
				s.tell(func() { s.over(i, over) })
			}
			<-places
		})
	}
	running.Wait()
	err := context.Cause(ctx)
	stop(nil)
	s.work.Wait()
	return err
}

// suiteRun is one call of RunLogins.
type suiteRun struct {
	client *Client
	told   SuiteTold
	stop   context.CancelCauseFunc
	work   sync.WaitGroup
	mu     sync.Mutex // held while somebody is told
}

func (s *suiteRun) tell(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *suiteRun) begun(i int, l contract.Login) {
	if s.told.Begun != nil {
		s.told.Begun(i, l)
	}
}

func (s *suiteRun) over(i int, l contract.Login) {
	if s.told.Over != nil {
		s.told.Over(i, l)
	}
}

// await follows a run to its end, and cancels it when ctx ends.
func (s *suiteRun) await(ctx context.Context, id string) (l contract.Login, err error) {
	const look = time.Minute
	for !l.State.Over() && err == nil && ctx.Err() == nil {
		l, err = s.client.Login(ctx, id, look)
	}
	if l.State.Over() || err != nil && ctx.Err() == nil {
		return l, err
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), deviceTime)
	defer cancel()
	return s.client.CancelLogin(late, id)
}

// listen tells what the runs' ceremonies ask, of each the steps that are new.
func (s *suiteRun) listen(ctx context.Context, suite string) {
	leases, asked := make(map[string]bool), make(map[string]int)
	hear := func(c contract.Ceremony) {
		if leases[c.Lease] && len(c.Steps) > asked[c.ID] {
			asked[c.ID] = len(c.Steps)
			s.tell(func() { s.told.Ceremony(c) })
		}
	}
	err := s.client.Events(ctx, "", func(e Event) error {
		switch {
		case e.Snapshot != nil:
			return s.look(ctx, suite, leases, hear)
		case e.Event == nil:
		case e.Event.Login != nil && e.Event.Login.Suite == suite:
			leases[e.Event.Login.Lease] = e.Event.Login.Lease != ""
		case e.Event.Ceremony != nil:
			hear(*e.Event.Ceremony)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotReachable) { // who follows the runs says that
		s.stop(err)
	}
}

// look tells of what began before the stream did.
func (s *suiteRun) look(ctx context.Context, suite string, leases map[string]bool, hear func(contract.Ceremony)) error {
	runs, err := s.client.Logins(ctx)
	for _, l := range runs {
		if l.Suite == suite && l.Lease != "" {
			leases[l.Lease] = true
		}
	}
	var all []contract.Ceremony
	if err == nil {
		all, err = s.client.Ceremonies(ctx)
	}
	for _, c := range all {
		if !c.State.Over() {
			hear(c)
		}
	}
	if errors.Is(err, ErrNotReachable) {
		return nil // the stream ends too, and is taken up with a snapshot
	}
	return err
}
