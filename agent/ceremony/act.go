package ceremony

import (
	"context"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/fido/webauthn"
)

// act is one ceremony from its beginning until it is forgotten.
type act struct {
	c       *Conductor
	id      string
	station *station       // nil of one that was cut off
	owner   contract.Owner // of the lease
	by      contract.Owner // who began it
	asker   string         // the same for people
	grant   lease.Grant
	timeout time.Duration
	ctx     context.Context // until it is cancelled or its time is up
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed once it is over, and that is told
	before  chan struct{} // done of the one before it in the station; nil of the first

	// The station's goroutine has these once it has the act.
	request  contract.CeremonyRequest
	creation *webauthn.Creation // of create
	get      *webauthn.Request  // of get
	supplied bool               // a PIN was given, or asked for
	from     Source             // of the last one

	mu      sync.Mutex // guards what follows
	state   contract.Ceremony
	answers chan answer // nil unless it waits for a PIN
}

// errTime is why the context of a ceremony ends when its time is up.
type errTime struct{}

func (errTime) Error() string { return "the time of the ceremony is up" }

func (a *act) snapshot() contract.Ceremony {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.copied()
}

// copied is for others: what goes on changing is not shared. Who calls it
// holds a.mu.
func (a *act) copied() contract.Ceremony {
	ceremony := a.state
	ceremony.Steps = slices.Clone(ceremony.Steps)
	return ceremony
}

func (a *act) endedAt() (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.EndedAt, a.state.State.Over()
}

// mostSteps is how many steps are kept of a ceremony, the first and the newest:
// it may be put back, and asked a PIN for, as often as its time allows.
const mostSteps = 64

// step enters a state. It is called by one goroutine at a time, and not again
// once the act is over.
func (a *act) step(state contract.CeremonyState, prompt *contract.Prompt) {
	if prompt != nil {
		prompt.Asker, prompt.RPID = a.asker, a.rpID()
	}
	a.mu.Lock()
	a.state.State, a.state.Prompt = state, prompt
	a.state.Deadline = a.state.StartedAt.Add(a.timeout)
	if len(a.state.Steps) == mostSteps {
		a.state.Steps = slices.Delete(a.state.Steps, mostSteps/2, mostSteps/2+1)
	}
	a.state.Steps = append(a.state.Steps, contract.CeremonyStep{State: state, At: a.c.now()})
	ceremony := a.copied()
	a.mu.Unlock()
	a.tell(ceremony)
}

// tell tells the world of a state.
func (a *act) tell(ceremony contract.Ceremony) {
	ceremony.Result = nil
	owner := a.owner
	a.c.config.Tell(contract.Event{
		Type: contract.CeremonyChanged, At: ceremony.Steps[len(ceremony.Steps)-1].At, Subject: ceremony.ID,
		Text: sentence(&ceremony), Ceremony: &ceremony, Owner: &owner,
	})
}

// ended puts a ceremony into one of the last states.
func ended(ceremony *contract.Ceremony, state contract.CeremonyState, at time.Time) {
	ceremony.State, ceremony.EndedAt = state, at
	ceremony.Prompt, ceremony.Deadline = nil, time.Time{}
	ceremony.Steps = append(slices.Clone(ceremony.Steps), contract.CeremonyStep{State: state, At: at})
}

// finish ends the act: first on the disk, then for its station, which is free
// for the next, then for all who wait. Who hears of the end can begin the next at
// once; what is told of that comes after it all the same.
func (a *act) finish(result *contract.CeremonyResult, err *failure.Error) {
	final := a.snapshot()
	if err == nil {
		ended(&final, contract.CeremonyDone, a.c.now())
		final.Result = result
	} else {
		ended(&final, stateOf(err.Code), a.c.now())
		problem := err.Problem()
		final.Problem = &problem
	}
	a.forgetSecrets()
	a.c.record(final)
	a.station.free(a)
	a.mu.Lock()
	a.state = final
	a.mu.Unlock()
	a.tell(final)
	close(a.done)
}

// forgetSecrets wipes what the request brought.
func (a *act) forgetSecrets() {
	wipe(a.request.PIN)
	a.request = contract.CeremonyRequest{Type: a.request.Type}
	a.creation, a.get = nil, nil
}

func wipe(pin *contract.PINSource) {
	if pin != nil {
		clear(pin.Value)
		pin.Value = nil
	}
}

// recordTime bounds a write that no caller waits for.
const recordTime = 5 * time.Second

// record writes a ceremony's end. Where the disk will not have it, the next
// start takes the ceremony for one that was cut off.
func (c *Conductor) record(ceremony contract.Ceremony) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), recordTime)
	defer cancel()
	if err := c.store.PutCeremony(ctx, ceremony); err != nil {
		c.config.Log.WithField("ceremony", ceremony.ID).WithError(err).Error("the end of a ceremony is not recorded")
	}
}

// stateOf is the last state that a failure's code leads to.
func stateOf(code failure.Code) contract.CeremonyState {
	switch code {
	case failure.CeremonyCancelled:
		return contract.CeremonyCancelled
	case failure.CeremonyTimeout, failure.InsertTimeout, failure.TouchTimeout, failure.PINRequired:
		return contract.CeremonyTimedOut
	}
	return contract.CeremonyFailed
}

// why is what ended the context of the act; nil while it has not ended.
func (a *act) why() *failure.Error {
	cause := context.Cause(a.ctx)
	if cause == nil {
		return nil
	}
	if _, ok := cause.(errTime); !ok { //nolint:errorlint // it is the cause itself
		e := *codeOr(cause, failure.CeremonyCancelled, cause.Error())
		return &e
	}
	a.mu.Lock()
	state := a.state.State
	a.mu.Unlock()
	name, in := a.grant.Authenticator.Name, " in "+a.timeout.String()
	switch state {
	case contract.CeremonyInsert:
		return &failure.Error{Code: failure.InsertTimeout, Detail: name + " did not come" + in}
	case contract.CeremonyPIN:
		return &failure.Error{Code: failure.PINRequired, Detail: "nobody entered the PIN of " + name + in}
	case contract.CeremonyTouch:
		return &failure.Error{Code: failure.TouchTimeout, Detail: "nobody touched " + name + in}
	}
	return &failure.Error{Code: failure.CeremonyTimeout, Detail: name + " was not done" + in}
}
