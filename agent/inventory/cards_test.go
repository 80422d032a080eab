package inventory

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/pcsc"
	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
	"authbridge/pcsc/vcard"
)

// testCA is made once; making it takes keys.
var testCA = sync.OnceValues(func() (*vcard.CA, error) { return vcard.NewCA() })

func newCard(t testing.TB, user string) *vcard.Card {
	t.Helper()
	ca, err := testCA()
	if err != nil {
		t.Fatal(err)
	}
	card, err := vcard.NewCard(vcard.Profile{User: user, Surname: "Fotherington", Forename: "Araminta", Keys: vcard.ECCP256}, ca)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reads is a reading of cards that a test holds in its hand.
type reads struct {
	mu      sync.Mutex
	began   map[string]int // by reader
	running map[string]int
	answer  map[string]func(context.Context) (*health.Card, error)

	origins   int // how often it was asked for
	originErr error
}

func newReads() *reads {
	return &reads{began: map[string]int{}, running: map[string]int{}, answer: map[string]func(context.Context) (*health.Card, error){}}
}

// comesFrom is what the test says of the readers' origin.
func (r *reads) comesFrom(context.Context, string) (pcsc.Origin, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.origins++
	return pcsc.Origin{Virtual: r.originErr != nil}, r.originErr
}

func (r *reads) set(reader string, answer func(context.Context) (*health.Card, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer[reader] = answer
}

func (r *reads) count(reader string) (began, running int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.began[reader], r.running[reader]
}

func (r *reads) read(ctx context.Context, reader string) (*health.Card, error) {
	r.mu.Lock()
	r.began[reader]++
	r.running[reader]++
	answer := r.answer[reader]
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.running[reader]--
		r.mu.Unlock()
	}()
	if answer == nil {
		return &health.Card{PIV: true, Authenticator: contract.Authenticator{ID: "card-of-" + reader}}, nil
	}
	return answer(ctx)
}

func forever(ctx context.Context) (*health.Card, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func failing(err error) func(context.Context) (*health.Card, error) {
	return func(context.Context) (*health.Card, error) { return nil, err }
}

func hung() error {
	return &pcsc.HungError{Reader: "R0", Op: "SCardTransmit", After: pcsc.DefaultDeadline}
}

// startCards runs an inventory over a bench of virtual readers R0, R1, ...
func startCards(t *testing.T, readers int, script *reads, change func(*CardsConfig)) (*Inventory, *vcard.Bench, func()) {
	t.Helper()
	bench := vcard.NewBench()
	for n := range readers {
		must(t, bench.AddReader(fmt.Sprint("R", n)))
	}
	config := CardsConfig{Name: "virtual-pcsc", System: bench, Virtual: true}
	if change != nil {
		change(&config)
	}
	source := NewCards(config)
	if script != nil {
		source.read = script.read
	}
	if config.Virtual {
		source.origin = func(context.Context, string) (pcsc.Origin, error) {
			t.Error("a reader of our own was asked where it comes from")
			return pcsc.Origin{}, nil
		}
	} else {
		source.origin = script.comesFrom
	}
	inv, stop := start(t, Config{Sources: []Source{source}, Judge: health.Judge})
	return inv, bench, func() {
		stop()
		must(t, bench.Close())
	}
}

func readerIn(s *contract.Snapshot, name string) *contract.Reader {
	return find(s.Readers, func(r *contract.Reader) bool { return r.Name == name })
}

func readerIs(name string, c contract.Condition) func(*contract.Snapshot) bool {
	return func(s *contract.Snapshot) bool {
		r := readerIn(s, name)
		return r != nil && r.Condition == c
	}
}

// In a bubble time moves only when all goroutines wait, so what is true after
// settled stays true until something is done or time passes.
func bubble(t *testing.T, do func(t *testing.T)) {
	t.Helper()
	newCard(t, "555200000000") // the CA is made outside the bubble
	synctest.Test(t, do)
}

// pass lets time pass in a bubble.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock jumps once all else waits
}

func wantCondition(t *testing.T, inv *Inventory, reader string, want contract.Condition) *contract.Reader {
	t.Helper()
	synctest.Wait()
	r := readerIn(inv.Snapshot(), reader)
	if r == nil || r.Condition != want {
		t.Fatalf("reader %s is %+v, want %s", reader, r, want)
	}
	return r
}

func TestACardIsPresentAtOnceAndReadyWhenRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script, release := newReads(), make(chan struct{})
		script.set("R0", func(context.Context) (*health.Card, error) {
			<-release
			return &health.Card{Authenticator: contract.Authenticator{ID: "card-1"}, PIV: true}, nil
		})
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		wantCondition(t, inv, "R0", contract.Empty)
		sub := subscribe(t, inv, inv.Snapshot().ID)
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		if r := wantCondition(t, inv, "R0", contract.Present); r.Card != "" || r.ATR == "" {
			t.Errorf("a card that was not read is %+v", r)
		}
		close(release)
		r := wantCondition(t, inv, "R0", contract.Ready)
		if r.Card != "card-1" || len(inv.Snapshot().Authenticators) != 1 {
			t.Errorf("after the read: %+v", inv.Snapshot())
		}
		events := slices.DeleteFunc(told(t, sub, 3), func(e contract.Event) bool { return e.Type == contract.CheckChanged })
		if got, want := kinds(events), "card.inserted "+r.ID+", reader.changed "+r.ID+", authenticator.changed card-1"; !strings.HasPrefix(got, want) {
			t.Errorf("told %s, want %s", got, want)
		}
		pass(24 * time.Hour)
		synctest.Wait()
		if n, _ := script.count("R0"); n != 1 {
			t.Errorf("within a day it was read %d times", n)
		}
	})
}

func TestAProbeWaitsForItsDelayWhilePresentIsToldAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		inv, bench, stop := startCards(t, 1, script, func(c *CardsConfig) { c.ProbeDelay = 3 * time.Second })
		defer stop()
		synctest.Wait()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		wantCondition(t, inv, "R0", contract.Present)
		pass(3*time.Second - 1)
		wantCondition(t, inv, "R0", contract.Present)
		if n, _ := script.count("R0"); n != 0 {
			t.Error("it was read too soon")
		}
		pass(1)
		wantCondition(t, inv, "R0", contract.Ready)

		// A card that goes before is not read at all.
		must(t, bench.Swap("R0", newCard(t, "555200000002")))
		synctest.Wait()
		pass(time.Second)
		must(t, bench.Remove("R0"))
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Empty)
		if n, _ := script.count("R0"); n != 1 {
			t.Errorf("read %d times", n)
		}
	})
}

func TestARemovalCancelsTheProbe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		script.set("R0", forever)
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		wantCondition(t, inv, "R0", contract.Present)
		if _, running := script.count("R0"); running != 1 {
			t.Fatal("no probe runs")
		}
		must(t, bench.Remove("R0"))
		wantCondition(t, inv, "R0", contract.Empty)
		if _, running := script.count("R0"); running != 0 {
			t.Error("the probe of a card that went still runs")
		}
		script.set("R0", nil)
		must(t, bench.Insert("R0", newCard(t, "555200000002")))
		wantCondition(t, inv, "R0", contract.Ready)
	})
}

// A probe that does not end, whatever its context says, is of no more
// consequence once its card went: the next card in that reader is read.
func TestTheOutcomeOfAnOldProbeIsNotThatOfANewCard(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script, release := newReads(), make(chan struct{})
		script.set("R0", func(context.Context) (*health.Card, error) {
			<-release
			return &health.Card{Authenticator: contract.Authenticator{ID: "card-old"}}, nil
		})
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		for range 20 {
			wantCondition(t, inv, "R0", contract.Present)
			must(t, bench.Swap("R0", newCard(t, "555200000001")))
		}
		wantCondition(t, inv, "R0", contract.Present)
		script.set("R0", nil)
		must(t, bench.Swap("R0", newCard(t, "555200000002")))
		if r := wantCondition(t, inv, "R0", contract.Ready); r.Card != "card-of-R0" {
			t.Errorf("the card is %s", r.Card)
		}
		close(release)
		if r := wantCondition(t, inv, "R0", contract.Ready); r.Card != "card-of-R0" {
			t.Errorf("then the card is %s", r.Card)
		}
	})
}

func TestAFastSwapOfEqualCardsIsTwoEventsAndTwoReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		r := wantCondition(t, inv, "R0", contract.Ready)
		sub := subscribe(t, inv, inv.Snapshot().ID)
		must(t, bench.Swap("R0", newCard(t, "555200000001")))
		wantCondition(t, inv, "R0", contract.Ready)
		if got := kinds(told(t, sub, 2)); !strings.HasPrefix(got, "card.removed "+r.ID+", card.inserted "+r.ID) {
			t.Errorf("told %s", got)
		}
		if n, _ := script.count("R0"); n != 2 {
			t.Errorf("read %d times", n)
		}
	})
}

func TestWhileAnotherProgramHasTheCardItIsInUseAndReadOnceItIsFree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		inv, bench, stop := startCards(t, 1, script, func(c *CardsConfig) { c.ProbeDelay = time.Second })
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		synctest.Wait()
		other, err := bench.Establish()
		must(t, err)
		handle, err := other.Connect("R0", pcsc.ShareShared, pcsc.ProtocolAny)
		must(t, err)
		pass(time.Second)
		r := wantCondition(t, inv, "R0", contract.InUse)
		if r.Code != string(failure.CardInUse) {
			t.Errorf("the reader is %+v", r)
		}
		pass(time.Hour)
		wantCondition(t, inv, "R0", contract.InUse)
		if n, _ := script.count("R0"); n != 0 {
			t.Errorf("it was read %d times while another program had it", n)
		}
		must(t, handle.Disconnect(pcsc.LeaveCard))
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Ready)
		if n, _ := script.count("R0"); n != 1 {
			t.Errorf("it was read %d times", n)
		}
		must(t, other.Release())
	})
}

func TestACardThatCannotBeReadIsAStateWithCodeAndIsTriedAFewTimes(t *testing.T) {
	for _, test := range []struct {
		err       error
		condition contract.Condition
		code      failure.Code
		tries     int
	}{
		{&pcsc.Error{Op: "SCardConnect", Code: pcsc.SCARD_W_UNRESPONSIVE_CARD}, contract.Mute, failure.CardMute, 1 + probeTries},
		{hung(), contract.Hung, failure.CardHung, 1},
		{errors.New("6A80"), contract.Unreadable, failure.CardUnreadable, 1 + probeTries},
		{&pcsc.Error{Op: "SCardTransmit", Code: pcsc.SCARD_W_REMOVED_CARD}, contract.Unreadable, failure.CardGone, 1 + probeTries},
		{&pcsc.Error{Op: "SCardConnect", Code: pcsc.SCARD_W_SECURITY_VIOLATION}, contract.Forbidden, failure.PCSCDenied, 1},
	} {
		t.Run(string(test.code), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				script := newReads()
				script.set("R0", failing(test.err))
				inv, bench, stop := startCards(t, 1, script, nil)
				defer stop()
				must(t, bench.Insert("R0", newCard(t, "555200000001")))
				synctest.Wait()
				pass(24 * time.Hour)
				r := wantCondition(t, inv, "R0", test.condition)
				if r.Code != string(test.code) || r.Detail == "" || r.Card == "" {
					t.Errorf("the reader is %+v", r)
				}
				if n, _ := script.count("R0"); n != test.tries {
					t.Errorf("read %d times, want %d", n, test.tries)
				}
				a := inv.Snapshot().Authenticators
				if len(a) != 1 || a[0].Condition != test.condition || a[0].Code != string(test.code) || !a[0].ReadAt.IsZero() {
					t.Errorf("the authenticators are %+v", a)
				}
				// Out and in again, all is forgotten.
				script.set("R0", nil)
				must(t, bench.Swap("R0", newCard(t, "555200000001")))
				wantCondition(t, inv, "R0", contract.Ready)
			})
		})
	}
}

func TestACardThatAnswersTheSecondTimeIsReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script, tries := newReads(), 0
		script.set("R0", func(context.Context) (*health.Card, error) {
			if tries++; tries < 3 {
				return nil, pcsc.SCARD_W_RESET_CARD
			}
			return &health.Card{Authenticator: contract.Authenticator{ID: "card-1"}}, nil
		})
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		synctest.Wait()
		pass(time.Minute)
		if r := wantCondition(t, inv, "R0", contract.Ready); r.Code != "" || r.Detail != "" {
			t.Errorf("the reader is %+v", r)
		}
	})
}

func TestARereadReadsOnceAndKeepsWhatIsKnownMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		if err := inv.Reread("card-of-R0"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a card that is not there: %v", err)
		}
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		r := wantCondition(t, inv, "R0", contract.Ready)
		release := make(chan struct{})
		script.set("R0", func(context.Context) (*health.Card, error) {
			<-release
			return &health.Card{Authenticator: contract.Authenticator{ID: "card-of-R0", PIN: contract.PIN{State: "blocked"}}}, nil
		})
		pass(time.Second)
		for range 5 {
			must(t, inv.Reread("card-of-R0"))
			must(t, inv.Reread(r.ID))
			wantCondition(t, inv, "R0", contract.Ready)
		}
		close(release)
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Ready)
		if state := inv.Snapshot().Authenticators[0].PIN.State; state != "blocked" {
			t.Errorf("after the fresh read the PIN is %s", state)
		}
		// The first, the one asked for, and one for all that was asked for
		// after that had begun.
		if n, _ := script.count("R0"); n != 3 {
			t.Errorf("it was read %d times", n)
		}
		must(t, bench.Remove("R0"))
		wantCondition(t, inv, "R0", contract.Empty)
		if err := inv.Reread(r.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("an empty reader: %v", err)
		}
	})
}

func TestAHungCardIsNotTouchedAgainEvenOnRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		script.set("R0", failing(hung()))
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		r := wantCondition(t, inv, "R0", contract.Hung)
		must(t, inv.Reread(r.ID))
		pass(time.Hour)
		wantCondition(t, inv, "R0", contract.Hung)
		if n, _ := script.count("R0"); n != 1 {
			t.Errorf("it was read %d times", n)
		}
	})
}

func TestSixteenReadersAreReadSideBySideAndOneThatHangsDelaysNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script, all := newReads(), make(chan struct{})
		var waiting sync.WaitGroup
		waiting.Add(15)
		for n := range 15 {
			name := fmt.Sprint("R", n)
			script.set(name, func(context.Context) (*health.Card, error) {
				waiting.Done()
				<-all // each is read only once all are being read
				return &health.Card{Authenticator: contract.Authenticator{ID: "card-of-" + name}}, nil
			})
		}
		script.set("R15", forever)
		inv, bench, stop := startCards(t, 16, script, nil)
		defer stop()
		must(t, bench.Insert("R15", newCard(t, "555200000115")))
		for n := range 15 {
			must(t, bench.Insert(fmt.Sprint("R", n), newCard(t, fmt.Sprintf("5552000001%02d", n))))
		}
		waiting.Wait()
		close(all)
		for n := range 15 {
			wantCondition(t, inv, fmt.Sprint("R", n), contract.Ready)
		}
		wantCondition(t, inv, "R15", contract.Present)
		if n := len(inv.Snapshot().Authenticators); n != 15 {
			t.Errorf("%d cards are known", n)
		}
	})
}

func TestTheServiceGoesAndComesBackByItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		wantCondition(t, inv, "R0", contract.Ready)
		bench.StopService()
		synctest.Wait()
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Unavailable)
		s := inv.Snapshot()
		if s.Sources[0].State != "down" || s.Sources[0].Code != string(failure.PCSCService) || !strings.Contains(s.Sources[0].Detail, "0x8010001D") {
			t.Errorf("the source is %+v", s.Sources[0])
		}
		if len(s.Authenticators) != 0 {
			t.Errorf("its card is still known: %+v", s.Authenticators)
		}
		bench.StartService()
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Ready)
		if s := inv.Snapshot().Sources[0]; s.State != "up" || s.Code != "" {
			t.Errorf("the source is %+v", s)
		}
	})
}

func TestReadersComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, newReads(), nil)
		defer stop()
		id := wantCondition(t, inv, "R0", contract.Empty).ID
		sub := subscribe(t, inv, inv.Snapshot().ID)
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		wantCondition(t, inv, "R0", contract.Ready)
		must(t, bench.RemoveReader("R0"))
		synctest.Wait()
		if s := inv.Snapshot(); len(s.Readers) != 0 || len(s.Authenticators) != 0 {
			t.Errorf("left: %+v", s)
		}
		must(t, bench.AddReader("R0"))
		if again := wantCondition(t, inv, "R0", contract.Empty).ID; again != id {
			t.Errorf("the reader was %s and is %s", id, again)
		}
		var mine []string
		for _, e := range told(t, sub, 5) {
			if e.Subject == id {
				mine = append(mine, string(e.Type))
			}
		}
		if got := strings.Join(mine, " "); !strings.HasPrefix(got, "card.inserted reader.changed card.removed reader.removed") {
			t.Errorf("told %s", got)
		}
	})
}

// Rule 4: a reader that could not be asked is virtual until it could.
func TestAReaderThatCannotBeAskedIsVirtualAndAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		script.originErr = hung()
		inv, bench, stop := startCards(t, 1, script, func(c *CardsConfig) { c.Name, c.Virtual = "pcsc", false })
		defer stop()
		synctest.Wait() // the reader was asked when it came; the card is news
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		if r := wantCondition(t, inv, "R0", contract.Ready); r.Origin != contract.Virtual {
			t.Errorf("the reader is %s", r.Origin)
		}
		pass(24 * time.Hour)
		synctest.Wait()
		script.mu.Lock()
		if script.origins != 1+1+probeTries { // when it came, and with the card
			t.Errorf("it was asked %d times", script.origins)
		}
		script.originErr = nil
		script.mu.Unlock()

		// With the next card it is asked again, before that is read.
		sub := subscribe(t, inv, inv.Snapshot().ID)
		must(t, bench.Swap("R0", newCard(t, "555200000002")))
		if r := wantCondition(t, inv, "R0", contract.Ready); r.Origin != contract.Physical {
			t.Errorf("the reader is %s", r.Origin)
		}
		a := inv.Snapshot().Authenticators[0]
		if a.Origin != contract.Physical || strings.HasPrefix(a.Name, "virtual") {
			t.Errorf("the card is %+v", a)
		}
		for _, e := range told(t, sub, 5) {
			if e.Type == contract.AuthenticatorChanged && e.Authenticator.Origin != contract.Physical {
				t.Errorf("the card was told as %s", e.Authenticator.Origin)
			}
		}
	})
}

// What is found out late of the reader is true of the card in it as well.
func TestTheCardHasTheOriginOfItsReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		script.originErr = hung()
		inv, bench, stop := startCards(t, 1, script, func(c *CardsConfig) { c.Virtual = false })
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		wantCondition(t, inv, "R0", contract.Ready)
		script.mu.Lock()
		script.originErr = nil
		script.mu.Unlock()
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Ready)
		if a := inv.Snapshot().Authenticators[0]; a.Origin != contract.Physical || strings.HasPrefix(a.Name, "virtual") {
			t.Errorf("the card is %+v", a)
		}
	})
}

// A card that seems to have gone is not called unreadable before the watch had
// time to say that it went.
func TestACardThatWentInMidReadingIsNotCalledUnreadable(t *testing.T) {
	for _, err := range []error{
		&pcsc.ShortAnswerError{Reader: "R0"},
		&pcsc.Error{Op: "SCardTransmit", Code: pcsc.SCARD_W_REMOVED_CARD},
	} {
		bubble(t, func(t *testing.T) {
			script := newReads()
			script.set("R0", failing(err))
			inv, bench, stop := startCards(t, 1, script, nil)
			defer stop()
			must(t, bench.Insert("R0", newCard(t, "555200000001")))
			pass(400 * time.Millisecond) // as long as pcscd may take to see it
			wantCondition(t, inv, "R0", contract.Present)
			pass(time.Hour)
			wantCondition(t, inv, "R0", contract.Unreadable)
		})
	}
}

func TestReadsThatAreAskedForAllTheTimeLeaveRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		id := wantCondition(t, inv, "R0", contract.Ready).ID
		for range 1000 { // for 10 seconds
			must(t, inv.Reread(id))
			pass(10 * time.Millisecond)
			synctest.Wait()
		}
		if n, _ := script.count("R0"); n != 1+int(10*time.Second/probeGap) {
			t.Errorf("it was read %d times", n)
		}
	})
}

// One virtual card can be made to lie in two readers.
func TestTheSameCardInTwoReadersIsTwoAuthenticators(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script := newReads()
		same := func(context.Context) (*health.Card, error) {
			return &health.Card{Authenticator: contract.Authenticator{ID: "card-1"}}, nil
		}
		script.set("R0", same)
		script.set("R1", same)
		inv, bench, stop := startCards(t, 2, script, nil)
		defer stop()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		must(t, bench.Insert("R1", newCard(t, "555200000001")))
		one, two := wantCondition(t, inv, "R0", contract.Ready), wantCondition(t, inv, "R1", contract.Ready)
		a := inv.Snapshot().Authenticators
		if len(a) != 2 || a[0].ID == a[1].ID || one.Card == two.Card || one.Card == "" || two.Card == "" {
			t.Errorf("the cards are %s and %s: %+v", one.Card, two.Card, a)
		}
	})
}

func TestACardIsOfAnEnvironmentOnlyIfItsCertificatesAgree(t *testing.T) {
	name := func(cn string) pkix.Name { return pkix.Name{Organization: []string{"nhs"}, CommonName: cn} }
	certificate := func(slot piv.Slot, issuer string) piv.Certificate {
		return piv.Certificate{Slot: slot, Issuer: name(issuer), Subject: name("555200123456_Fotherington_Araminta")}
	}
	test, live := "NHS INT Authentication G2", "NHS Authentication G2"
	for _, c := range []struct{ first, second, want string }{
		{test, test, "test"}, {live, live, "live"}, {test, live, "unknown"}, {live, test, "unknown"}, {"Somebody", test, "unknown"},
	} {
		facts := cardFacts("pcsc", &piv.Card{Certificates: []piv.Certificate{
			certificate(piv.SlotAuthentication, c.first), certificate(piv.SlotSignature, c.second),
		}})
		if facts.Environment != c.want || facts.User != "555200123456" {
			t.Errorf("%s and %s: %s of %s", c.first, c.second, facts.Environment, facts.User)
		}
	}
}

func TestTheIDOfACardIsByItsIdentifierElseByItsCertificate(t *testing.T) {
	card := func(guid, sum byte) *piv.Card {
		return &piv.Card{CHUID: &piv.CHUID{GUID: piv.GUID{guid}}, Certificates: []piv.Certificate{{SHA256: [32]byte{sum}}}}
	}
	id := func(c *piv.Card) string { return cardFacts("pcsc", c).ID }
	if id(card(1, 1)) != id(card(1, 2)) || id(card(1, 1)) == id(card(2, 1)) {
		t.Error("not by its identifier")
	}
	if id(card(0, 1)) == id(card(0, 2)) || id(card(0, 1)) == "" {
		t.Error("without one, not by its certificate")
	}
	if id(&piv.Card{}) != "" {
		t.Error("with neither, it has one all the same")
	}
}

func TestThePINOfACardIsWhatTheEmptyVERIFYSaid(t *testing.T) {
	for sw, want := range map[apdu.Status]contract.PIN{
		0x9000: {State: "verified"},
		0x63C3: {State: "ok", TriesLeft: new(3)},
		0x63C0: {State: "blocked", TriesLeft: new(0)},
		0x6983: {State: "blocked", TriesLeft: new(0)},
		0x6A88: {State: "not_set"},
		0x6700: {State: "unknown"},
		0:      {State: "unknown"},
	} {
		if got := pinOfCard(piv.PINState{SW: sw}); !reflect.DeepEqual(got, want) {
			t.Errorf("%04X: %+v, want %+v", uint16(sw), got, want)
		}
	}
}
