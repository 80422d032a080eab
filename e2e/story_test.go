//go:build linux && cgo

package e2e

import (
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/e2e/pcscd"
)

// A card comes, goes, and comes back after its service has crashed; nobody
// touches the bridge.
func TestPCSCStory(t *testing.T) {
	d := pcscd.Start(t, 2)
	b := startBridge(t, t.TempDir())
	name := d.Reader(0)
	s := b.awaitReader(name, contract.Empty)
	if v := verdict(s); v.Outcome != contract.VerdictNotReady {
		t.Errorf("without a card: %+v", v)
	}

	card := newCard(t, "555200123456")
	began := time.Now()
	p := plug(t, d, 0, card)
	s = b.awaitReader(name, contract.Ready)
	t.Logf("from the card's connection to ready: %v", time.Since(began))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v, and who asks for readiness waits 10 s", took)
	}
	v := verdict(s)
	if v.Outcome != contract.VerdictReady || v.Origin != contract.Virtual || v.Authenticator == "" {
		t.Fatalf("with the card: %+v", v)
	}
	a := authenticatorIn(s, v.Authenticator)
	if a.User != "555200123456" || a.PIN.State != "ok" || len(a.Checks) == 0 {
		t.Errorf("the card is %+v", a)
	}
	for _, c := range a.Checks {
		if c.Evidence == "" {
			t.Errorf("check %s is %s without evidence", c.Code, c.State)
		}
		if c.State == contract.Fail {
			t.Errorf("check %s fails: %s", c.Code, c.Evidence)
		}
	}

	must(t, p.Close())
	s = b.awaitReader(name, contract.Empty)
	v = verdict(s)
	if v.Outcome != contract.VerdictNotReady || !says(v.Checks, failure.NoAuthenticator) {
		t.Errorf("without it again: %+v", v)
	}

	p = plug(t, d, 0, card)
	b.awaitReader(name, contract.Ready)
	d.Kill()
	if source := b.awaitSource("down"); source.Code != string(failure.PCSCService) || source.Detail == "" {
		t.Errorf("with pcscd killed the source is %+v", source)
	}
	s = b.awaitReader(name, contract.Unavailable)
	if v = verdict(s); v.Outcome != contract.VerdictNotReady {
		t.Errorf("with pcscd killed: %+v", v)
	}
	// What a pcscd that is gone means for the machine is shown after a while,
	// so that a restart is no alarm.
	s = b.await("the service's check", func(s *contract.Snapshot) bool { return says(s.Checks, failure.PCSCService) })
	if v = verdict(s); v.Outcome != contract.VerdictNotReady || !says(v.Checks, failure.PCSCService) {
		t.Errorf("with pcscd killed: %+v", v)
	}

	d.Restart()
	b.awaitSource("up")
	s = b.awaitReader(name, contract.Ready)
	if v = verdict(s); v.Outcome != contract.VerdictReady || v.Authenticator != a.ID {
		t.Errorf("with pcscd back: %+v", v)
	}
	if n := card.PINTries(); n != 0 {
		t.Errorf("it cost %d PIN tries", n)
	}
	must(t, p.Close())
	b.awaitReader(name, contract.Empty)
}

// says is whether a check has failed, with evidence and remedy.
func says(checks []contract.Check, code failure.Code) bool {
	for _, c := range checks {
		if c.Code == string(code) {
			return c.State == contract.Fail && c.Evidence != "" && c.Remedy != ""
		}
	}
	return false
}

// A pcscd that ends in order takes its readers with it one by one, which looks
// like somebody unplugging them. Each card is told as gone once, and as back
// once.
func TestAnOrderlyEndOfPcscdIsToldOnce(t *testing.T) {
	d := pcscd.Start(t, 2)
	b := startBridge(t, t.TempDir())
	c := newClient(t)
	c.reach(b.inv)
	p := plug(t, d, 0, newCard(t, "555200123456"))
	b.awaitReader(d.Reader(0), contract.Ready)
	rounds := scaled(2, 50)
	for range rounds {
		d.Stop()
		b.awaitSource("down")
		b.await("no card", func(s *contract.Snapshot) bool { return len(s.Authenticators) == 0 })
		d.Restart()
		b.awaitSource("up")
		b.awaitReader(d.Reader(0), contract.Ready)
		b.awaitReader(d.Reader(1), contract.Empty)
	}
	must(t, p.Close())
	b.awaitReader(d.Reader(0), contract.Empty)
	b.end()
	must(t, c.end())
	b.stop()

	var cards []contract.EventType
	there := map[string]bool{} // readers
	for _, e := range c.events {
		switch e.Type {
		case contract.CardInserted, contract.CardRemoved:
			cards = append(cards, e.Type)
			if !there[e.Subject] {
				t.Errorf("event %s: %s of a reader that is not there", e.ID, e.Type)
			}
		case contract.ReaderAdded, contract.ReaderRemoved:
			added := e.Type == contract.ReaderAdded
			if there[e.Subject] == added {
				t.Errorf("event %s: %s out of order", e.ID, e.Type)
			}
			there[e.Subject] = added
		default:
		}
	}
	if len(cards) != 2*(rounds+1) {
		t.Errorf("%d insertions and removals, want %d: %v", len(cards), 2*(rounds+1), cards)
	}
	for i, kind := range cards {
		if want := []contract.EventType{contract.CardInserted, contract.CardRemoved}[i%2]; kind != want {
			t.Errorf("number %d is %s", i, kind)
		}
	}
}
