//go:build linux && cgo

package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/inventory"
	"authbridge/e2e/pcscd/hotplug"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"

	"go.uber.org/goleak"
)

// readerOn is the reader that was plugged in as number n, nil if it is not there.
func readerOn(s *contract.Snapshot, m *hotplug.Machine, n int) *contract.Reader {
	for i := range s.Readers {
		if strings.HasPrefix(s.Readers[i].Name, m.Reader(n)+" ") {
			return &s.Readers[i]
		}
	}
	return nil
}

func (b *bridge) awaitOn(m *hotplug.Machine, n int, conditions ...contract.Condition) *contract.Snapshot {
	b.t.Helper()
	return b.await(fmt.Sprintf("%s to be %v", m.Reader(n), conditions), func(s *contract.Snapshot) bool {
		r := readerOn(s, m, n)
		return r != nil && slices.Contains(conditions, r.Condition)
	})
}

func (b *bridge) awaitOff(m *hotplug.Machine, n int) *contract.Snapshot {
	b.t.Helper()
	return b.await(m.Reader(n)+" to go", func(s *contract.Snapshot) bool { return readerOn(s, m, n) == nil })
}

func plugOn(t testing.TB, m *hotplug.Machine, n int, card *vcard.Card) *vcard.Plug {
	t.Helper()
	p, err := vcard.PlugVPCD(t.Context(), m.Addr(n), card)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// moves are the comings and goings of reader n and its cards, as a client was
// told.
func moves(events []contract.Event, m *hotplug.Machine, n int) []contract.EventType {
	ids := map[string]bool{}
	var told []contract.EventType
	for _, e := range events {
		if e.Reader != nil && strings.HasPrefix(e.Reader.Name, m.Reader(n)+" ") {
			ids[e.Subject] = true
		}
		switch e.Type {
		case contract.ReaderAdded, contract.ReaderRemoved, contract.CardInserted, contract.CardRemoved:
			if ids[e.Subject] {
				told = append(told, e.Type)
			}
		default:
		}
	}
	return told
}

// finish ends the bridge and its client.
func finish(t *testing.T, b *bridge, c *client) {
	t.Helper()
	b.end()
	must(t, c.end())
	b.stop()
}

// A reader that is plugged in and unplugged is told as added and as removed,
// once each time, and another reader's card notices nothing.
func TestReadersThatArePluggedInAndUnplugged(t *testing.T) {
	m := hotplug.Start(t)
	b := startBridge(t, t.TempDir())
	c := newClient(t)
	c.reach(b.inv)
	m.Plug(1)
	b.awaitOn(m, 1, contract.Empty)
	staying := newCard(t, "555200000001")
	plugOn(t, m, 1, staying)
	s := b.awaitOn(m, 1, contract.Ready)
	card := s.Authenticators[0]
	apdus := staying.APDUs()

	rounds := scaled(20, 200)
	var want []contract.EventType
	for range rounds {
		m.Plug(2)
		b.awaitOn(m, 2, contract.Empty)
		m.Unplug(2)
		s = b.awaitOff(m, 2)
		if v := verdict(s); v.Outcome != contract.VerdictReady || v.Authenticator != card.ID {
			t.Fatalf("beside a reader that went: %+v", v)
		}
		want = append(want, contract.ReaderAdded, contract.ReaderRemoved)
	}
	finish(t, b, c)
	if got := moves(c.events, m, 2); !slices.Equal(got, want) {
		t.Errorf("of the reader that came and went %d times: %v", rounds, got)
	}
	if got := moves(c.events, m, 1); !slices.Equal(got, []contract.EventType{contract.ReaderAdded, contract.CardInserted}) {
		t.Errorf("of the reader that stayed: %v", got)
	}
	became := false
	for _, e := range c.events {
		if a := e.Authenticator; a != nil && a.ID == card.ID {
			if became && a.Condition != contract.Ready {
				t.Errorf("the card that stayed became %s (%s)", a.Condition, a.Detail)
			}
			became = became || a.Condition == contract.Ready
		}
		if e.Type == contract.AuthenticatorGone {
			t.Errorf("gone: %s", e.Text)
		}
		if e.Source != nil && e.Source.State == "down" {
			t.Errorf("the service is told to be down: %s", e.Source.Detail)
		}
	}
	if n := staying.APDUs(); n != apdus {
		t.Errorf("the card that stayed was sent %d APDUs more", n-apdus)
	}
}

// A reader that is unplugged in the middle of an APDU takes its card with it,
// whether the card ever answers or not, and leaves nothing behind.
func TestAReaderThatIsUnpluggedInMidAPDU(t *testing.T) {
	m := hotplug.Start(t)
	conns := pcsc.NewConnector(pcsc.Native(), pcsc.ConnectorOptions{Deadline: time.Minute})
	folder := t.TempDir()
	b := startBridge(t, folder, func(c *inventory.CardsConfig) { c.Connector = conns })
	c := newClient(t)
	c.reach(b.inv)
	b.awaitSource("up")
	goroutines, descriptors := goleak.IgnoreCurrent(), openDescriptors(t, folder) // that to pcscd among them
	var want []contract.EventType
	for round := range scaled(6, 50) {
		mute := newCard(t, "555200000001")
		must(t, mute.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
		m.Plug(1)
		b.awaitOn(m, 1, contract.Empty)
		p := plugOn(t, m, 1, mute)
		b.awaitOn(m, 1, contract.Present)
		awaitAPDU(t, mute)
		if round%2 == 1 {
			// The transfer fails a while before udev says why.
			m.Cut(1)
			s := b.awaitOn(m, 1, contract.Unavailable)
			if r := readerOn(s, m, 1); r.Code != string(failure.ReaderDriver) || r.Detail == "" || r.Card != "" {
				t.Errorf("the reader that fails is %+v", r)
			}
			if v := verdict(s); v.Outcome != contract.VerdictNotReady {
				t.Errorf("with a reader that fails: %+v", v)
			}
		}
		m.Unplug(1)
		s := b.awaitOff(m, 1)
		if len(s.Authenticators) != 0 {
			t.Errorf("left: %+v", s.Authenticators)
		}
		if v := verdict(s); v.Outcome != contract.VerdictNotReady || !says(v.Checks, failure.NoAuthenticator) {
			t.Errorf("without a reader: %+v", v)
		}
		must(t, p.Close())
		if hung := conns.Hung(); len(hung) != 0 {
			t.Errorf("hung: %v", hung)
		}

		// The same reader with a card that answers.
		m.Plug(1)
		b.awaitOn(m, 1, contract.Empty)
		p = plugOn(t, m, 1, newCard(t, "555200000002"))
		if s = b.awaitOn(m, 1, contract.Ready); s.Authenticators[0].User != "555200000002" {
			t.Errorf("there is %+v", s.Authenticators)
		}
		m.Unplug(1)
		b.awaitOff(m, 1)
		must(t, p.Close())
		for range 2 {
			want = append(want, contract.ReaderAdded, contract.CardInserted, contract.CardRemoved, contract.ReaderRemoved)
		}
	}
	awaitDescriptors(t, descriptors, folder)
	finish(t, b, c)
	if got := moves(c.events, m, 1); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	must(t, conns.Close())
	if err := goleak.Find(goroutines); err != nil {
		t.Error(err)
	}
}

// Readers are moved faster than pcscd follows, with cards in them or being read:
// what is told has an order, and in the end is what is there.
func TestReadersThatAreMovedFasterThanAnybodyLooks(t *testing.T) {
	const readers = 4
	m := hotplug.Start(t)
	b := startBridge(t, t.TempDir())
	c := newClient(t)
	c.reach(b.inv)
	cards := make([]*vcard.Card, readers+1)
	for n := 1; n <= readers; n++ {
		cards[n] = newCard(t, fmt.Sprintf("55520000000%d", n))
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same moves each time
	in, plugs := map[int]bool{}, map[int]*vcard.Plug{}
	for move := range scaled(80, 1000) {
		n := 1 + random.IntN(readers)
		switch {
		case !in[n]:
			// pcscd holds on to a reader that went for as long as a program's
			// call is in it, and refuses one of the same name meanwhile.
			b.awaitOff(m, n)
			m.Plug(n)
			in[n] = true
		case plugs[n] == nil && random.IntN(3) > 0:
			// Its slot is there once pcscd has it; a reader that goes
			// before that never is.
			b.awaitOn(m, n, contract.Empty)
			plugs[n] = plugOn(t, m, n, cards[n])
		default:
			m.Unplug(n)
			in[n] = false
			if plugs[n] != nil {
				must(t, plugs[n].Close())
				delete(plugs, n)
			}
		}
		if move%3 < 2 {
			continue
		}
		// The queue of udev's events is short, and pcscd takes one after the
		// other: with this one seen, all are.
		if in[n] {
			b.awaitOn(m, n, contract.Empty, contract.Present, contract.Ready)
		} else {
			b.awaitOff(m, n)
		}
	}
	for n := 1; n <= readers; n++ {
		switch {
		case !in[n]:
			b.awaitOff(m, n)
		case plugs[n] == nil:
			b.awaitOn(m, n, contract.Empty)
		default:
			b.awaitOn(m, n, contract.Ready)
		}
	}
	finish(t, b, c)
	for n := 1; n <= readers; n++ {
		told := moves(c.events, m, n)
		there, card := false, false
		for i, e := range told {
			ok := there
			switch e {
			case contract.ReaderAdded:
				ok, there = !there, true
			case contract.ReaderRemoved:
				ok, there = there && !card, false
			case contract.CardInserted:
				ok, card = there && !card, true
			case contract.CardRemoved:
				ok, card = there && card, false
			default:
			}
			if !ok {
				t.Errorf("of reader %d number %d is out of order: %v", n, i, told)
				break
			}
		}
		if there != in[n] || card != (plugs[n] != nil) {
			t.Errorf("reader %d is told to be there: %v, its card: %v", n, there, card)
		}
		if tries := cards[n].PINTries(); tries != 0 {
			t.Errorf("it cost %d PIN tries", tries)
		}
	}
}

// A reader is USB as far as the service knows: its driver names bus and
// address. What counts is what the machine's own sysfs says of these.
func TestAUSBReaderThatTheMachineDoesNotHaveIsVirtual(t *testing.T) {
	m := hotplug.Start(t)
	b := startBridge(t, t.TempDir())
	m.Plug(3)
	s := b.awaitOn(m, 3, contract.Empty)
	name := readerOn(s, m, 3).Name
	if o := readerOn(s, m, 3).Origin; o != contract.Virtual {
		t.Errorf("the inventory says %s", o)
	}
	for sysfs, want := range map[string]bool{"": true, m.Sysfs(): false} { // so it is this that decides
		conns := pcsc.NewConnector(pcsc.Native(), pcsc.ConnectorOptions{Sysfs: sysfs})
		o, err := conns.Origin(t.Context(), name)
		if err != nil || o.Virtual != want || o.Why == "" {
			t.Errorf("with sysfs %q: %+v, %v", sysfs, o, err)
		}
		must(t, conns.Close())
	}
	b.stop()
}
