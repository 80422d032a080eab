package ceremony

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// kinds are the sorts of cards that there are when a lease ends.
var kinds = map[string]struct {
	faults []vcard.Fault
	resets bool
}{
	"by SP 800-73-4":                   {},
	"without P1=FF":                    {faults: []vcard.Fault{{Name: vcard.FaultNoLogout}}},
	"that keeps its PIN until a reset": {faults: []vcard.Fault{{Name: vcard.FaultNoLogout}, {Name: vcard.FaultPINKept}}, resets: true},
}

// A lease ends cleanly: after one with a PIN, another program's empty VERIFY
// answers 63Cx, on cards of all sorts.
func TestAfterALeaseAnotherProgramsEmptyVerifyTellsTheTries(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := elliptic
			config.faults = kind.faults
			d := newTable(t, config)
			d.signs(d.request(rightPIN))
			if !d.emptyVerify().Verified() {
				t.Fatal("the card is not verified in the lease")
			}
			remarks := d.c.Close(soon(t), "lease-1", contract.EndReleased)
			if state := d.emptyVerify(); state.SW != 0x63C3 {
				t.Errorf("the empty VERIFY answers %s", state.SW)
			}
			if reset := len(remarks) == 1 && strings.Contains(remarks[0], "reset"); reset != kind.resets || len(remarks) > 1 {
				t.Errorf("remarks: %q", remarks)
			}
			d.holdsPINs(1)
			if len(d.kept.traces) != 0 {
				t.Errorf("traces are left: %+v", d.kept.traces)
			}
			// The next lease begins as if nothing had been.
			must(t, d.c.Open(soon(t), d.grant))
			d.signs(d.request(rightPIN))
			d.holdsPINs(2)
		})
	}
}

// So it does when the daemon was killed in the lease, and the lease ended with
// it or later.
func TestAfterARestartALeaseEndsAsCleanly(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := elliptic
			config.faults = kind.faults
			d := newTable(t, config)
			d.signs(d.request(rightPIN))
			d.dies()
			if !d.card.Verified() {
				t.Fatal("the card is not verified any more")
			}
			d.start()
			remarks := d.c.Close(soon(t), "lease-1", contract.EndRestart)
			if state := d.emptyVerify(); state.SW != 0x63C3 || (len(remarks) == 1) != kind.resets {
				t.Errorf("the empty VERIFY answers %s, remarks: %q", state.SW, remarks)
			}
		})
	}
}

// At the start of a daemon a card is not gone because nobody has looked yet, nor
// while it is being read.
func TestACardThatWasNotSeenYetIsWaitedForAndLeft(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newTable(t, elliptic)
		d.signs(d.request(rightPIN))
		d.dies()
		d.change(func() { d.there, d.sources = false, []contract.Source{{Name: "pcsc", State: "starting"}} })
		d.start()
		closed := make(chan []string)
		go func() { closed <- d.c.Close(soon(t), "lease-1", contract.EndRestart) }()
		synctest.Wait()
		d.change(func() {
			d.sources, d.readers = []contract.Source{{Name: "pcsc", State: "up"}}, []contract.Reader{{Name: "R0", Condition: contract.Present}}
		})
		synctest.Wait()
		d.change(func() {
			d.there, d.readers = true, []contract.Reader{{Name: "R0", Condition: contract.Ready, Card: card1}}
		})
		if remarks := <-closed; len(remarks) != 0 {
			t.Errorf("remarks: %q", remarks)
		}
		if state := d.emptyVerify(); state.SW != 0x63C3 {
			t.Errorf("the empty VERIFY answers %s", state.SW)
		}
	})
}

// One that does not come keeps nobody waiting longer than the looking does.
func TestACardThatDoesNotComeAfterARestartIsGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newTable(t, elliptic)
		d.signs(d.request(rightPIN))
		d.dies()
		d.change(func() { d.there, d.sources = false, []contract.Source{{Name: "pcsc", State: "starting"}} })
		d.start()
		closed := make(chan []string)
		go func() { closed <- d.c.Close(soon(t), "lease-1", contract.EndRestart) }()
		synctest.Wait()
		began := time.Now()
		d.change(func() { d.sources = []contract.Source{{Name: "pcsc", State: "down"}} })
		if remarks := <-closed; len(remarks) != 0 || len(d.kept.traces) != 0 || time.Since(began) != 0 {
			t.Errorf("remarks: %q, traces: %+v, after %v", remarks, d.kept.traces, time.Since(began))
		}
	})
}

// A lease that outlives a restart goes on: what was opened in it is closed, so
// that the tries can be read, and opened anew.
func TestALeaseThatOutlivesARestartSignsOn(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	d.signs(d.request(rightPIN))
	d.dies()
	d.start()
	d.signs(d.request(rightPIN))
	d.holdsPINs(2)
	d.c.Close(soon(t), "lease-1", contract.EndReleased)
	if state := d.emptyVerify(); state.SW != 0x63C3 {
		t.Errorf("the empty VERIFY answers %s", state.SW)
	}
}

func TestACardThatGotNoPINInTheLeaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	d.verifyElsewhere()
	d.refuses(d.request(rightPIN), failure.PINTriesUnknown)
	before := d.card.APDUs()
	if remarks := d.c.Close(soon(t), "lease-1", contract.EndReleased); len(remarks) != 0 {
		t.Errorf("remarks: %q", remarks)
	}
	if d.card.APDUs() != before || !d.card.Verified() {
		t.Errorf("%d APDUs, verified: %v", d.card.APDUs()-before, d.card.Verified())
	}
	// Nor is one of which a trace is of another card or of a key.
	remarks, err := d.c.leaveCard(soon(t), d.grant, []store.Trace{{Authenticator: "card-2", Verified: true}, {Authenticator: card1, RPID: "localhost"}})
	if err != nil || len(remarks) != 0 || d.card.APDUs() != before {
		t.Errorf("%v, remarks %q, %d APDUs", err, remarks, d.card.APDUs()-before)
	}
}

// After a wrong PIN, or none that was answered, there is nothing to close.
func TestACardWithoutPowerHasForgotten(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	d.signs(d.request(rightPIN))
	d.pull()
	if remarks := d.c.Close(soon(t), "lease-1", contract.EndReleased); len(remarks) != 0 || len(d.kept.traces) != 0 {
		t.Errorf("remarks: %q, traces: %+v", remarks, d.kept.traces)
	}
	d.insert()
	must(t, d.c.Open(soon(t), d.grant))
	d.refuses(d.request(wrongPIN), failure.PINRefused)
	if remarks := d.c.Close(soon(t), "lease-1", contract.EndReleased); len(remarks) != 0 {
		t.Errorf("remarks: %q", remarks)
	}
	if slices.ContainsFunc(d.card.Log(), func(e vcard.Exchange) bool { return e.Command[1] == 0x20 && e.Command[2] == 0xFF }) {
		t.Error("a card that was not verified was told to be so no more")
	}
}

// A card that is pulled, or hangs, while it is left keeps nobody waiting.
func TestLeavingACardIsBounded(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 4; n++ {
		d := newTable(t, elliptic)
		d.signs(d.request(rightPIN))
		must(t, d.bench.PullDuring("R0", n))
		if remarks := d.c.Close(soon(t), "lease-1", contract.EndReleased); len(remarks) != 0 {
			t.Errorf("pulled during command %d: %q", n, remarks)
		}
	}
	bubble(t, func(t *testing.T) {
		d := newTable(t, elliptic)
		d.signs(d.request(rightPIN))
		must(t, d.card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
		began := time.Now()
		remarks := d.c.Close(soon(t), "lease-1", contract.EndReleased)
		if len(remarks) != 1 || len(d.kept.traces) != 1 || time.Since(began) > leaving {
			t.Errorf("remarks: %q, traces: %+v, after %v", remarks, d.kept.traces, time.Since(began))
		}
		d.card.ClearFaults()
		synctest.Wait()
		// What was left undone the next daemon does, by the same traces.
		remarks, err := d.c.leaveCard(soon(t), d.grant, d.kept.traces)
		if state := d.emptyVerify(); err != nil || len(remarks) != 0 || state.SW != 0x63C3 {
			t.Errorf("%v, remarks %q, the empty VERIFY answers %s", err, remarks, state.SW)
		}
	})
}

// Another program that holds the card loses nothing but by a reset, and is told
// of that.
func TestOnlyAResetIsFeltByOthers(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := elliptic
			config.faults = kind.faults
			d := newTable(t, config)
			d.signs(d.request(rightPIN))
			other, err := d.connector.Open(soon(t), "R0")
			must(t, err)
			defer other.Close()
			d.c.Close(soon(t), "lease-1", contract.EndReleased)
			_, err = other.Transmit(soon(t), []byte{0x00, 0xA4, 0x04, 0x00, 0x00})
			code, _ := pcsc.CodeOf(err)
			if (code == pcsc.SCARD_W_RESET_CARD) != kind.resets {
				t.Errorf("it gets %v", err)
			}
		})
	}
}
