package vcard_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// place is a PC/SC service with an empty reader, and the hands at it.
type place struct {
	pcsc.System
	reader  string
	insert  func(*vcard.Card)
	remove  func()
	pull    func(n int) // during the n-th APDU
	stop    func()
	restart func()
}

func inProcess(t *testing.T) place {
	const reader = "Virtual reader 0"
	bench := vcard.NewBench()
	t.Cleanup(func() { _ = bench.Close() })
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(bench.AddReader(reader))
	return place{
		System:  bench,
		reader:  reader,
		insert:  func(c *vcard.Card) { do(bench.Insert(reader, c)) },
		remove:  func() { do(bench.Remove(reader)) },
		pull:    func(n int) { do(bench.PullDuring(reader, n)) },
		stop:    bench.StopService,
		restart: bench.StartService,
	}
}

func throughPCSCD(t *testing.T) place {
	d := pcscd.Start(t, 2)
	var p *vcard.Plug
	return place{
		System: pcsc.Native(),
		reader: d.Reader(0),
		insert: func(c *vcard.Card) { p = plug(t, d, c) },
		remove: func() { _ = p.Close() },
		pull:   func(n int) { p.PullDuring(n) },
		stop:   d.Kill,
		restart: func() {
			d.Restart()
			if p == nil {
				return
			}
			if err := p.Seen(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// One suite, two openers: what a program sees of a card in process is what it
// sees of the same card in a real pcscd.
func TestConformance(t *testing.T) {
	for name, open := range map[string]func(*testing.T) place{"in process": inProcess, "pcscd": throughPCSCD} {
		t.Run(name, func(t *testing.T) {
			if name == "pcscd" {
				pcscd.Need(t)
				if _, err := pcsc.Native().Establish(); errors.Is(err, pcsc.ErrNotBuilt) {
					t.Skip(err)
				}
			}
			for test, run := range conformance {
				t.Run(test, func(t *testing.T) { run(t, open(t)) })
			}
		})
	}
}

var conformance = map[string]func(*testing.T, place){
	"a card is seen to come and go": func(t *testing.T, p place) {
		card := newCard(t, amy)
		w := watch(t, p)
		before := w.until(pcsc.StateEmpty)
		p.insert(card)
		in := w.until(pcsc.StatePresent)
		if !bytes.Equal(in.ATR, card.ATR()) || in.Event.Counter() != before.Event.Counter()+1 {
			t.Errorf("inserted: ATR % X, counter %d after %d", in.ATR, in.Event.Counter(), before.Event.Counter())
		}
		p.remove()
		if out := w.until(pcsc.StateEmpty); out.Event.Counter() != before.Event.Counter()+2 || len(out.ATR) != 0 {
			t.Errorf("removed: counter %d after %d, ATR % X", out.Event.Counter(), before.Event.Counter(), out.ATR)
		}
	},
	"a quick swap is two events": func(t *testing.T, p place) {
		card, twin := newCard(t, amy), newCard(t, amy)
		w := watch(t, p)
		w.until(pcsc.StateEmpty)
		p.insert(card)
		in := w.until(pcsc.StatePresent)
		// In use: just after an insertion pcscd powers an unused card down,
		// and vpcd takes the failure of that for a removal that it tells
		// nobody.
		open(t, p, pcsc.ShareShared).want(0x9000, selectPIV)
		p.remove()
		p.insert(twin)
		for w.last.Event.Counter() != in.Event.Counter()+2 {
			w.next()
		}
	},
	"certificates are read whole": func(t *testing.T, p place) {
		card := newCard(t, vcard.Profile{User: "555212345678", Surname: "Pond", Forename: "Amy"})
		c := connect(t, p, card)
		c.want(0x9000, selectPIV)
		for command, slot := range map[string]vcard.Slot{"00CB3FFF0000055C035FC1050000": vcard.SlotAuthentication, "00CB3FFF0000055C035FC10A0000": vcard.SlotSignature} {
			if got := c.want(0x9000, command); !bytes.Contains(got, card.Certificate(slot).Raw) {
				t.Errorf("slot %s: %d octets without the certificate", slot, len(got))
			}
		}
		if got := c.want(0x6100, "00CB3FFF055C035FC10500"); len(got) != 256 {
			t.Errorf("%d octets come before 6100, want 256", len(got))
		}
	},
	"PIN tries are counted by the card": func(t *testing.T, p place) {
		card := newCard(t, amy)
		c := connect(t, p, card)
		c.want(0x9000, selectPIV)
		c.want(0x63C3, verifyEmpty)
		if card.PINTries() != 0 {
			t.Error("an empty VERIFY counts as a try")
		}
		c.want(0x63C2, verifyWrong)
		c.want(0x63C2, verifyEmpty)
		c.want(0x9000, verifyRight)
		if n := card.PINTries(); n != 2 || card.PINTriesLeft() != 3 {
			t.Errorf("%d tries counted, %d left", n, card.PINTriesLeft())
		}
	},
	"a card left alone stays verified for the next": func(t *testing.T, p place) {
		c := connect(t, p, newCard(t, amy))
		c.want(0x9000, selectPIV)
		c.want(0x9000, verifyRight)
		other := c.another(pcsc.ShareShared)
		c.disconnect(pcsc.LeaveCard)
		other.want(0x9000, verifyEmpty)
	},
	"a reset ends the verification and others are told": func(t *testing.T, p place) {
		c := connect(t, p, newCard(t, amy))
		other := c.another(pcsc.ShareShared)
		c.want(0x9000, selectPIV)
		c.want(0x9000, verifyRight)
		c.disconnect(pcsc.ResetCard)
		other.fails(pcsc.SCARD_W_RESET_CARD, verifyEmpty)
		other.disconnect(pcsc.LeaveCard)
		again := other.another(pcsc.ShareShared)
		again.want(0x9000, selectPIV)
		again.want(0x63C3, verifyEmpty)
	},
	"a transaction keeps others out": func(t *testing.T, p place) {
		card := newCard(t, amy)
		c := connect(t, p, card)
		other := c.another(pcsc.ShareShared)
		c.want(0x9000, selectPIV)
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		var g sync.WaitGroup
		begun := make(chan struct{})
		g.Go(func() {
			close(begun)
			if answer, err := other.Transmit(unhex(t, "00CB3FFF035C017E00")); err != nil || len(answer) < 3 {
				t.Errorf("the other: % X, %v", answer, err)
			}
		})
		<-begun
		for range 20 {
			c.want(0x63C3, verifyEmpty)
		}
		if err := c.EndTransaction(pcsc.LeaveCard); err != nil {
			t.Fatal(err)
		}
		g.Wait()
		log := card.Log()
		if last := log[len(log)-1]; last.Command[1] != 0xCB {
			t.Errorf("the last APDU is % X, the other's should be", last.Command)
		}
		if err := c.EndTransaction(pcsc.LeaveCard); err == nil {
			t.Error("a transaction was ended twice")
		}
	},
	"sharing": func(t *testing.T, p place) {
		w := watch(t, p)
		p.insert(newCard(t, amy))
		if free := w.until(pcsc.StatePresent); free.Event&(pcsc.StateInUse|pcsc.StateExclusive) != 0 {
			t.Errorf("nobody has it: %x", free.Event)
		}
		c := open(t, p, pcsc.ShareShared)
		if shared := w.now(); !shared.Event.Has(pcsc.StateInUse) {
			t.Errorf("shared: %x", shared.Event)
		}
		c.refused(pcsc.ShareExclusive, pcsc.SCARD_E_SHARING_VIOLATION)
		c.disconnect(pcsc.LeaveCard)
		alone := open(t, p, pcsc.ShareExclusive)
		if exclusive := w.now(); !exclusive.Event.Has(pcsc.StateExclusive) {
			t.Errorf("exclusive: %x", exclusive.Event)
		}
		alone.refused(pcsc.ShareShared, pcsc.SCARD_E_SHARING_VIOLATION)
		alone.want(0x9000, selectPIV)
	},
	"a card pulled in mid-APDU answers nothing": func(t *testing.T, p place) {
		card := newCard(t, amy)
		w := watch(t, p)
		w.now()
		c := connect(t, p, card)
		c.want(0x9000, selectPIV)
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		p.pull(2)
		c.want(0x63C3, verifyEmpty)
		if answer, err := c.Transmit(unhex(t, chuid)); err == nil && len(answer) >= 2 {
			t.Errorf("a pulled card answers % X", answer)
		}
		if answer, err := c.Transmit(unhex(t, chuid)); err == nil {
			t.Errorf("a card that is gone answers % X", answer)
		}
		w.until(pcsc.StateEmpty)
		c.refused(pcsc.ShareShared, pcsc.SCARD_E_NO_SMARTCARD)
		if n := card.APDUs(); n != 3 {
			t.Errorf("the card got %d APDUs, want 3", n)
		}
	},
	"a card pulled while it signs answers nothing": func(t *testing.T, p place) {
		card := newCard(t, amy)
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultPulled}))
		w := watch(t, p)
		w.now()
		c := connect(t, p, card)
		c.want(0x9000, selectPIV)
		c.want(0x9000, verifyRight)
		c.want(0x9000, "1087119A027C03") // the first of a chain
		if answer, err := c.Transmit(unhex(t, "0087119A0182")); err == nil && len(answer) >= 2 {
			t.Errorf("a pulled card answers % X", answer)
		}
		w.until(pcsc.StateEmpty)
		c.refused(pcsc.ShareShared, pcsc.SCARD_E_NO_SMARTCARD)
		if last := card.Log()[3]; last.Command[1] != 0x87 || !last.Answered {
			t.Errorf("the card got %+v", last)
		}
	},
	"a mute card hangs its context until it is pulled": func(t *testing.T, p place) {
		card := newCard(t, amy)
		c := connect(t, p, card)
		c.want(0x9000, selectPIV)
		if err := card.SetFaults(vcard.Fault{Name: vcard.FaultMute}); err != nil {
			t.Fatal(err)
		}
		var g sync.WaitGroup
		g.Go(func() {
			if answer, err := c.Transmit(unhex(t, verifyEmpty)); err == nil && len(answer) >= 2 {
				t.Errorf("a mute card answers % X", answer)
			}
		})
		eventually(t, "the card gets the APDU", func() bool { return card.APDUs() == 2 })
		w := watch(t, p) // another context is not disturbed
		if now := w.now(); !now.Event.Has(pcsc.StatePresent) {
			t.Errorf("the reader of a mute card: %x", now.Event)
		}
		p.remove()
		g.Wait()
		w.until(pcsc.StateEmpty)
	},
	"waiting": func(t *testing.T, p place) {
		w := watch(t, p)
		w.now()
		wait := func(reader string, timeout time.Duration) error {
			return w.GetStatusChange([]pcsc.ReaderState{{Reader: reader, Current: w.last.Event}}, timeout)
		}
		if err := wait(p.reader, time.Millisecond); !errors.Is(err, pcsc.SCARD_E_TIMEOUT) {
			t.Errorf("nothing happened: %v", err)
		}
		if err := wait("No such reader", time.Millisecond); !errors.Is(err, pcsc.SCARD_E_UNKNOWN_READER) {
			t.Errorf("an unknown reader: %v", err)
		}
		if err := w.GetStatusChange(make17(p.reader), 0); !errors.Is(err, pcsc.SCARD_E_INVALID_PARAMETER) {
			t.Errorf("17 states: %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- wait(p.reader, -1) }()
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case err := <-done:
				tick.Stop()
				if !errors.Is(err, pcsc.SCARD_E_CANCELLED) {
					t.Errorf("cancelled: %v", err)
				}
				return
			case <-tick.C:
				// A wait that has not begun is not cancelled; of one that pcscd has yet
				// to hear of it says that there is no such handle.
				if err := w.Cancel(); err != nil && !errors.Is(err, pcsc.SCARD_E_INVALID_HANDLE) {
					t.Fatal(err)
				}
			}
		}
	},
	"an empty reader has no card": func(t *testing.T, p place) {
		c := &conn{t: t, p: p}
		c.refused(pcsc.ShareShared, pcsc.SCARD_E_NO_SMARTCARD)
	},
	"the service stops and comes back": func(t *testing.T, p place) {
		card := newCard(t, amy)
		w := watch(t, p)
		w.now()
		p.insert(card)
		w.until(pcsc.StatePresent)
		done := make(chan error, 1)
		go func() {
			done <- w.GetStatusChange([]pcsc.ReaderState{{Reader: p.reader, Current: w.last.Event}}, -1)
		}()
		p.stop()
		if err := <-done; err == nil { // pcsc-lite has several codes for it
			t.Errorf("waiting when the service stops: %v", err)
		}
		if _, err := p.Establish(); !errors.Is(err, pcsc.SCARD_E_NO_SERVICE) {
			t.Errorf("without a service: %v", err)
		}
		if err := w.Release(); !errors.Is(err, pcsc.SCARD_E_NO_SERVICE) {
			t.Errorf("release without a service: %v", err)
		}
		w.Context = nil
		p.restart()
		fresh := watch(t, p)
		fresh.until(pcsc.StatePresent)
		c := open(t, p, pcsc.ShareShared)
		c.want(0x9000, selectPIV)
		c.want(0x63C3, verifyEmpty)
	},
}

func make17(reader string) []pcsc.ReaderState {
	states := make([]pcsc.ReaderState, 17)
	for i := range states {
		states[i].Reader = reader
	}
	return states
}

// watcher watches one reader.
type watcher struct {
	t *testing.T
	pcsc.Context
	reader string
	last   pcsc.ReaderState
}

func watch(t *testing.T, p place) *watcher {
	t.Helper()
	w := &watcher{t: t, Context: establish(t, p), reader: p.reader}
	t.Cleanup(func() {
		if w.Context != nil {
			_ = w.Release()
		}
	})
	return w
}

func establish(t *testing.T, p place) pcsc.Context {
	t.Helper()
	c, err := p.Establish()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *watcher) get(current pcsc.StateFlags) pcsc.ReaderState {
	w.t.Helper()
	states := []pcsc.ReaderState{{Reader: w.reader, Current: current}}
	if err := w.GetStatusChange(states, patience); err != nil {
		w.t.Fatal(err)
	}
	w.last = states[0]
	return w.last
}

func (w *watcher) now() pcsc.ReaderState  { w.t.Helper(); return w.get(pcsc.StateUnaware) }
func (w *watcher) next() pcsc.ReaderState { w.t.Helper(); return w.get(w.last.Event) }

func (w *watcher) until(flag pcsc.StateFlags) pcsc.ReaderState {
	w.t.Helper()
	for state := w.now(); ; state = w.next() {
		if state.Event.Has(flag) {
			return state
		}
	}
}

// conn is a connection in a context of its own.
type conn struct {
	t *testing.T
	p place
	pcsc.Handle
}

// connect inserts a card and connects to it.
func connect(t *testing.T, p place, card *vcard.Card) *conn {
	t.Helper()
	p.insert(card)
	watch(t, p).until(pcsc.StatePresent)
	return open(t, p, pcsc.ShareShared)
}

func open(t *testing.T, p place, share pcsc.ShareMode) *conn {
	t.Helper()
	ctx := establish(t, p)
	t.Cleanup(func() { _ = ctx.Release() })
	h, err := ctx.Connect(p.reader, share, pcsc.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	return &conn{t, p, h}
}

func (c *conn) another(share pcsc.ShareMode) *conn { c.t.Helper(); return open(c.t, c.p, share) }

func (c *conn) disconnect(d pcsc.Disposition) {
	c.t.Helper()
	if err := c.Disconnect(d); err != nil {
		c.t.Fatal(err)
	}
}

// want sends a command and compares the status word.
func (c *conn) want(sw uint16, command string) []byte {
	c.t.Helper()
	answer, err := c.Transmit(unhex(c.t, command))
	if err != nil || len(answer) < 2 {
		c.t.Fatalf("%s: % X, %v", command, answer, err)
	}
	data, got := answer[:len(answer)-2], answer[len(answer)-2:]
	if got[0] != byte(sw>>8) || got[1] != byte(sw) && got[0] != 0x61 {
		c.t.Fatalf("%s: got %X, want %04X", command, got, sw)
	}
	return data
}

func (c *conn) fails(code pcsc.Code, command string) {
	c.t.Helper()
	if answer, err := c.Transmit(unhex(c.t, command)); !errors.Is(err, code) {
		c.t.Errorf("%s: % X, %v, want %v", command, answer, err, code)
	}
}

func (c *conn) refused(share pcsc.ShareMode, code pcsc.Code) {
	c.t.Helper()
	ctx := establish(c.t, c.p)
	defer func() { _ = ctx.Release() }()
	if _, err := ctx.Connect(c.p.reader, share, pcsc.ProtocolAny); !errors.Is(err, code) {
		c.t.Errorf("connect: %v, want %v", err, code)
	}
}

// eventually waits for what must come true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
