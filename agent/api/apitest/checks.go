package apitest

import (
	"context"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// SampleClient is the one application that RelyingParties know.
const SampleClient = "000000000001.apps.national"

// RelyingParties play the checks of applications.
type RelyingParties struct {
	// Hold, if not nil, keeps each check until it is closed, or its call ends.
	Hold chan struct{}

	mu    sync.Mutex
	calls []string
	came  chan struct{} // closed at the next call; nil: nobody waits
}

// Await returns once a check was asked for.
func (p *RelyingParties) Await() {
	p.mu.Lock()
	if len(p.calls) > 0 {
		p.mu.Unlock()
		return
	}
	if p.came == nil {
		p.came = make(chan struct{})
	}
	came := p.came
	p.mu.Unlock()
	<-came
}

// Calls are the client ids that were asked for, in order.
func (p *RelyingParties) Calls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Check finds everything in order.
func (p *RelyingParties) Check(ctx context.Context, request contract.RelyingPartyRequest) (contract.RelyingParty, error) {
	p.mu.Lock()
	p.calls = append(p.calls, request.Client)
	if p.came != nil {
		close(p.came)
		p.came = nil
	}
	p.mu.Unlock()
	if p.Hold != nil {
		select {
		case <-p.Hold:
		case <-ctx.Done():
			return contract.RelyingParty{}, ctx.Err()
		}
	}
	if request.Client != SampleClient {
		return contract.RelyingParty{}, &failure.Error{Code: failure.RPUnknown, Field: "body.client"}
	}
	done := contract.RelyingParty{
		Client: request.Client, Target: "mock", State: contract.Pass, StartedAt: time.Now(), EndedAt: time.Now(),
		Checks: []contract.RelyingPartyCheck{{Name: "registration", State: contract.Pass, Code: string(failure.RPRegistration)}},
	}
	if request.Reports {
		done.Reports = &contract.RelyingPartyReports{HTML: "<!DOCTYPE html>", JUnit: "<testsuites/>"}
	}
	return done, nil
}
