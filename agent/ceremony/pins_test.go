package ceremony

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
	"authbridge/fido"
	"authbridge/pcsc"
	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
	"authbridge/pcsc/vcard"
)

const (
	rightPIN = vcard.DefaultPIN
	wrongPIN = "654321"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// ledger is a store in memory. What a test sets is called with each write.
type ledger struct {
	mu         sync.Mutex
	blocked    []contract.PINBlock
	traces     []store.Trace
	ceremonies []contract.Ceremony
	wrote      func(what string) error
}

func (l *ledger) write(what string, do func()) error {
	l.mu.Lock()
	wrote := l.wrote
	l.mu.Unlock()
	if wrote != nil {
		if err := wrote(what); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
	return nil
}

func (l *ledger) PutBlock(_ context.Context, block contract.PINBlock) error {
	return l.write("block", func() { l.blocked = append(l.blocked, block) })
}

func (l *ledger) DeleteBlock(_ context.Context, authenticator, source string) error {
	return l.write("no block", func() {
		l.blocked = slices.DeleteFunc(l.blocked, func(b contract.PINBlock) bool {
			return b.Authenticator == authenticator && b.Source == source
		})
	})
}

func (l *ledger) DeleteBlocks(_ context.Context, authenticator string) error {
	return l.write("no blocks", func() {
		l.blocked = slices.DeleteFunc(l.blocked, func(b contract.PINBlock) bool { return b.Authenticator == authenticator })
	})
}

func (l *ledger) Blocks(context.Context) ([]contract.PINBlock, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.blocked), nil
}

func (l *ledger) PutTrace(_ context.Context, trace store.Trace) error {
	return l.write("trace", func() { l.traces = append(l.traces, trace) })
}

func (l *ledger) DeleteTraces(_ context.Context, lease string) error {
	return l.write("no traces", func() {
		l.traces = slices.DeleteFunc(l.traces, func(t store.Trace) bool { return t.Lease == lease })
	})
}

func (l *ledger) Traces(_ context.Context, lease string) ([]store.Trace, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.traces), func(t store.Trace) bool { return t.Lease != lease }), nil
}

func (l *ledger) PutCeremony(_ context.Context, c contract.Ceremony) error {
	return l.write("ceremony", func() {
		l.ceremonies = slices.DeleteFunc(l.ceremonies, func(o contract.Ceremony) bool { return o.ID == c.ID })
		l.ceremonies = append(l.ceremonies, c)
	})
}

func (l *ledger) Ceremonies(context.Context) ([]contract.Ceremony, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ceremonies), nil
}

// news is what the world was told.
type news struct {
	mu     sync.Mutex
	events []contract.Event
	more   chan struct{} // closed and replaced with the next
}

func newNews() *news { return &news{more: make(chan struct{})} }

func (n *news) tell(events ...contract.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, events...)
	close(n.more)
	n.more = make(chan struct{})
}

// since is what came after so many events, and is closed with the next.
func (n *news) since(at int) ([]contract.Event, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.events[at:]), n.more
}

// of counts the events of a type, each of which must name the authenticator and
// no PIN.
func (n *news) of(t *testing.T, kind contract.EventType) int {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, e := range n.events {
		if strings.Contains(fmt.Sprintf("%+v", e), rightPIN) || strings.Contains(fmt.Sprintf("%+v", e), wrongPIN) {
			t.Errorf("a PIN is in %+v", e)
		}
		if e.Type == kind {
			count++
			if e.Subject == "" || e.Text == "" || e.At.IsZero() {
				t.Errorf("it says too little: %+v", e)
			}
		}
	}
	return count
}

func begun(t *testing.T, kept Store) (*pins, *news) {
	t.Helper()
	told := newNews()
	p, err := newPINs(t.Context(), kept, func() time.Time { return noon }, told.tell)
	if err != nil {
		t.Fatal(err)
	}
	return p, told
}

// sends is a send that counts and answers.
type sends struct {
	n   int
	err error
}

func (s *sends) send([]byte) error {
	s.n++
	return s.err
}

// of is an attempt with three tries left, which must wipe its PIN.
func of(source Source, pin string) attempt {
	return attempt{authenticator: "card-1", kind: contract.Smartcard, source: source, pin: []byte(pin), tries: new(3), floor: piv.Floor}
}

func try(t *testing.T, p *pins, a attempt, send func([]byte) error) error {
	t.Helper()
	err := p.attempt(t.Context(), a, send)
	if len(bytes.Trim(a.pin, "\x00")) > 0 {
		t.Error("the PIN was not wiped")
	}
	if err != nil && (strings.Contains(err.Error(), rightPIN) || strings.Contains(err.Error(), wrongPIN)) {
		t.Errorf("a PIN is in %v", err)
	}
	return err
}

func wants(t *testing.T, err error, code failure.Code) {
	t.Helper()
	if failure.CodeOf(err) != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

var cardRefuses = &piv.RefusedError{Tries: 2, Status: &apdu.StatusError{INS: 0x20, SW: 0x63C2}}

// oneCard is a card in a reader of a bench.
func oneCard(t *testing.T) (*vcard.Card, *pcsc.Connector) {
	t.Helper()
	card := newCard(t, vcard.Profile{Keys: vcard.ECCP256})
	bench := vcard.NewBench()
	must(t, bench.AddReader("R0"))
	must(t, bench.Insert("R0", card))
	connector := pcsc.NewConnector(bench, pcsc.ConnectorOptions{Deadline: time.Minute})
	t.Cleanup(func() {
		must(t, connector.Close())
		must(t, bench.Close())
	})
	return card, connector
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var testCA = sync.OnceValues(func() (*vcard.CA, error) { return vcard.NewCA() })

func newCard(t testing.TB, profile vcard.Profile) *vcard.Card {
	t.Helper()
	ca, err := testCA()
	must(t, err)
	profile.User, profile.Surname, profile.Forename = "555212345678", "Pond", "Amy"
	card, err := vcard.NewCard(profile, ca)
	must(t, err)
	return card
}

// verifyOnce is what a ceremony does with a card until its PIN is sent.
func verifyOnce(ctx context.Context, connector *pcsc.Connector, p *pins, a attempt) error {
	conn, err := connector.Open(ctx, "R0")
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Transaction(ctx, func(tx *pcsc.Tx) error {
		if _, err := piv.Select(ctx, tx); err != nil {
			return err
		}
		state, err := piv.ReadPINState(ctx, tx)
		if err != nil {
			return err
		}
		a.tries = new(int(state.Tries()))
		return p.attempt(ctx, a, func(pin []byte) error { return piv.Verify(ctx, tx, pin, state, a.floor) })
	})
}

// crowd makes 50 attempts at once and counts how they ended.
func crowd(t *testing.T, one func(n int) error) map[failure.Code]int {
	t.Helper()
	ended := make(chan error, 50)
	var all sync.WaitGroup
	for n := range cap(ended) {
		all.Go(func() { ended <- one(n) })
	}
	all.Wait()
	close(ended)
	counts := map[failure.Code]int{}
	for err := range ended {
		code := failure.CodeOf(err)
		if code == "" {
			t.Errorf("one ended with %v", err)
		}
		counts[code]++
	}
	return counts
}

// DESIGN rule 1, by the card's own counter: what is sent in parallel, and what a
// daemon sends that was killed and started again, is one try.
func TestFiftyParallelAttemptsWithAWrongPINCostOneTry(t *testing.T) {
	t.Parallel()
	card, connector := oneCard(t)
	kept, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	must(t, err)
	defer func() { must(t, kept.Close()) }()
	attack := func(p *pins, pin func(n int) string) map[failure.Code]int {
		return crowd(t, func(n int) error { return verifyOnce(t.Context(), connector, p, of("requests of token ci", pin(n))) })
	}
	same := func(int) string { return wrongPIN }
	other := func(n int) string { return fmt.Sprint(700000 + n) }

	p, told := begun(t, kept)
	if got := attack(p, same); got[failure.PINRefused] != 1 || got[failure.PINRefusedBefore] != 49 || card.PINTries() != 1 {
		t.Fatalf("%v, and the card counts %d tries", got, card.PINTries())
	}
	if got := attack(p, other); got[failure.PINSourceBlocked] != 50 || card.PINTries() != 1 {
		t.Errorf("other PINs from there: %v, and the card counts %d tries", got, card.PINTries())
	}
	if n := told.of(t, contract.PINBlocked); n != 1 {
		t.Errorf("it is told %d times", n)
	}

	p, _ = begun(t, kept)
	if got := p.blocks(); len(got) != 1 || got[0] != (contract.PINBlock{Authenticator: "card-1", Source: "requests of token ci", At: noon}) {
		t.Errorf("blocks after a restart: %+v", got)
	}
	for _, pin := range []func(int) string{same, other} {
		if got := attack(p, pin); got[failure.PINSourceBlocked] != 50 || card.PINTries() != 1 {
			t.Errorf("after a restart: %v, and the card counts %d tries", got, card.PINTries())
		}
	}
	if card.PINTriesLeft() != 2 {
		t.Errorf("the card has %d tries left", card.PINTriesLeft())
	}
}

// Who waited while another spent a try has counted too many of them.
func TestTriesThatWereReadBeforeAnotherSpentOneAreUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, _ := begun(t, &ledger{})
		begin, sent := make(chan struct{}), make(chan struct{})
		ended := make(chan map[failure.Code]int, 1)
		var first error
		var running sync.WaitGroup
		running.Go(func() {
			first = p.attempt(t.Context(), of(Person, wrongPIN), func([]byte) error {
				close(begin)
				<-sent
				return cardRefuses
			})
		})
		<-begin
		running.Go(func() {
			ended <- crowd(t, func(n int) error {
				return p.attempt(t.Context(), of(Source(fmt.Sprint("secret ", n)), fmt.Sprint(700000+n)), func([]byte) error {
					t.Error("another was sent")
					return nil
				})
			})
		})
		synctest.Wait()
		close(sent)
		running.Wait()
		wants(t, first, failure.PINRefused)
		if got := <-ended; got[failure.PINTriesUnknown] != 50 {
			t.Errorf("%v", got)
		}
	})
}

// A daemon that is killed after a PIN was sent and before its answer came finds
// the block when it starts again.
func TestTheBlockIsWrittenBeforeThePINIsSent(t *testing.T) {
	t.Parallel()
	kept := &ledger{}
	p, _ := begun(t, kept)
	err := try(t, p, of("file blue.pin", wrongPIN), func([]byte) error {
		again, _ := begun(t, kept) // as it finds it that starts now
		wants(t, try(t, again, of("file blue.pin", wrongPIN), func([]byte) error {
			t.Error("it was sent twice")
			return nil
		}), failure.PINSourceBlocked)
		return nil
	})
	if err != nil || len(kept.blocked) != 0 || len(p.blocks()) != 0 {
		t.Errorf("right after all: %v, blocks %v", err, kept.blocked)
	}

	full := errors.New("the disk is full")
	kept.wrote = func(string) error { return full }
	var s sends
	if err := try(t, p, of("file blue.pin", rightPIN), s.send); !errors.Is(err, full) || !errors.Is(err, errNotSent) || s.n != 0 {
		t.Errorf("a block that cannot be written: %v, sent %d times", err, s.n)
	}
	if len(p.blocks()) != 0 {
		t.Errorf("blocks: %v", p.blocks())
	}
}

// Each source of a PIN that was refused is known to be wrong, over a restart too:
// a key has tries enough for several.
func TestAWrongPINOfSeveralSourcesCostsOneTry(t *testing.T) {
	t.Parallel()
	kept, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	must(t, err)
	defer func() { must(t, kept.Close()) }()
	sources := []Source{"requests of token a", "requests of token b", "secret c", "file d"}
	s := sends{err: cardRefuses}
	for _, round := range []struct {
		first, then failure.Code
		told        int
	}{
		{failure.PINRefused, failure.PINRefusedBefore, len(sources)},
		{failure.PINSourceBlocked, failure.PINSourceBlocked, 0},
	} {
		p, told := begun(t, kept)
		for i, source := range slices.Concat(sources, sources) {
			a := of(source, wrongPIN)
			a.tries = new(8 - s.n)
			want := round.then
			if i == 0 {
				want = round.first
			} else if i > len(sources) { // their blocks are all that they hear of
				want = failure.PINSourceBlocked
			}
			wants(t, try(t, p, a, s.send), want)
		}
		if n := told.of(t, contract.PINBlocked); s.n != 1 || n != round.told || len(p.blocks()) != len(sources) {
			t.Errorf("it was sent %d times, and told %d times; blocks %v", s.n, n, p.blocks())
		}
	}
}

// DESIGN rule 1: one row for each reason why a PIN is not sent.
func TestAPINThatMayNotBeSentIsNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(*attempt)
		code   failure.Code
	}{
		"a card's is too short":         {func(a *attempt) { a.pin = []byte("123") }, failure.PINFormat},
		"a card's is too long":          {func(a *attempt) { a.pin = []byte("123456789") }, failure.PINFormat},
		"a key's is too short":          {func(a *attempt) { a.kind, a.pin = contract.SecurityKey, []byte("éé") }, failure.PINFormat},
		"a key's is too long":           {func(a *attempt) { a.kind, a.pin = contract.SecurityKey, bytes.Repeat([]byte("1"), 64) }, failure.PINFormat},
		"a key's is no UTF-8":           {func(a *attempt) { a.kind, a.pin = contract.SecurityKey, []byte("1234\xff") }, failure.PINFormat},
		"it was refused":                {func(a *attempt) { a.pin = []byte("111111") }, failure.PINRefusedBefore},
		"it was refused, elsewhere":     {func(a *attempt) { a.pin, a.source = []byte("111111"), "secret else" }, failure.PINRefusedBefore},
		"a person's was refused":        {func(a *attempt) { a.pin, a.source = []byte("111111"), Person }, failure.PINRefusedBefore},
		"an override of that":           {func(a *attempt) { a.pin, a.override = []byte("111111"), true }, failure.PINRefusedBefore},
		"it was never answered":         {func(a *attempt) { a.pin = []byte("222222") }, failure.PINRefusedBefore},
		"the source is blocked":         {func(a *attempt) { a.source = "secret b" }, failure.PINSourceBlocked},
		"an override of that one":       {func(a *attempt) { a.source, a.override = "secret b", true }, failure.PINSourceBlocked},
		"tries are unknown":             {func(a *attempt) { a.tries = nil }, failure.PINTriesUnknown},
		"tries are less than none":      {func(a *attempt) { a.tries = new(-1) }, failure.PINTriesUnknown},
		"tries are unknown, overridden": {func(a *attempt) { a.tries, a.override = nil, true }, failure.PINTriesUnknown},
		"tries are too few":             {func(a *attempt) { a.tries = new(2) }, failure.PINTooFewTries},
		"tries are none, overridden":    {func(a *attempt) { a.tries, a.override = new(0), true }, failure.PINTooFewTries},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := &ledger{}
			p, told := begun(t, kept)
			// What was before, elsewhere: a refused one, an unanswered one.
			wants(t, try(t, p, of("secret b", "111111"), (&sends{err: cardRefuses}).send), failure.PINRefused)
			if err := try(t, p, of("secret c", "222222"), (&sends{err: errors.New("gone")}).send); !errors.Is(err, errUnanswered) {
				t.Fatal(err)
			}
			a := of("secret a", rightPIN)
			c.before(&a)
			left := 2
			if string(a.pin) == "111111" && a.source != Person {
				left++ // for it is as wrong from there
			}
			var s sends
			wants(t, try(t, p, a, s.send), c.code)
			if s.n != 0 {
				t.Error("it was sent")
			}
			if got := p.blocks(); len(got) != left || len(kept.blocked) != left || told.of(t, contract.PINOverridden) != 0 {
				t.Errorf("it left %v", got)
			}
		})
	}
}

// A key compares one form of a PIN, and so does who remembers it.
func TestARefusedPINIsKnownInEveryForm(t *testing.T) {
	t.Parallel()
	p, _ := begun(t, &ledger{})
	of := func(source Source, pin string) attempt {
		a := of(source, pin)
		a.kind, a.tries = contract.SecurityKey, new(8)
		return a
	}
	wants(t, try(t, p, of("secret a", "p\u00e4ss"), (&sends{err: cardRefuses}).send), failure.PINRefused)
	var s sends
	wants(t, try(t, p, of("secret b", "pa\u0308ss"), s.send), failure.PINRefusedBefore)
	wants(t, try(t, p, of("secret c", "e\u0301e\u0301"), s.send), failure.PINFormat)
	if s.n != 0 {
		t.Errorf("sent %d times", s.n)
	}
}

// What somebody else entered and was refused is found out by nobody for nothing:
// who is blocked, or would find too few tries, hears the same for a right guess.
func TestWhatOthersEnteredIsNotGuessedForNothing(t *testing.T) {
	t.Parallel()
	const theirs, mine, guess = "111111", "222222", "333333"
	for name, c := range map[string]struct {
		attempt attempt
		tries   int
		code    failure.Code
	}{
		"of a source that is blocked": {of("requests of token b", ""), 8, failure.PINSourceBlocked},
		"of a source that is new":     {of("secret new", ""), 2, failure.PINTooFewTries},
		"of a person":                 {of(Person, ""), 2, failure.PINTooFewTries},
	} {
		p, _ := begun(t, &ledger{})
		refuses := sends{err: cardRefuses}
		wants(t, try(t, p, of("requests of token a", theirs), refuses.send), failure.PINRefused)
		wants(t, try(t, p, of("requests of token b", mine), refuses.send), failure.PINRefused)
		var said []string
		for _, pin := range []string{theirs, guess} {
			a := c.attempt
			a.pin, a.tries = []byte(pin), new(c.tries)
			err := try(t, p, a, refuses.send)
			wants(t, err, c.code)
			said = append(said, err.Error())
		}
		if said[0] != said[1] || refuses.n != 2 || len(p.blocks()) != 2 {
			t.Errorf("%s: %q, sent %d times, blocks %v", name, said, refuses.n, p.blocks())
		}
	}
	// Their own they may hear of.
	p, _ := begun(t, &ledger{})
	wants(t, try(t, p, of("requests of token b", mine), (&sends{err: cardRefuses}).send), failure.PINRefused)
	wants(t, try(t, p, of("requests of token b", mine), (&sends{}).send), failure.PINRefusedBefore)
}

// DESIGN rule 1: the floors of card and key, and what the override is for.
func TestAPINIsSentOnlyAboveTheFloor(t *testing.T) {
	t.Parallel()
	for _, floor := range []int{piv.Floor, keyFloor} {
		for tries := range 10 {
			for _, override := range []bool{false, true} {
				p, told := begun(t, &ledger{})
				a := of("secret a", rightPIN)
				a.tries, a.floor, a.override = &tries, floor, override
				var s sends
				overridden := 0
				err := try(t, p, a, func(pin []byte) error {
					overridden = told.of(t, contract.PINOverridden) // before it is sent
					return s.send(pin)
				})
				sent, wantOverridden := tries > floor, 0
				if !sent && override && tries > 0 {
					sent, wantOverridden = true, 1
				}
				if (err == nil) != sent || (s.n == 1) != sent || overridden != wantOverridden {
					t.Errorf("%d tries, floor %d, override %v: %v, told of %d", tries, floor, override, err, overridden)
				}
				if !sent {
					wants(t, err, failure.PINTooFewTries)
				}
			}
		}
	}
}

func TestARightPINClearsWhatWasBefore(t *testing.T) {
	t.Parallel()
	kept := &ledger{}
	p, told := begun(t, kept)
	wants(t, try(t, p, of("secret a", wrongPIN), (&sends{err: cardRefuses}).send), failure.PINRefused)
	if err := try(t, p, of("secret b", rightPIN), (&sends{}).send); err != nil {
		t.Fatal(err)
	}
	if len(kept.blocked) != 0 || len(p.blocks()) != 0 || told.of(t, contract.PINUnblocked) != 1 {
		t.Errorf("left: %v", kept.blocked)
	}
	// The PIN may have been changed to what was wrong before.
	if err := try(t, p, of("secret a", wrongPIN), (&sends{}).send); err != nil {
		t.Error(err)
	}
	if len(p.owners) != 0 {
		t.Errorf("%d authenticators are remembered for nothing", len(p.owners))
	}
	if told.of(t, contract.PINUnblocked) != 1 {
		t.Error("what was not blocked is told to be unblocked")
	}
}

func TestWhatBecomesOfABlockIsUpToTheAnswer(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	status := func(s fido.Status) error { return &fido.StatusError{Command: 6, Status: s} }
	for name, c := range map[string]struct {
		err     error
		blocked bool
		is      error // of what the caller gets
	}{
		"refused by a card":                  {err: cardRefuses, blocked: true, is: cardRefuses},
		"refused by a key":                   {err: status(fido.CTAP2_ERR_PIN_INVALID), blocked: true},
		"the last, refused by a key":         {err: status(fido.CTAP2_ERR_PIN_BLOCKED), blocked: true},
		"the third in a row":                 {err: status(fido.CTAP2_ERR_PIN_AUTH_BLOCKED), blocked: true},
		"no answer":                          {err: gone, blocked: true, is: errUnanswered},
		"hung":                               {err: &pcsc.HungError{Reader: "R0", Op: "SCardTransmit"}, blocked: true, is: errUnanswered},
		"pulled":                             {err: &pcsc.ShortAnswerError{Reader: "R0"}, blocked: true, is: errUnanswered},
		"cut short":                          {err: context.Canceled, blocked: true, is: errUnanswered},
		"a status that says nothing of when": {err: &apdu.StatusError{INS: 0x20, SW: 0x6F00}, blocked: true, is: errUnanswered},
		"a key's that says as little":        {err: status(fido.CTAP2_ERR_PIN_AUTH_INVALID), blocked: true, is: errUnanswered},
		"the card finds fault with it":       {err: &apdu.StatusError{INS: 0x20, SW: 0x6A80}, is: apdu.SWWrongData},
		"the key finds fault with it":        {err: status(fido.CTAP2_ERR_MISSING_PARAMETER)},
		"no PIN is set":                      {err: status(fido.CTAP2_ERR_PIN_NOT_SET)},
		"the connection was closed":          {err: pcsc.ErrClosed, is: pcsc.ErrClosed},
		"not sent":                           {err: fmt.Errorf("%w: %w", errNotSent, gone), is: gone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := &ledger{}
			p, told := begun(t, kept)
			s := sends{err: c.err}
			err := try(t, p, of("secret a", wrongPIN), s.send)
			if err == nil || s.n != 1 || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("%v, sent %d times", err, s.n)
			}
			if got := len(kept.blocked) == 1; got != c.blocked || (len(p.blocks()) == 1) != c.blocked || (told.of(t, contract.PINBlocked) == 1) != c.blocked {
				t.Errorf("blocked %v, want %v", got, c.blocked)
			}
			if refused(c.err) != (failure.CodeOf(err) == failure.PINRefused) {
				t.Errorf("it is told as %v", err)
			}
			again := try(t, p, of("secret b", wrongPIN), s.send)
			if c.blocked != (s.n == 1) {
				t.Errorf("the same PIN from elsewhere: %v, sent %d times in all", again, s.n)
			}
		})
	}
}

// A person sees what was refused, and is not to be kept from entering another.
func TestAPersonIsNeverBlocked(t *testing.T) {
	t.Parallel()
	kept := &ledger{wrote: func(what string) error { return errors.New(what + " was written") }}
	p, told := begun(t, kept)
	wants(t, try(t, p, of(Person, wrongPIN), (&sends{err: cardRefuses}).send), failure.PINRefused)
	wants(t, try(t, p, of(Person, wrongPIN), (&sends{}).send), failure.PINRefusedBefore)
	if told.of(t, contract.PINBlocked) != 1 || len(p.blocks()) != 0 {
		t.Errorf("blocks: %v", p.blocks())
	}
	var s sends
	s.err = errors.New("pulled")
	for range 2 { // what was never answered they may enter again
		if err := try(t, p, of(Person, rightPIN), s.send); !errors.Is(err, errUnanswered) {
			t.Error(err)
		}
	}
	s.err = nil
	if err := try(t, p, of(Person, rightPIN), s.send); err != nil || s.n != 3 {
		t.Errorf("%v, sent %d times", err, s.n)
	}
}

func TestAPersonClearsABlock(t *testing.T) {
	t.Parallel()
	kept := &ledger{}
	p, told := begun(t, kept)
	wants(t, try(t, p, of("secret a", wrongPIN), (&sends{err: cardRefuses}).send), failure.PINRefused)
	if err := try(t, p, of("secret b", rightPIN), (&sends{err: errors.New("pulled")}).send); !errors.Is(err, errUnanswered) {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	kept.wrote = func(string) error { return broken }
	if err := p.unblock(t.Context(), "card-1"); !errors.Is(err, broken) || len(p.blocks()) != 2 {
		t.Errorf("%v leaves %v", err, p.blocks())
	}
	kept.wrote = nil
	must(t, p.unblock(t.Context(), "card-1"))
	must(t, p.unblock(t.Context(), "card-2"))
	if len(p.blocks()) != 0 || len(kept.blocked) != 0 || told.of(t, contract.PINUnblocked) != 1 {
		t.Errorf("left: %v", kept.blocked)
	}
	var s sends
	wants(t, try(t, p, of("secret a", wrongPIN), s.send), failure.PINRefusedBefore)
	if err := try(t, p, of("secret b", rightPIN), s.send); err != nil || s.n != 1 {
		t.Errorf("what was put right: %v, sent %d times", err, s.n)
	}
}

// An attempt at one authenticator holds up none at another, and one that waits
// is given up with its context.
func TestAttemptsAtOneAuthenticatorTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, _ := begun(t, &ledger{})
		begin, answer := make(chan struct{}), make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() {
			if err := p.attempt(t.Context(), of("secret a", rightPIN), func([]byte) error {
				close(begin)
				<-answer
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
		<-begin
		other := of("secret a", rightPIN)
		other.authenticator = "card-2"
		if err := try(t, p, other, (&sends{}).send); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var s sends
		running.Go(func() {
			a := of("secret b", rightPIN)
			if err := p.attempt(ctx, a, s.send); !errors.Is(err, context.Canceled) || s.n != 0 || a.pin[0] != 0 {
				t.Errorf("%v, sent %d times", err, s.n)
			}
		})
		running.Go(func() {
			if err := p.unblock(ctx, "card-1"); !errors.Is(err, context.Canceled) {
				t.Errorf("in the middle of it, its block is taken away: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(answer)
		running.Wait()
		if len(p.owners) != 0 {
			t.Errorf("%d authenticators are remembered for nothing", len(p.owners))
		}
		if err := p.attempt(ctx, of("secret b", rightPIN), s.send); !errors.Is(err, context.Canceled) || s.n != 0 || len(p.blocks()) != 0 {
			t.Errorf("after the end of its context: %v, sent %d times, blocks %v", err, s.n, p.blocks())
		}
	})
}

// What is over before the PIN is sent leaves no block.
func TestAnAttemptThatIsOverIsNotSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	kept := &ledger{wrote: func(string) error {
		cancel()
		return nil
	}}
	p, _ := begun(t, kept)
	var s sends
	if err := p.attempt(ctx, of("secret a", rightPIN), s.send); !errors.Is(err, context.Canceled) || errors.Is(err, errUnanswered) {
		t.Error(err)
	}
	if s.n != 0 || len(kept.blocked) != 0 || len(p.blocks()) != 0 {
		t.Errorf("sent %d times, blocks %v", s.n, kept.blocked)
	}
}

func TestRefusedPINsAreBounded(t *testing.T) {
	t.Parallel()
	p, _ := begun(t, &ledger{})
	for n := range 3 * keepRefusals {
		wants(t, try(t, p, of(Person, fmt.Sprint(700000+n)), (&sends{err: cardRefuses}).send), failure.PINRefused)
	}
	o := p.owners["card-1"]
	if len(o.refused) != keepRefusals {
		t.Errorf("%d are kept", len(o.refused))
	}
	if before, from := o.refused.find(p.hash("card-1", fmt.Append(nil, 700000+3*keepRefusals-1))); before != wasRefused || from != Person {
		t.Error("the last is forgotten")
	}
	if before, _ := o.refused.find(p.hash("card-2", fmt.Append(nil, 700000+3*keepRefusals-1))); before != notSent {
		t.Error("it is known of another card")
	}
	elsewhere, _ := begun(t, &ledger{})
	if p.hash("card-1", []byte(rightPIN)) == elsewhere.hash("card-1", []byte(rightPIN)) {
		t.Error("two processes have the same key")
	}
}
