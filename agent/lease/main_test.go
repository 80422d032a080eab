package lease

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/agent/assurance"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/agent/store"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what a desk sees and does: authenticators, and what is opened on
// them.
type world struct {
	t testing.TB

	mu       sync.Mutex
	snapshot *contract.Snapshot
	changed  chan struct{}
	open     map[string]string // lease by authenticator
	closed   map[string]contract.LeaseEnd
	grants   map[string]Grant
	events   []contract.Event
	shown    []contract.Lease
	fresh    []string // what was read anew
	// What the next calls do, by authenticator; nil does the usual.
	onFresh func(ctx context.Context, id string) error
	onOpen  func(ctx context.Context, grant Grant) error
	onClose func(ctx context.Context, lease string) []string

	users Users // of desks
}

func newWorld(t testing.TB, authenticators ...contract.Authenticator) *world {
	w := &world{
		t: t, snapshot: &contract.Snapshot{}, changed: make(chan struct{}),
		open: make(map[string]string), closed: make(map[string]contract.LeaseEnd), grants: make(map[string]Grant),
	}
	w.see(authenticators...)
	return w
}

// see makes a new snapshot.
func (w *world) see(authenticators ...contract.Authenticator) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.snapshot = &contract.Snapshot{Authenticators: authenticators, Sources: []contract.Source{{Name: "fido", State: "up"}}}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *world) Snapshot() *contract.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snapshot
}

func (w *world) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

func (w *world) Fresh(ctx context.Context, id string) error {
	w.mu.Lock()
	w.fresh = append(w.fresh, id)
	do := w.onFresh
	w.mu.Unlock()
	if do != nil {
		return do(ctx, id)
	}
	return ctx.Err()
}

func (w *world) Open(ctx context.Context, grant Grant) error {
	w.mu.Lock()
	do := w.onOpen
	if holder, taken := w.open[grant.Authenticator.ID]; taken {
		w.t.Errorf("%s is opened for %s while %s has it", grant.Authenticator.ID, grant.Lease, holder)
	}
	w.open[grant.Authenticator.ID], w.grants[grant.Lease] = grant.Lease, grant
	w.mu.Unlock()
	if do != nil {
		return do(ctx, grant)
	}
	return nil
}

func (w *world) Close(ctx context.Context, lease string, why contract.LeaseEnd) []string {
	w.mu.Lock()
	do := w.onClose
	w.mu.Unlock()
	var remarks []string
	if do != nil {
		remarks = do(ctx, lease)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for authenticator, holder := range w.open {
		if holder == lease {
			delete(w.open, authenticator)
		}
	}
	w.closed[lease] = why
	return remarks
}

func (w *world) show(leases []contract.Lease, events ...contract.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shown = leases
	w.events = append(w.events, events...)
}

// opened lists what is open, authenticator=lease.
func (w *world) opened() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.open)
}

// told lists the events so far, each as its lease's state and why it ended.
func (w *world) told(id string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, e := range w.events {
		if nameIn(e.Subject) == nameIn(id) {
			all = append(all, strings.TrimSuffix(string(e.Lease.State)+" "+string(e.Lease.End), " "))
		}
	}
	return all
}

// memory is a store that forgets with the test.
type memory struct {
	mu      sync.Mutex
	records map[string]store.Lease
	fence   uint64
	broken  error
	onPut   func(store.Lease)
}

func (m *memory) PutLease(ctx context.Context, record store.Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if m.records == nil {
		m.records = make(map[string]store.Lease)
	}
	m.records[record.ID], m.fence = record, max(m.fence, record.Fence)
	if m.onPut != nil {
		m.onPut(record)
	}
	return nil
}

func (m *memory) DeleteLease(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken == nil {
		delete(m.records, id)
	}
	return m.broken
}

func (m *memory) Leases(context.Context) ([]store.Lease, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Collect(maps.Values(m.records))
	slices.SortFunc(all, func(a, b store.Lease) int { return int(a.Fence) - int(b.Fence) })
	return all, m.fence, m.broken
}

func (m *memory) ids() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.records))
}

// begin starts a desk; end stops it, as the end of the test does.
func begin(t testing.TB, w *world, kept Store) (d *Desk, end func()) {
	t.Helper()
	d, err := New(t.Context(), Config{
		Inventory: w, Use: w, Store: kept, Judge: func(q contract.Question, s *contract.Snapshot) contract.Verdict { return assurance.Judge(s, q) },
		Show: w.show, Users: w.users, Targets: []string{"mock", "int"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return d, end
}

// virtualKey and physicalKey are ready for AAL3 at the mock.
func virtualKey(n int) contract.Authenticator { return key(n, contract.Virtual) }

func physicalKey(n int) contract.Authenticator { return key(n, contract.Physical) }

func key(n int, origin contract.Origin) contract.Authenticator {
	a := contract.Authenticator{
		ID: fmt.Sprintf("key-%d", n), Name: fmt.Sprintf("key %d", n), Kind: contract.SecurityKey, Origin: origin,
		Transport: "hid", Condition: contract.Ready, PIN: contract.PIN{State: "ok"},
	}
	for _, code := range []failure.Code{failure.KeyPresent, failure.KeyFIDO2, failure.KeyPINSet, failure.KeyPINRetries} {
		a.Checks = append(a.Checks, health.Check(code, contract.Pass, "seen", time.Time{}))
	}
	return a
}

// card is ready for AAL3 at the mock.
func card(n int, user string) contract.Authenticator {
	a := contract.Authenticator{
		ID: fmt.Sprintf("card-%d", n), Name: fmt.Sprintf("card %d", n), Kind: contract.Smartcard, Origin: contract.Virtual,
		Transport: "pcsc", Condition: contract.Ready, User: user, PIN: contract.PIN{State: "ok"},
	}
	for _, code := range []failure.Code{failure.CardPresent, failure.CardBlank, failure.CertValid, failure.CertUUID, failure.PINRetries} {
		a.Checks = append(a.Checks, health.Check(code, contract.Pass, "seen", time.Time{}))
	}
	return a
}

// but is an authenticator whose check of that code fails.
func but(a contract.Authenticator, code failure.Code, evidence string) contract.Authenticator {
	a.Checks = slices.Clone(a.Checks)
	for i := range a.Checks {
		if a.Checks[i].Code == string(code) {
			a.Checks[i] = health.Check(code, contract.Fail, evidence, time.Time{})
		}
	}
	return a
}

// token is a caller by a token with the rights of most.
func token(name string, more ...contract.Right) Caller {
	return Caller{
		Owner:  contract.Owner{TokenID: "token-" + name, Name: "token " + name},
		Rights: append([]contract.Right{contract.RightRead, contract.RightLease}, more...),
	}
}

func forMock(wait string) contract.LeaseRequest {
	return contract.LeaseRequest{Requirement: contract.Requirement{AAL: 3, Target: "mock"}, Wait: wait}
}

func physically(wait string) contract.LeaseRequest {
	r := forMock(wait)
	r.Origin = contract.Physical
	return r
}

// soon is a context for what should happen at once, on a machine that is busy.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func mustTake(t testing.TB, d *Desk, by Caller, request contract.LeaseRequest) contract.NewLease {
	t.Helper()
	l, err := d.Take(soon(t), by, request, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustRelease(t testing.TB, d *Desk, by Caller, id string) contract.Lease {
	t.Helper()
	l, err := d.Release(soon(t), by, id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// taking is a Take under way.
type pendingTake struct {
	lease  contract.NewLease
	err    error
	done   chan struct{}
	cancel context.CancelFunc
}

// takeLater begins to take and returns once it stands in the queue.
func takeLater(t testing.TB, d *Desk, by Caller, request contract.LeaseRequest) *pendingTake {
	t.Helper()
	p, queued := takeAside(t, d, by, request)
	select {
	case <-queued:
	case <-p.done:
		t.Fatalf("it did not wait: %v", p.err)
	case <-soon(t).Done():
		t.Fatal("it is not queued")
	}
	return p
}

func takeAside(t testing.TB, d *Desk, by Caller, request contract.LeaseRequest) (p *pendingTake, queued chan struct{}) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	p, queued = &pendingTake{done: make(chan struct{}), cancel: cancel}, make(chan struct{})
	once := sync.OnceFunc(func() { close(queued) })
	go func() {
		defer close(p.done)
		p.lease, p.err = d.Take(ctx, by, request, func(contract.Lease) { once() })
	}()
	return p, queued
}

// wait waits until it is decided.
func (p *pendingTake) wait(t testing.TB) (contract.NewLease, error) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(2 * longestWait): // of a story's time, it may be
		t.Fatal("Take does not return")
	}
	return p.lease, p.err
}

// eventually waits for what the desk does by itself.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	ctx := soon(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("not so: " + what)
		}
	}
}

func wantCode(t testing.TB, err error, code failure.Code, says ...string) {
	t.Helper()
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, text := range says {
		if !strings.Contains(e.Detail, text) && e.Field != text {
			t.Errorf("%s says %q, want %q in it", code, e.Detail, text)
		}
	}
	if e.Detail == "" {
		t.Errorf("%s says nothing to the caller", code)
	}
}
