//go:build linux && cgo

package e2e

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/inventory"
	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// A card that never answers delays no other card, no answer and no end.
func TestACardThatNeverAnswersHoldsNobodyUp(t *testing.T) {
	for _, when := range []contract.Condition{contract.Present, contract.Hung} {
		t.Run("stopped while it is "+string(when), func(t *testing.T) {
			d := pcscd.Start(t, 4) // two drivers: within one, vpcd itself would wait
			conns := pcsc.NewConnector(pcsc.Native(), pcsc.ConnectorOptions{Deadline: 3 * time.Second})
			mute, well := newCard(t, "555200000001"), newCard(t, "555200000002")
			must(t, mute.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
			b := startBridge(t, t.TempDir(), func(c *inventory.CardsConfig) { c.Connector = conns })
			b.awaitReader(d.Reader(2), contract.Empty)

			stuck := plug(t, d, 0, mute)
			b.awaitReader(d.Reader(0), contract.Present)
			awaitAPDU(t, mute)
			p := plug(t, d, 2, well)
			s := b.awaitReader(d.Reader(2), contract.Ready)
			if v := verdict(s); v.Outcome != contract.VerdictReady || v.Authenticator != readerIn(s, d.Reader(2)).Card {
				t.Errorf("beside a mute card: %+v", v)
			}

			// Whoever asks meanwhile gets an answer from memory.
			began := time.Now()
			for range 1000 {
				if len(b.inv.View().Encoded(false)) == 0 || verdict(b.inv.Snapshot()).Outcome != contract.VerdictReady {
					t.Fatal("no answer")
				}
			}
			t.Logf("1,000 snapshots and verdicts: %v", time.Since(began))
			if took := time.Since(began); took > patience/4 {
				t.Errorf("1,000 answers took %v", took)
			}

			if when == contract.Hung {
				s = b.awaitReader(d.Reader(0), contract.Hung)
				if r := readerIn(s, d.Reader(0)); r.Code != string(failure.CardHung) || r.Detail == "" || r.Card == "" {
					t.Errorf("the reader is %+v", r)
				}
				// Other cards still come and go, and are read.
				must(t, p.Close())
				b.awaitReader(d.Reader(2), contract.Empty)
				plug(t, d, 2, well)
				b.awaitReader(d.Reader(2), contract.Ready)
			}

			began = time.Now()
			b.stop()
			t.Logf("the end took %v", time.Since(began))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the end took %v, and SIGTERM has 5 s", took)
			}
			if n := mute.APDUs(); n != 1 {
				t.Errorf("a mute card got %d APDUs", n)
			}
			must(t, stuck.Close())
			must(t, conns.Close())
		})
	}
}

// awaitAPDU waits until a card was sent something.
func awaitAPDU(t *testing.T, card *vcard.Card) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for card.APDUs() == 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the card was sent nothing")
		}
	}
}

// A card that hung is read once another takes its place.
func TestAfterACardThatHungTheNextIsRead(t *testing.T) {
	d := pcscd.Start(t, 2)
	conns := pcsc.NewConnector(pcsc.Native(), pcsc.ConnectorOptions{Deadline: time.Second})
	defer func() { must(t, conns.Close()) }()
	mute := newCard(t, "555200000001")
	must(t, mute.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
	b := startBridge(t, t.TempDir(), func(c *inventory.CardsConfig) { c.Connector = conns })
	p := plug(t, d, 0, mute)
	b.awaitReader(d.Reader(0), contract.Hung)
	must(t, p.Close())
	b.awaitReader(d.Reader(0), contract.Empty)
	p = plug(t, d, 0, newCard(t, "555200000002"))
	s := b.awaitReader(d.Reader(0), contract.Ready)
	if a := s.Authenticators; len(a) != 1 || a[0].User != "555200000002" {
		t.Errorf("the authenticators are %+v", a)
	}
	must(t, p.Close())
	b.stop()
}

// As many readers as pcscd has, all with a card, and none without its events.
func TestSixteenReaders(t *testing.T) {
	const readers = 16
	d := pcscd.Start(t, readers)
	b := startBridge(t, t.TempDir())
	c := newClient(t)
	c.reach(b.inv)
	b.await("all readers", func(s *contract.Snapshot) bool { return len(s.Readers) == readers })

	rounds := scaled(1, 20)
	for range rounds {
		began := time.Now()
		plugs := make([]*vcard.Plug, readers)
		cards := make([]*vcard.Card, readers)
		for i := range plugs {
			cards[i] = newCard(t, fmt.Sprintf("5552000000%02d", i))
			plugs[i] = plug(t, d, i, cards[i])
		}
		s := b.await("16 cards", func(s *contract.Snapshot) bool { return inCondition(s, contract.Ready) == readers })
		t.Logf("16 cards read after %v", time.Since(began))
		seen := map[string]bool{}
		for i := range readers {
			r := readerIn(s, d.Reader(i))
			a := authenticatorIn(s, r.Card)
			if a == nil || a.User != fmt.Sprintf("5552000000%02d", i) || seen[a.ID] {
				t.Errorf("in %s there is %+v", r.Name, a)
				continue
			}
			seen[a.ID] = true
		}
		for i, p := range plugs {
			must(t, p.Close())
			if n := cards[i].PINTries(); n != 0 {
				t.Errorf("it cost %d PIN tries", n)
			}
		}
		b.await("no card", func(s *contract.Snapshot) bool { return inCondition(s, contract.Empty) == readers })
	}

	// pcscd crashes while all are being read. Readers that are all taken leave
	// no room for the call to be told of one more, or of one less; that they go
	// and come must be noticed all the same.
	crashes := scaled(2, 20)
	plugs := make([]*vcard.Plug, readers)
	for i := range plugs {
		plugs[i] = plug(t, d, i, newCard(t, fmt.Sprintf("5552000000%02d", i)))
	}
	for range crashes {
		b.await("a card", func(s *contract.Snapshot) bool { return inCondition(s, contract.Empty) < readers })
		d.Kill()
		b.awaitSource("down")
		d.Restart()
		b.awaitSource("up")
	}
	b.await("16 cards after the crashes", func(s *contract.Snapshot) bool { return inCondition(s, contract.Ready) == readers })
	for _, p := range plugs {
		must(t, p.Close())
	}
	b.await("no card", func(s *contract.Snapshot) bool { return inCondition(s, contract.Empty) == readers })

	b.end()
	must(t, c.end())
	moves := map[string]int{}
	inside := map[string]bool{}
	for _, e := range c.events {
		switch e.Type {
		case contract.CardInserted, contract.CardRemoved:
			if inside[e.Subject] == (e.Type == contract.CardInserted) {
				t.Errorf("event %s: %s out of order", e.ID, e.Text)
			}
			inside[e.Subject] = e.Type == contract.CardInserted
			moves[e.Subject]++
		default:
		}
	}
	for i := range readers {
		r := readerIn(b.inv.Snapshot(), d.Reader(i))
		// A crash may come before a card is noticed.
		if least, most := 2*(rounds+1), 2*(rounds+1+crashes); moves[r.ID] < least || moves[r.ID] > most || moves[r.ID]%2 != 0 {
			t.Errorf("%s: %d insertions and removals, want %d to %d", r.Name, moves[r.ID], least, most)
		}
	}
	b.stop()
}

func inCondition(s *contract.Snapshot, c contract.Condition) int {
	n := 0
	for i := range s.Readers {
		if s.Readers[i].Condition == c {
			n++
		}
	}
	return n
}

// A pcscd that is there and answers nothing freezes every PC/SC call of the
// process. What is known stays known, the end does not wait for it, and when it
// answers again all is as before, with the card where it was.
func TestAServiceThatIsFrozenHoldsNobodyUpAndIsForgiven(t *testing.T) {
	for _, ends := range []bool{true, false} {
		name := "forgiven"
		if ends {
			name = "ended while it is frozen"
		}
		t.Run(name, func(t *testing.T) {
			d := pcscd.Start(t, 2)
			conns := pcsc.NewConnector(pcsc.Native(), pcsc.ConnectorOptions{Deadline: time.Second})
			card := newCard(t, "555200000001")
			b := startBridge(t, t.TempDir(), func(c *inventory.CardsConfig) { c.Connector = conns })
			plug(t, d, 0, card)
			s := b.awaitReader(d.Reader(0), contract.Ready)
			a := s.Authenticators[0]

			must(t, syscall.Kill(d.PID(), syscall.SIGSTOP))
			thaw := sync.OnceFunc(func() { _ = syscall.Kill(d.PID(), syscall.SIGCONT) })
			defer thaw()
			must(t, b.inv.Reread(a.ID))
			if source := b.awaitSource("down"); source.Code != string(failure.PCSCService) || source.Detail == "" {
				t.Errorf("the source is %+v", source)
			}
			if v := verdict(b.inv.Snapshot()); v.Outcome == contract.VerdictReady {
				t.Errorf("with a frozen service: %+v", v)
			}
			if !ends {
				thaw()
				b.awaitSource("up")
				s = b.await("the read that was asked for", func(s *contract.Snapshot) bool {
					return authenticatorIn(s, a.ID).ReadAt.After(a.ReadAt)
				})
				if v := verdict(s); v.Outcome != contract.VerdictReady {
					t.Errorf("after that: %+v", v)
				}
			}
			began := time.Now()
			b.stop()
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the end took %v, and SIGTERM has 5 s", took)
			}
			thaw()
			must(t, conns.Close())
			if n := card.PINTries(); n != 0 {
				t.Errorf("it cost %d PIN tries", n)
			}
		})
	}
}
