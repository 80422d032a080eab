package inventory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/store"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a source that shows what a test tells it.
type scripted struct {
	name   string
	shows  chan Observation
	fails  chan error
	starts chan struct{}
}

func newScripted(name string) *scripted {
	return &scripted{name: name, shows: make(chan Observation), fails: make(chan error), starts: make(chan struct{}, 100)}
}

func (s *scripted) Name() string { return s.name }

func (s *scripted) Run(ctx context.Context, publish func(Observation)) error {
	s.starts <- struct{}{}
	for {
		select {
		case o := <-s.shows:
			o.Source = contract.Source{Name: s.name, State: "up"}
			publish(o)
		case err := <-s.fails:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// start runs an inventory until the test, or stop, ends it.
func start(t *testing.T, config Config) (inv *Inventory, stop func()) {
	t.Helper()
	config.OS = "linux"
	inv, err := New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return inv, run(t, inv)
}

// run runs it until the test, or stop, ends it.
func run(t *testing.T, inv *Inventory) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := inv.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

func reader(name string, condition contract.Condition) contract.Reader {
	return contract.Reader{ID: "reader-" + name, Name: name, Source: "pcsc", Origin: contract.Physical, Condition: condition}
}

func card(id, holder, user string) health.Card {
	return health.Card{
		Authenticator: contract.Authenticator{
			ID: id, Name: "card " + id, Kind: contract.Smartcard, Origin: contract.Physical, Source: "pcsc",
			Condition: contract.Ready, Holder: holder, User: user,
		},
		PIV: true,
		Certificates: []contract.Certificate{{
			Slot: "9A", Subject: "CN=" + user + "_" + holder, SHA256: "AB" + id, DER: []byte(user + holder),
		}},
	}
}

func inserted(r contract.Reader) contract.Event {
	return contract.Event{Type: contract.CardInserted, Subject: r.ID, Reader: &r}
}

func removed(r contract.Reader) contract.Event {
	return contract.Event{Type: contract.CardRemoved, Subject: r.ID, Reader: &r}
}

// told collects the events of a subscription until it has n.
func told(t *testing.T, sub *Subscription, n int) []contract.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var events []contract.Event
	for len(events) < n {
		d, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("after %d of %d events: %v", len(events), n, err)
		}
		if d.Truncated {
			t.Fatalf("truncated after %d events", len(events))
		}
		for _, e := range d.Events {
			events = append(events, e.Event(Viewer{Identity: true}))
		}
	}
	return events
}

func kinds(events []contract.Event) string {
	var words []string
	for _, e := range events {
		words = append(words, string(e.Type)+" "+e.Subject)
	}
	return strings.Join(words, ", ")
}

func subscribe(t *testing.T, inv *Inventory, after string) *Subscription {
	t.Helper()
	sub, err := inv.Subscribe(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEventsComeInOrderWithTheSnapshotTheyLedTo(t *testing.T) {
	source := newScripted("pcsc")
	inv, _ := start(t, Config{Sources: []Source{source}})
	sub := subscribe(t, inv, "")
	if d, err := sub.Next(t.Context()); err != nil || d.View == nil || d.View.ID().Seq != 0 || d.Truncated {
		t.Fatalf("the stream begins with %+v, %v", d, err)
	}

	source.shows <- Observation{Readers: []contract.Reader{reader("A", contract.Empty)}}
	full := reader("A", contract.Present)
	source.shows <- Observation{Readers: []contract.Reader{full}, Events: []contract.Event{inserted(full)}}
	ready := reader("A", contract.Ready)
	ready.Card = "card-1"
	source.shows <- Observation{Readers: []contract.Reader{ready}, Cards: []health.Card{card("card-1", "Doe Jo", "555200000001")}}
	source.shows <- Observation{Readers: []contract.Reader{reader("A", contract.Empty)}, Events: []contract.Event{removed(reader("A", contract.Empty))}}

	events := told(t, sub, 7)
	want := "source.changed pcsc, reader.added reader-A, card.inserted reader-A, " +
		"reader.changed reader-A, authenticator.changed card-1, card.removed reader-A, authenticator.gone card-1"
	if got := kinds(events); got != want {
		t.Errorf("told\n%s, want\n%s", got, want)
	}
}

func TestEventIDsCountUpAndTheSnapshotHasTheLast(t *testing.T) {
	source := newScripted("pcsc")
	inv, _ := start(t, Config{Sources: []Source{source}})
	sub := subscribe(t, inv, "")
	for n := range 20 {
		condition := []contract.Condition{contract.Empty, contract.Present}[n%2]
		source.shows <- Observation{Readers: []contract.Reader{reader("A", condition)}}
	}
	events := told(t, sub, 21)
	for n, e := range events {
		id, err := contract.ParseEventID(e.ID)
		if err != nil || id.Seq != uint64(n+1) {
			t.Fatalf("event %d has id %s", n, e.ID)
		}
		if e.Text == "" || e.At.IsZero() {
			t.Errorf("event %+v says nothing", e)
		}
	}
	snapshot, err := inv.Await(t.Context(), func(s *contract.Snapshot) bool { return s.ID == events[20].ID })
	if err != nil || snapshot.Readers[0].Condition != contract.Present {
		t.Errorf("snapshot %+v, %v", snapshot, err)
	}
}

// A swap within one moment leaves the state as it was and is two events.
func TestAFastSwapIsTwoEvents(t *testing.T) {
	source := newScripted("pcsc")
	inv, _ := start(t, Config{Sources: []Source{source}})
	ready := reader("A", contract.Present)
	source.shows <- Observation{Readers: []contract.Reader{ready}, Events: []contract.Event{inserted(ready)}}
	if _, err := inv.Await(t.Context(), func(s *contract.Snapshot) bool { return len(s.Readers) == 1 }); err != nil {
		t.Fatal(err)
	}
	sub := subscribe(t, inv, "")
	source.shows <- Observation{
		Readers: []contract.Reader{ready},
		Events:  []contract.Event{removed(reader("A", contract.Empty)), inserted(ready)},
	}
	source.shows <- Observation{} // the reader goes
	events := told(t, sub, 3)
	got := kinds(events[len(events)-3:])
	if want := "card.removed reader-A, card.inserted reader-A, reader.removed reader-A"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestAnObservationThatChangesOnlyTimesIsNoEvent(t *testing.T) {
	source := newScripted("pcsc")
	inv, _ := start(t, Config{Sources: []Source{source}})
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	show := func(at time.Time) {
		r, c := reader("A", contract.Ready), card("card-1", "Doe", "555200000001")
		r.ObservedAt, c.ObservedAt, c.ReadAt = at, at, at
		source.shows <- Observation{Readers: []contract.Reader{r}, Cards: []health.Card{c}}
	}
	show(at)
	seen := func(at time.Time) func(*contract.Snapshot) bool {
		return func(s *contract.Snapshot) bool { return len(s.Readers) == 1 && s.Readers[0].ObservedAt.Equal(at) }
	}
	first, err := inv.Await(t.Context(), seen(at))
	if err != nil {
		t.Fatal(err)
	}
	show(at.Add(time.Hour))
	second, err := inv.Await(t.Context(), seen(at.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	if first == second || first.ID != second.ID {
		t.Errorf("the snapshots have ids %s and %s", first.ID, second.ID)
	}
}

func TestAFailedSourceIsDownForgottenAndStartedAgainWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, other := newScripted("pcsc"), newScripted("fido")
		inv, stop := start(t, Config{Sources: []Source{source, other}})
		defer stop()
		other.shows <- Observation{Readers: []contract.Reader{reader("B", contract.Empty)}}
		source.shows <- Observation{Readers: []contract.Reader{reader("A", contract.Empty)}}
		synctest.Wait()
		<-source.starts
		sub := subscribe(t, inv, inv.Snapshot().ID)

		source.fails <- errors.New("0x8010001D")
		events := told(t, sub, 2)
		if got, want := kinds(events), "source.changed pcsc, reader.removed reader-A"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		s := inv.Snapshot()
		if s.Sources[0].State != "down" || !strings.Contains(s.Sources[0].Detail, "0x8010001D") {
			t.Errorf("the source is %+v", s.Sources[0])
		}
		if len(s.Readers) != 1 || s.Sources[1].State != "up" {
			t.Errorf("the other source suffered: %+v", s)
		}

		wait := restartFirst
		for range 10 {
			began := time.Now()
			<-source.starts
			if took := time.Since(began); took != wait {
				t.Errorf("started again after %v, want %v", took, wait)
			}
			source.fails <- errors.New("again")
			wait = min(2*wait, restartMost)
		}
		<-source.starts
		pass(2 * restartReset)
		source.fails <- errors.New("after a good while")
		began := time.Now()
		<-source.starts
		if took := time.Since(began); took != restartFirst {
			t.Errorf("after a good while started again after %v", took)
		}
		source.shows <- Observation{Readers: []contract.Reader{reader("A", contract.Empty)}}
		if _, err := inv.Await(t.Context(), func(s *contract.Snapshot) bool { return s.Sources[0].State == "up" && len(s.Readers) == 2 }); err != nil {
			t.Error(err)
		}
		if n := inv.Stats().SourceRestarts; n != 12 {
			t.Errorf("%d restarts counted", n)
		}
	})
}

// TestWhatChangesAtOneTargetIsToldOfThatTarget: a check is its code and its
// target.
func TestWhatChangesAtOneTargetIsToldOfThatTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := time.Now().Add(time.Hour)
		judge := func(_ health.Facts, now time.Time) health.Report {
			r := health.Report{Machine: []contract.Check{
				{Code: "NET_ISSUER", Target: "int", State: contract.Pass}, {Code: "NET_ISSUER", Target: "prod", State: contract.Pass, Evidence: "it answers"},
			}, Again: changes}
			if !now.Before(changes) {
				r.Machine[0].State, r.Machine[0].Evidence, r.Again = contract.Fail, "it is silent", time.Time{}
			}
			return r
		}
		inv, stop := start(t, Config{Judge: judge})
		defer stop()
		sub := subscribe(t, inv, inv.Snapshot().ID)
		d, err := sub.Next(t.Context())
		if err != nil || len(d.Events) != 1 {
			t.Fatalf("told %+v, %v", d, err)
		}
		e := d.Events[0].Event(Viewer{Identity: true})
		if e.Subject != "NET_ISSUER" || e.Check.Target != "int" || e.Text != "check NET_ISSUER at int: fail (it is silent)" {
			t.Errorf("told %+v", e)
		}
	})
}

func TestTimeAloneCanChangeAReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expiry := time.Now().Add(48 * time.Hour)
		judged := 0
		judge := func(_ health.Facts, now time.Time) health.Report {
			judged++
			if now.Before(expiry) {
				return health.Report{Machine: []contract.Check{{Code: "CERT_VALID", State: contract.Pass}}, Again: expiry}
			}
			return health.Report{Machine: []contract.Check{{Code: "CERT_VALID", State: contract.Fail}}}
		}
		inv, stop := start(t, Config{Judge: judge})
		defer stop()
		sub := subscribe(t, inv, inv.Snapshot().ID)
		d, err := sub.Next(t.Context())
		if err != nil || len(d.Events) != 1 {
			t.Fatalf("told %+v, %v", d, err)
		}
		e := d.Events[0].Event(Viewer{Identity: true})
		if e.Subject != "CERT_VALID" || e.Check.State != contract.Fail || !e.At.Equal(expiry) {
			t.Errorf("told %+v", e)
		}
		pass(1000 * time.Hour)
		synctest.Wait()
		if judged != 2 {
			t.Errorf("judged %d times: idle is not idle", judged)
		}
	})
}

// A snapshot is whole whoever reads it whenever: each of these shows the same
// number in all its parts. Run with -race.
func TestSnapshotsAreWholeUnderManyReaders(t *testing.T) {
	source := newScripted("pcsc")
	judge := func(f health.Facts, now time.Time) health.Report {
		j := health.Report{Authenticators: map[string][]contract.Check{}}
		for _, c := range f.Cards {
			j.Authenticators[c.ID] = []contract.Check{{Code: "X", Evidence: c.Detail}}
		}
		return j
	}
	inv, _ := start(t, Config{Sources: []Source{source}, Judge: judge})
	show := func(n int) {
		r, c := reader("A", contract.Ready), card("card-1", "Doe", "555200000001")
		r.Detail, c.Detail = fmt.Sprint(n), fmt.Sprint(n)
		source.shows <- Observation{Readers: []contract.Reader{r}, Cards: []health.Card{c}}
	}
	show(0)
	if _, err := inv.Await(t.Context(), func(s *contract.Snapshot) bool { return len(s.Readers) > 0 }); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for n := range 16 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				v := inv.View()
				s := v.Snapshot()
				if n%2 == 0 {
					s = v.Masked()
				}
				if s.Readers[0].Detail != s.Authenticators[0].Detail || s.Authenticators[0].Detail != s.Authenticators[0].Checks[0].Evidence {
					t.Errorf("a torn snapshot: %+v", s)
					return
				}
				if text := string(v.Encoded(n%2 == 0)); !strings.Contains(text, `"id":"`+s.ID+`"`) {
					t.Errorf("the bytes of another snapshot: %s", text)
					return
				}
			}
		})
	}
	for n := range 500 {
		show(n)
	}
	close(done)
	readers.Wait()
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	inv, _ := start(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := inv.Await(ctx, func(*contract.Snapshot) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestRereadAsksTheSourceThatHasIt(t *testing.T) {
	asked := &rereader{scripted: newScripted("pcsc"), has: "card-1"}
	inv, _ := start(t, Config{Sources: []Source{newScripted("fido"), asked}})
	if err := inv.Reread("card-1"); err != nil || asked.times != 1 {
		t.Errorf("asked %d times, %v", asked.times, err)
	}
	if err := inv.Reread("card-2"); !errors.Is(err, ErrNotFound) {
		t.Errorf("for an unknown one: %v", err)
	}
}

type rereader struct {
	*scripted
	has   string
	times int
}

func (r *rereader) Reread(id string) bool {
	if id != r.has {
		return false
	}
	r.times++
	return true
}
