package apitest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
)

const (
	// SampleCeremony is what Stage puts there.
	SampleCeremony = "ceremony-sample"
	// Asked is what every ceremony asks of a person.
	Asked = "Touch the key that blinks for this secret run"
	// Blocked is the source of a block that each authenticator has at first.
	Blocked = "secret blue-pin"
)

// Ceremonies play ceremonies: each waits for a touch, until the test says what
// came of it.
type Ceremonies struct {
	leases *Leases
	tell   func(...contract.Event)

	mu      sync.Mutex
	last    int
	all     []*played
	calls   []string
	pins    []string
	cleared map[string]bool
	asker   string // who began the last one, and with which program
}

type played struct {
	contract.Ceremony
	owner contract.Owner
	over  chan struct{}
}

// Calls are all orders that were given, in order: begin, cancel, answer,
// unblock.
func (c *Ceremonies) Calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// PINs are those that arrived.
func (c *Ceremonies) PINs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.pins)
}

// Stage puts SampleCeremony there, under SampleLease and in that state,
// whatever was before. It is no order.
func (c *Ceremonies) Stage(owner contract.Owner, state contract.CeremonyState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = slices.DeleteFunc(c.all, func(p *played) bool { return p.ID == SampleCeremony })
	owner.Lease = SampleLease
	c.add(SampleCeremony, SampleLease, contract.CeremonyGet, owner)
	if state.Over() {
		c.finish(c.find(SampleCeremony), state, nil)
	}
}

func (c *Ceremonies) add(id, lease string, kind contract.CeremonyType, owner contract.Owner) *played {
	p := &played{owner: owner, over: make(chan struct{}), Ceremony: contract.Ceremony{
		ID: id, Lease: lease, Authenticator: "key-1", Name: "virtual key 1", Origin: contract.Virtual, Target: "mock", Type: kind,
		State: contract.CeremonyTouch, StartedAt: time.Now(), Deadline: time.Now().Add(time.Minute),
		Prompt: &contract.Prompt{Kind: "touch", Text: Asked + c.leases.Careless, Asker: c.asker, RPID: "localhost"},
		Steps:  []contract.CeremonyStep{{State: contract.CeremonyTouch, At: time.Now()}},
	}}
	c.all = append(c.all, p)
	c.publish(p)
	return p
}

func (c *Ceremonies) find(id string) *played {
	for _, p := range c.all {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (c *Ceremonies) publish(p *played) {
	now, owner := p.Ceremony, p.owner
	now.Steps = slices.Clone(now.Steps)
	c.tell(contract.Event{Type: contract.CeremonyChanged, Subject: p.ID, Text: "ceremony " + string(p.State), Ceremony: &now, Owner: &owner})
}

// Step brings a ceremony into a state that is not its last.
func (c *Ceremonies) Step(id string, state contract.CeremonyState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.find(id)
	p.State = state
	p.Steps = append(p.Steps, contract.CeremonyStep{State: state, At: time.Now()})
	c.publish(p)
}

// Finish ends a ceremony.
func (c *Ceremonies) Finish(id string, state contract.CeremonyState, result *contract.CeremonyResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finish(c.find(id), state, result)
}

func (c *Ceremonies) finish(p *played, state contract.CeremonyState, result *contract.CeremonyResult) {
	if p.State.Over() {
		return
	}
	p.State, p.Result, p.EndedAt, p.Prompt = state, result, time.Now(), nil
	p.Steps = append(p.Steps, contract.CeremonyStep{State: state, At: time.Now()})
	if state != contract.CeremonyDone {
		problem := (&failure.Error{Code: failure.CeremonyCancelled, Detail: Asked + c.leases.Careless}).Problem()
		p.Problem = &problem
	}
	c.publish(p)
	close(p.over)
}

// Signature is what a card gave; its certificate would say whose it is.
func Signature(holder string) *contract.CeremonyResult {
	return &contract.CeremonyResult{Signature: []byte{1}, Certificate: []byte(holder), Remarks: []string{"of " + holder}}
}

// Credential is what a ceremony gave.
func Credential() *contract.CeremonyResult {
	return &contract.CeremonyResult{Credential: json.RawMessage(`{"id":"the-credential"}`)}
}

// Begin begins one.
func (c *Ceremonies) Begin(_ context.Context, by lease.Caller, request contract.CeremonyRequest) (contract.Ceremony, error) {
	owner, ok := c.leases.owner(request.Lease)
	if !ok {
		return contract.Ceremony{}, &failure.Error{Code: failure.LeaseUnknown, Detail: request.Lease}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, fmt.Sprintf("begin %s under %s by %s", request.Type, request.Lease, by.Name))
	if request.PIN != nil && len(request.PIN.Value) > 0 {
		c.pins = append(c.pins, string(request.PIN.Value))
		clear(request.PIN.Value)
	}
	c.last++
	c.asker = by.Name + " by " + by.Program
	return c.add(fmt.Sprintf("ceremony-%d", c.last), request.Lease, request.Type, owner).Ceremony, nil
}

// Ceremony finds one.
func (c *Ceremonies) Ceremony(id string) (contract.Ceremony, contract.Owner, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.find(id); p != nil {
		return p.Ceremony, p.owner, true
	}
	return contract.Ceremony{}, contract.Owner{}, false
}

// Ceremonies are all.
func (c *Ceremonies) Ceremonies() []contract.Ceremony {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []contract.Ceremony
	for _, p := range c.all {
		list = append(list, p.Ceremony)
	}
	return list
}

// Await waits for the end.
func (c *Ceremonies) Await(ctx context.Context, id string) (contract.Ceremony, error) {
	c.mu.Lock()
	p := c.find(id)
	c.mu.Unlock()
	if p == nil {
		return contract.Ceremony{}, &failure.Error{Code: failure.CeremonyUnknown, Detail: id}
	}
	select {
	case <-p.over:
	case <-ctx.Done():
		return contract.Ceremony{}, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.Ceremony, nil
}

// Cancel cancels.
func (c *Ceremonies) Cancel(_ context.Context, id string) (contract.Ceremony, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, "cancel "+id)
	p := c.find(id)
	if p == nil {
		return contract.Ceremony{}, &failure.Error{Code: failure.CeremonyUnknown, Detail: id}
	}
	c.finish(p, contract.CeremonyCancelled, nil)
	return p.Ceremony, nil
}

// Answer notes the PIN and wipes it.
func (c *Ceremonies) Answer(_ context.Context, by lease.Caller, id string, pin []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, "answer "+id+" by "+by.Name)
	c.pins = append(c.pins, string(pin))
	clear(pin)
	if p := c.find(id); p == nil || p.State.Over() {
		return &failure.Error{Code: failure.CeremonyOver, Detail: id}
	}
	return nil
}

// Blocks has one for card-1 and one for an authenticator that is not there.
func (c *Ceremonies) Blocks() []contract.PINBlock {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []contract.PINBlock
	for _, id := range []string{"card-1", "card-gone"} {
		if !c.cleared[id] {
			list = append(list, contract.PINBlock{Authenticator: id, Source: Blocked, At: time.Now()})
		}
	}
	return list
}

// Unblock clears them.
func (c *Ceremonies) Unblock(_ context.Context, authenticator string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, "unblock "+authenticator)
	c.cleared[authenticator] = true
	return nil
}
