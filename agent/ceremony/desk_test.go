package ceremony_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/agent/ceremony"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/agent/store"
	"authbridge/fido"
	"authbridge/fido/vkey"
	"authbridge/fido/webauthn"
	"authbridge/pcsc"
)

const pin = "123456"

// desk is a machine with one security key, a daemon's conductor and its store.
type desk struct {
	t       testing.TB
	bus     *vkey.Bus
	key     *vkey.Key
	store   *memory
	policy  ceremony.Policy
	readPIN func(string) ([]byte, error)
	disk    ceremony.Store // in the place of store
	c       *ceremony.Conductor

	// onTell is run before each event.
	onTell func(contract.Event)
	// onCancel is run in the place of a CTAPHID_CANCEL that the key is sent.
	onCancel func()

	mu      sync.Mutex
	origin  contract.Origin
	plugged bool
	// environment is that of a card's issuer, which keys have none of.
	environment string
	changed     chan struct{}
	claims      map[string]bool
	rereads     int
	events      []contract.Event
	more        chan struct{} // closed at the next event
}

// newDesk is a desk whose key is virtual, has a PIN and is touched at once
// unless the configuration says otherwise.
func newDesk(t testing.TB, config vkey.Config) *desk {
	t.Helper()
	config.Name = "blue"
	if config.PIN == nil {
		config.PIN = []byte(pin)
	}
	key, err := vkey.New(config)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{
		t: t, bus: vkey.NewBus(), key: key, store: &memory{}, origin: contract.Virtual,
		changed: make(chan struct{}), more: make(chan struct{}), claims: make(map[string]bool),
		policy: ceremony.Policy{Parties: []webauthn.Party{
			{ID: "localhost", Origins: []string{"http://localhost:*"}, Targets: []string{"mock"}},
		}},
	}
	d.plug()
	d.start()
	t.Cleanup(func() {
		d.stop()
		d.bus.Close()
		if len(d.claims) != 0 {
			t.Errorf("claims are left: %v", d.claims)
		}
	})
	return d
}

// start starts a daemon on what the store has.
func (d *desk) start() {
	d.t.Helper()
	kept := d.disk
	if kept == nil {
		kept = d.store
	}
	c, err := ceremony.New(soon(d.t), ceremony.Config{
		Hardware: d, Store: kept, Policy: d.policy, Tell: d.tell, ReadPIN: func(file string) ([]byte, error) { return d.readPIN(file) },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.c = c
}

func (d *desk) stop() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := d.c.Shutdown(ctx); err != nil {
		d.t.Error(err)
	}
}

func (d *desk) plug() {
	d.t.Helper()
	if err := d.bus.Plug(d.key); err != nil {
		d.t.Fatal(err)
	}
	d.seen(true)
}

func (d *desk) unplug() {
	d.t.Helper()
	if err := d.bus.Unplug(d.key); err != nil {
		d.t.Fatal(err)
	}
	d.seen(false)
}

func (d *desk) seen(plugged bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plugged = plugged
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *desk) authenticator() contract.Authenticator {
	return contract.Authenticator{
		ID: "key-blue", Name: "virtual key blue", Kind: contract.SecurityKey, Origin: d.origin, Condition: contract.Ready,
		Environment: d.environment,
	}
}

func (d *desk) Snapshot() *contract.Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &contract.Snapshot{}
	if d.plugged {
		s.Authenticators = append(s.Authenticators, d.authenticator())
	}
	return s
}

func (d *desk) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func (d *desk) Certificates(string, bool) ([]contract.Certificate, bool) { return nil, false }

func (d *desk) Claim(_ context.Context, id string) (func(), error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.claims[id] {
		d.t.Errorf("%s is claimed twice", id)
	}
	d.claims[id] = true
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.claims, id)
	}), nil
}

func (d *desk) Card(context.Context, string) (*pcsc.Conn, error) {
	return nil, &failure.Error{Code: failure.CardGone}
}

func (d *desk) Key(ctx context.Context, id string) (*fido.Key, error) {
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	var node *fido.Node
	err := d.bus.Watch(watch, func(c fido.Change) {
		switch {
		case c.Settled:
			cancel()
		case !c.Gone && id == "key-"+c.Node.Serial:
			node = &c.Node
		}
	})
	if err == nil && node == nil {
		return nil, &failure.Error{Code: failure.KeyGone}
	}
	if err != nil {
		return nil, err
	}
	key, err := fido.OpenKey(ctx, cable{d.bus, d}, *node)
	if errors.Is(err, fido.ErrGone) {
		return nil, &failure.Error{Code: failure.KeyGone, Err: err}
	}
	return key, err
}

// cable is a bus between which and the key the desk can come.
type cable struct {
	*vkey.Bus
	d *desk
}

func (c cable) Open(ctx context.Context, node fido.Node) (fido.Link, error) {
	link, err := c.Bus.Open(ctx, node)
	return plug{link, c.d}, err
}

type plug struct {
	fido.Link
	d *desk
}

func (p plug) WriteReport(report []byte) error {
	const ctaphidCancel = 0x11 | 0x80
	if report[4] == ctaphidCancel && p.d.onCancel != nil {
		p.d.onCancel()
		return nil
	}
	return p.Link.WriteReport(report)
}

func (d *desk) Reread(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rereads++
	return nil
}

func (d *desk) tell(events ...contract.Event) {
	if d.onTell != nil {
		d.onTell(events[0])
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range events {
		if strings.Contains(fmt.Sprintf("%+v %+v", e, e.Ceremony), pin) {
			d.t.Errorf("a PIN is in the event %+v", e)
		}
	}
	d.events = append(d.events, events...)
	close(d.more)
	d.more = make(chan struct{})
}

// until waits for an event after the first so many.
func (d *desk) until(what string, is func(contract.Event) bool) contract.Event {
	d.t.Helper()
	ctx := soon(d.t)
	for i := 0; ; {
		d.mu.Lock()
		events, more := d.events, d.more
		d.mu.Unlock()
		for ; i < len(events); i++ {
			if is(events[i]) {
				return events[i]
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			d.t.Fatalf("no event: %s", what)
		}
	}
}

// reaches waits until a ceremony was in a state.
func (d *desk) reaches(id string, state contract.CeremonyState) contract.Ceremony {
	d.t.Helper()
	e := d.until(id+" in state "+string(state), func(e contract.Event) bool {
		return e.Type == contract.CeremonyChanged && e.Subject == id && e.Ceremony.State == state
	})
	return *e.Ceremony
}

var (
	ci   = lease.Caller{Owner: contract.Owner{TokenID: "t1", Name: "token ci"}, Rights: []contract.Right{contract.RightLease}}
	user = lease.Caller{Owner: contract.Owner{Name: "user 1000"}, Rights: contract.Rights}
)

// lend opens a lease for somebody.
func (d *desk) lend(id string, to lease.Caller) lease.Grant {
	d.t.Helper()
	g := d.grant(id, to)
	d.open(g)
	return g
}

func (d *desk) open(g lease.Grant) {
	d.t.Helper()
	if err := d.c.Open(soon(d.t), g); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) close(g lease.Grant) []string {
	d.t.Helper()
	return d.c.Close(soon(d.t), g.Lease, contract.EndReleased)
}

// creation asks for a credential; more are members of the options.
func creation(g lease.Grant, more ...string) contract.CeremonyRequest {
	options := `"rp":{"id":"localhost","name":"Mock"},"user":{"id":"dXNlcg","name":"ann","displayName":"Ann"},` +
		`"challenge":"AAECAwQFBgcICQoLDA0ODw","pubKeyCredParams":[{"type":"public-key","alg":-7}]`
	return contract.CeremonyRequest{
		Lease: g.Lease, Fence: g.Fence, Type: contract.CeremonyCreate, Origin: "http://localhost:3000",
		Options: []byte("{" + strings.Join(append([]string{options}, more...), ",") + "}"),
	}
}

// request asks for an assertion.
func request(g lease.Grant, more ...string) contract.CeremonyRequest {
	return contract.CeremonyRequest{
		Lease: g.Lease, Fence: g.Fence, Type: contract.CeremonyGet, Origin: "http://localhost:3000",
		Options: []byte("{" + strings.Join(append([]string{`"rpId":"localhost","challenge":"AAECAwQFBgcICQoLDA0ODw"`}, more...), ",") + "}"),
	}
}

const (
	residentKey  = `"authenticatorSelection":{"residentKey":"required","userVerification":"required"}`
	noUV         = `"authenticatorSelection":{"userVerification":"discouraged"}`
	noUVOnGet    = `"userVerification":"discouraged"`
	ownKeyOnGet  = `"userVerification":"required"`
	uvOnCreation = `"authenticatorSelection":{"userVerification":"required"}`
)

func withPIN(r contract.CeremonyRequest, pin string) contract.CeremonyRequest {
	r.PIN = &contract.PINSource{Value: []byte(pin)}
	return r
}

func (d *desk) begin(by lease.Caller, r contract.CeremonyRequest) contract.Ceremony {
	d.t.Helper()
	c, err := d.c.Begin(soon(d.t), by, r)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *desk) await(id string) contract.Ceremony {
	d.t.Helper()
	c, err := d.c.Await(soon(d.t), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// does carries out a ceremony that must succeed.
func (d *desk) does(by lease.Caller, r contract.CeremonyRequest) contract.Ceremony {
	d.t.Helper()
	c := d.await(d.begin(by, r).ID)
	if c.State != contract.CeremonyDone {
		d.t.Fatalf("%s is %s: %+v", c.Type, c.State, c.Problem)
	}
	return c
}

// fails carries out a ceremony that must fail.
func (d *desk) fails(by lease.Caller, r contract.CeremonyRequest, state contract.CeremonyState, code failure.Code) contract.Ceremony {
	d.t.Helper()
	c := d.await(d.begin(by, r).ID)
	d.isFailed(c, state, code)
	return c
}

func (d *desk) isFailed(c contract.Ceremony, state contract.CeremonyState, code failure.Code) {
	d.t.Helper()
	if c.State != state || c.Problem == nil || c.Problem.Code != string(code) || c.Result != nil {
		d.t.Fatalf("%s is %s with %+v, want %s with %s", c.Type, c.State, c.Problem, state, code)
	}
	if last := c.Steps[len(c.Steps)-1]; last.State != state || c.EndedAt.IsZero() || c.Prompt != nil {
		d.t.Errorf("the end is not told: %+v", c)
	}
}

// refuses begins a ceremony that must not come to be.
func (d *desk) refuses(by lease.Caller, r contract.CeremonyRequest, code failure.Code) {
	d.t.Helper()
	before := len(d.c.Ceremonies())
	_, err := d.c.Begin(soon(d.t), by, r)
	if failure.CodeOf(err) != code {
		d.t.Errorf("got %v, want %s", err, code)
	}
	if n := len(d.c.Ceremonies()); n != before {
		d.t.Errorf("there are %d ceremonies, %d before", n, before)
	}
}

// memory keeps what the store does.
type memory struct {
	mu         sync.Mutex
	blocks     []contract.PINBlock
	traces     []store.Trace
	ceremonies []contract.Ceremony
	// What PutCeremony and PutTrace fail with.
	noCeremonies, noTraces error
	// onPut is run before each PutCeremony.
	onPut func()
}

func (m *memory) breaks(ceremonies, traces error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noCeremonies, m.noTraces = ceremonies, traces
}

func (m *memory) PutBlock(_ context.Context, b contract.PINBlock) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocks = append(m.blocks, b)
	return nil
}

func (m *memory) DeleteBlock(_ context.Context, authenticator, source string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocks = slices.DeleteFunc(m.blocks, func(b contract.PINBlock) bool {
		return b.Authenticator == authenticator && b.Source == source
	})
	return nil
}

func (m *memory) DeleteBlocks(_ context.Context, authenticator string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocks = slices.DeleteFunc(m.blocks, func(b contract.PINBlock) bool { return b.Authenticator == authenticator })
	return nil
}

func (m *memory) Blocks(context.Context) ([]contract.PINBlock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.blocks), nil
}

func (m *memory) PutTrace(_ context.Context, t store.Trace) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noTraces == nil {
		m.traces = append(m.traces, t)
	}
	return m.noTraces
}

func (m *memory) DeleteTraces(_ context.Context, lease string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.traces = slices.DeleteFunc(m.traces, func(t store.Trace) bool { return t.Lease == lease })
	return nil
}

func (m *memory) Traces(_ context.Context, lease string) ([]store.Trace, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.traces), func(t store.Trace) bool { return t.Lease != lease }), nil
}

func (m *memory) PutCeremony(_ context.Context, c contract.Ceremony) error {
	if m.onPut != nil {
		m.onPut()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noCeremonies != nil {
		return m.noCeremonies
	}
	c.Problem, c.Prompt, c.Result = nil, nil, nil
	m.ceremonies = slices.DeleteFunc(m.ceremonies, func(o contract.Ceremony) bool { return o.ID == c.ID })
	m.ceremonies = append(m.ceremonies, c)
	return nil
}

func (m *memory) Ceremonies(context.Context) ([]contract.Ceremony, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.ceremonies), func(c contract.Ceremony) bool { return c.State.Over() }), nil
}

// soon is a context for what should happen at once, on a machine that is busy.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

type callerOf = lease.Caller

func withoutRights(c lease.Caller) lease.Caller {
	c.Rights = nil
	return c
}

func boundTo(authenticator, target string) []ceremony.BoundPIN {
	return []ceremony.BoundPIN{
		{Authenticator: authenticator, Target: "int", Name: "other.pin", File: "/etc/other.pin"},
		{Authenticator: authenticator, Target: target, Name: "blue.pin", File: "/etc/blue.pin"},
	}
}

func (d *desk) seenEvents() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.events)
}

// untilAfter is until, for events after the first so many.
func (d *desk) untilAfter(seen int, what string, is func(contract.Event) bool) contract.Event {
	d.t.Helper()
	n := 0
	return d.until(what, func(e contract.Event) bool {
		n++
		return n > seen && is(e)
	})
}

func (d *desk) grant(id string, to lease.Caller) lease.Grant {
	return lease.Grant{
		Lease: id, Fence: 7, Authenticator: d.authenticator(), Target: "mock", Purpose: "run 17",
		Owner: contract.Owner{TokenID: to.TokenID, Name: to.Name, Lease: id},
	}
}

// lendAgain opens the lease of that id for the user, unless it is open.
func (d *desk) lendAgain(id string) lease.Grant {
	d.t.Helper()
	g := d.grant(id, user)
	if err := d.c.Open(soon(d.t), g); err != nil && failure.CodeOf(err) != failure.Conflict {
		d.t.Fatal(err)
	}
	return g
}

// traceOf is what a creation of ours leaves in the store.
func traceOf(leased string) store.Trace {
	return store.Trace{Lease: leased, Authenticator: "key-blue", RPID: "localhost", User: []byte("user"), At: time.Now()}
}
