package ceremony

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/fido"
	"authbridge/pcsc"
	"authbridge/pcsc/piv"
	"authbridge/pcsc/vcard"
)

const card1 = "card-1"

// table is a machine with one reader, the card that is known as card-1, and a
// conductor. It is the conductor's hardware.
type table struct {
	t         *testing.T
	bench     *vcard.Bench
	connector *pcsc.Connector
	card      *vcard.Card
	kept      *ledger
	told      *news
	policy    Policy
	c         *Conductor
	grant     lease.Grant

	mu      sync.Mutex
	there   bool
	changed chan struct{}
	sources []contract.Source // none: nothing is said of them, nor of readers
	readers []contract.Reader
	shown   contract.Authenticator
	// environment of the certificates, by slot; else it is that of their issuer.
	environment map[string]string
	shownIn     map[string]vcard.Slot // whose certificate is shown in a slot, if not its own
	connected   int
	onCard      func() // called before each connection
	onOpen      func() // called after each connection
}

type tableConfig struct {
	profile  vcard.Profile
	faults   []vcard.Fault
	origin   contract.Origin
	deadline time.Duration
}

func newTable(t *testing.T, config tableConfig) *table {
	t.Helper()
	if config.origin == "" {
		config.origin = contract.Virtual
	}
	if config.deadline == 0 {
		config.deadline = time.Minute
	}
	d := &table{
		t: t, bench: vcard.NewBench(), card: newCard(t, config.profile), kept: &ledger{}, told: newNews(),
		there: true, changed: make(chan struct{}),
		shown: contract.Authenticator{ID: card1, Name: "card 4f2a", Kind: contract.Smartcard, Origin: config.origin, Environment: "test"},
	}
	must(t, d.card.SetFaults(config.faults...))
	must(t, d.bench.AddReader("R0"))
	must(t, d.bench.Insert("R0", d.card))
	d.connector = pcsc.NewConnector(d.bench, pcsc.ConnectorOptions{Deadline: config.deadline})
	d.grant = lease.Grant{
		Lease: "lease-1", Fence: 1, Authenticator: d.shown, Target: "mock",
		Owner: contract.Owner{Name: "user 1000", Lease: "lease-1"},
	}
	d.start()
	t.Cleanup(func() {
		d.card.ClearFaults()
		d.stop()
		must(t, d.connector.Close())
		must(t, d.bench.Close())
	})
	return d
}

// start starts a daemon on what the store has, with the lease open.
func (d *table) start() {
	d.t.Helper()
	c, err := New(soon(d.t), Config{Hardware: d, Store: d.kept, Policy: d.policy, Tell: d.told.tell, Now: func() time.Time { return noon }})
	must(d.t, err)
	d.c = c
	must(d.t, c.Open(soon(d.t), d.grant))
}

func (d *table) stop() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	must(d.t, d.c.Shutdown(ctx))
}

// dies is kill -9: nothing of the daemon comes any more to the card, and nothing
// that it does from now on to the store that the next one finds.
func (d *table) dies() {
	d.t.Helper()
	d.kept.mu.Lock()
	left := &ledger{blocked: d.kept.blocked, traces: d.kept.traces, ceremonies: d.kept.ceremonies}
	d.kept.mu.Unlock()
	d.kept.mu.Lock()
	d.kept.traces = nil // so that what ends the test leaves the card alone
	d.kept.mu.Unlock()
	d.stop()
	d.kept = left
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func (d *table) Snapshot() *contract.Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &contract.Snapshot{Sources: d.sources, Readers: d.readers}
	if d.there {
		s.Authenticators = append(s.Authenticators, d.shown)
	}
	return s
}

func (d *table) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func (d *table) change(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *table) Certificates(id string, _ bool) ([]contract.Certificate, bool) {
	if id != card1 {
		return nil, false
	}
	var list []contract.Certificate
	for _, slot := range piv.AllSlots() {
		of := vcard.Slot(slot)
		if other, moved := d.shownIn[slot.String()]; moved {
			of = other
		}
		certificate := d.card.Certificate(of)
		if certificate == nil {
			continue
		}
		environment := "test"
		if certificate.Issuer.CommonName == "NHS Authentication G2" {
			environment = "live"
		}
		if e := d.environment[slot.String()]; e != "" {
			environment = e
		}
		list = append(list, contract.Certificate{Slot: slot.String(), Environment: environment, DER: certificate.Raw})
	}
	return list, true
}

func (d *table) Claim(context.Context, string) (func(), error) { return func() {}, nil }

func (d *table) Card(ctx context.Context, id string) (*pcsc.Conn, error) {
	d.mu.Lock()
	there, onCard, onOpen := d.there, d.onCard, d.onOpen
	d.connected++
	d.mu.Unlock()
	if onCard != nil {
		onCard()
	}
	if id != card1 || !there {
		return nil, &failure.Error{Code: failure.CardGone}
	}
	conn, err := d.connector.Open(ctx, "R0")
	if onOpen != nil {
		onOpen()
	}
	return conn, err
}

func (d *table) Key(context.Context, string) (*fido.Key, error) {
	return nil, &failure.Error{Code: failure.KeyGone}
}

func (d *table) Reread(string) error { return nil }

// pull takes the card out, and insert puts it in again, as the inventory sees it.
func (d *table) pull() {
	d.t.Helper()
	_ = d.bench.Remove("R0") // it may be out
	d.change(func() { d.there = false })
}

func (d *table) insert() {
	d.t.Helper()
	must(d.t, d.bench.Insert("R0", d.card))
	d.change(func() { d.there = true })
}

var person = lease.Caller{Owner: contract.Owner{Name: "user 1000"}, Rights: contract.Rights}

// request asks for a signature of something, with a PIN in it; "" asks a person.
func (d *table) request(pin string) contract.CeremonyRequest {
	r := contract.CeremonyRequest{Lease: "lease-1", Fence: 1, Type: contract.CeremonySign, Data: []byte("something")}
	if pin != "" {
		r.PIN = &contract.PINSource{Value: []byte(pin)}
	}
	return r
}

func (d *table) ends(request contract.CeremonyRequest) contract.Ceremony {
	d.t.Helper()
	begun, err := d.c.Begin(soon(d.t), person, request)
	must(d.t, err)
	over, err := d.c.Await(soon(d.t), begun.ID)
	must(d.t, err)
	return over
}

func (d *table) signs(request contract.CeremonyRequest) *contract.CeremonyResult {
	d.t.Helper()
	over := d.ends(request)
	if over.State != contract.CeremonyDone || over.Result == nil {
		d.t.Fatalf("it is %s: %+v", over.State, over.Problem)
	}
	return over.Result
}

// refuses wants a failure and returns its detail.
func (d *table) refuses(request contract.CeremonyRequest, code failure.Code) string {
	d.t.Helper()
	over := d.ends(request)
	if over.Problem == nil || over.Problem.Code != string(code) || over.Result != nil {
		d.t.Fatalf("it is %s: %+v, want %s", over.State, over.Problem, code)
	}
	return over.Problem.Detail
}

// reaches waits until a ceremony is in a state for the n-th time.
func (d *table) reaches(id string, state contract.CeremonyState, n int) contract.Ceremony {
	d.t.Helper()
	for ctx, at, times := soon(d.t), 0, 0; ; {
		events, more := d.told.since(at)
		for _, e := range events {
			if e.Type != contract.CeremonyChanged || e.Subject != id {
				continue
			}
			switch {
			case e.Ceremony.State == state:
				if times++; times == n {
					return *e.Ceremony
				}
			case e.Ceremony.State.Over():
				d.t.Fatalf("it is %s: %+v", e.Ceremony.State, e.Ceremony.Problem)
			}
		}
		at += len(events)
		select {
		case <-more:
		case <-ctx.Done():
			d.t.Fatalf("it is not %s for the time number %d", state, n)
		}
	}
}

// asked waits until a ceremony asks for a PIN for the n-th time.
func (d *table) asked(id string, n int) *contract.Prompt {
	d.t.Helper()
	return d.reaches(id, contract.CeremonyPIN, n).Prompt
}

// elsewhere is another program's connection to the card.
func (d *table) elsewhere(do func(context.Context, *pcsc.Tx) error) {
	d.t.Helper()
	conn, err := d.connector.Open(soon(d.t), "R0")
	must(d.t, err)
	defer conn.Close()
	must(d.t, conn.Transaction(soon(d.t), func(tx *pcsc.Tx) error {
		if _, err := piv.Select(soon(d.t), tx); err != nil {
			return err
		}
		return do(soon(d.t), tx)
	}))
}

// emptyVerify is what another program's empty VERIFY answers.
func (d *table) emptyVerify() (state piv.PINState) {
	d.t.Helper()
	d.elsewhere(func(ctx context.Context, tx *pcsc.Tx) (err error) {
		state, err = piv.ReadPINState(ctx, tx)
		return err
	})
	return state
}

// verifyElsewhere has another program leave the card verified.
func (d *table) verifyElsewhere() {
	d.t.Helper()
	d.elsewhere(func(ctx context.Context, tx *pcsc.Tx) error {
		state, err := piv.ReadPINState(ctx, tx)
		if err != nil {
			return err
		}
		return piv.Verify(ctx, tx, []byte(rightPIN), state, piv.Floor)
	})
}

// holdsPINs fails the test if the card got another number of PINs.
func (d *table) holdsPINs(want uint64) {
	d.t.Helper()
	if got := d.card.PINTries(); got != want {
		d.t.Errorf("the card counts %d tries, want %d", got, want)
	}
}

// bubble runs a test in false time.
func bubble(t *testing.T, do func(t *testing.T)) {
	t.Helper()
	_, err := testCA() // is made outside
	must(t, err)
	synctest.Test(t, do)
}
