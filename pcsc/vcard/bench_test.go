package vcard_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

const reader0, reader1 = "Virtual reader 0", "Virtual reader 1"

func newBench(t *testing.T, readers ...string) (*vcard.Bench, place) {
	t.Helper()
	b := vcard.NewBench()
	t.Cleanup(func() { _ = b.Close() })
	for _, r := range readers {
		must(t, b.AddReader(r))
	}
	return b, place{System: b, reader: reader0, insert: func(c *vcard.Card) { t.Helper(); must(t, b.Insert(reader0, c)) }}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadersComeAndGo(t *testing.T) {
	b, p := newBench(t)
	ctx := establish(t, p)
	if names, err := ctx.ListReaders(); len(names) != 0 || err != nil {
		t.Errorf("no reader: %q, %v", names, err)
	}
	states := []pcsc.ReaderState{{Reader: pcsc.PnPNotification}}
	wait := func() {
		t.Helper()
		must(t, ctx.GetStatusChange(states, patience))
		states[0].Current = states[0].Event
	}
	// A first look has no counter yet and waits for the next change, if it
	// has begun: so changes go on until it returns.
	done := make(chan struct{})
	go func() { defer close(done); wait() }()
	must(t, b.AddReader(reader0))
	for waiting := true; waiting; {
		must(t, b.AddReader(reader1))
		must(t, b.RemoveReader(reader1))
		select {
		case <-done:
			waiting = false
		default:
		}
	}
	// With the counter of the last call nothing is missed in between.
	must(t, b.Unplug(reader0))
	wait()
	must(t, b.Plug(reader0))
	wait()
	if names, err := ctx.ListReaders(); !slices.Equal(names, []string{reader0}) || err != nil {
		t.Errorf("%q, %v", names, err)
	}
	must(t, ctx.Release())
	if _, err := ctx.ListReaders(); !errors.Is(err, pcsc.SCARD_E_INVALID_HANDLE) {
		t.Errorf("a released context: %v", err)
	}
}

func TestAReaderUnpluggedInATransaction(t *testing.T) {
	b, p := newBench(t, reader0)
	w := watch(t, p)
	c := connect(t, p, newCard(t, amy))
	must(t, c.BeginTransaction())
	c.want(0x9000, selectPIV)
	must(t, b.Unplug(reader0))
	// As pcscd says it: once that the reader is unavailable, then that the
	// handle is no good.
	c.fails(pcsc.SCARD_E_READER_UNAVAILABLE, verifyEmpty)
	c.fails(pcsc.SCARD_E_INVALID_VALUE, verifyEmpty)
	if err := c.EndTransaction(pcsc.LeaveCard); !errors.Is(err, pcsc.SCARD_E_INVALID_VALUE) {
		t.Errorf("end of the transaction: %v", err)
	}
	c.disconnect(pcsc.LeaveCard)
	if err := w.GetStatusChange([]pcsc.ReaderState{{Reader: reader0}}, 0); !errors.Is(err, pcsc.SCARD_E_UNKNOWN_READER) {
		t.Errorf("state of the reader: %v", err)
	}
	must(t, b.Plug(reader0))
	if state := w.now(); !state.Event.Has(pcsc.StatePresent) {
		t.Errorf("the card was left in the reader: %x", state.Event)
	}
	open(t, p, pcsc.ShareExclusive).want(0x9000, selectPIV)
}

func TestAReaderUnpluggedWhileWatched(t *testing.T) {
	b, p := newBench(t, reader0)
	w := watch(t, p)
	w.now()
	states := []pcsc.ReaderState{{Reader: reader0, Current: w.last.Event}, {Reader: pcsc.PnPNotification}}
	done := make(chan error, 1)
	go func() { done <- w.GetStatusChange(states, patience) }()
	must(t, b.Unplug(reader0))
	switch err := <-done; {
	case errors.Is(err, pcsc.SCARD_E_UNKNOWN_READER): // the wait had not begun
	case err != nil:
		t.Fatal(err)
	case !states[0].Event.Has(pcsc.StateUnknown|pcsc.StateUnavailable|pcsc.StateChanged) || !states[1].Event.Has(pcsc.StateChanged):
		t.Errorf("%+v", states)
	}
}

func TestSwapAndResetAreSeen(t *testing.T) {
	b, p := newBench(t, reader0)
	card, twin := newCard(t, amy), newCard(t, amy)
	w := watch(t, p)
	c := connect(t, p, card)
	in := w.now()
	must(t, b.Swap(reader0, twin))
	if after := w.next(); after.Event.Counter() != in.Event.Counter()+2 || !after.Event.Has(pcsc.StatePresent) {
		t.Errorf("swapped: %x after %x", after.Event, in.Event)
	}
	c.fails(pcsc.SCARD_W_REMOVED_CARD, selectPIV)
	other := open(t, p, pcsc.ShareShared)
	other.want(0x9000, selectPIV)
	other.want(0x9000, verifyRight)
	if twin.APDUs() != 2 || card.APDUs() != 0 {
		t.Errorf("the APDUs went to the wrong card: %d and %d", card.APDUs(), twin.APDUs())
	}
	for name, verb := range map[string]func(string) error{"reset": b.Reset, "power cycle": b.PowerCycle} {
		must(t, verb(reader0))
		other.fails(pcsc.SCARD_W_RESET_CARD, verifyEmpty)
		if twin.Verified() {
			t.Errorf("after a %s the PIN is verified", name)
		}
		other = open(t, p, pcsc.ShareShared)
	}
}

func TestVerbsSayWhyTheyCannot(t *testing.T) {
	b, _ := newBench(t, reader0, reader1)
	card := newCard(t, amy)
	for i, step := range []struct {
		err, want error
	}{
		{b.AddReader(reader0), vcard.ErrReaderExists},
		{b.AddReader(pcsc.PnPNotification), vcard.ErrReaderExists},
		{b.Insert("another", card), vcard.ErrNoReader},
		{b.Remove(reader0), vcard.ErrEmpty},
		{b.Swap(reader0, card), vcard.ErrEmpty},
		{b.Reset(reader0), vcard.ErrEmpty},
		{b.PullDuring(reader0, 1), vcard.ErrEmpty},
		{b.Insert(reader0, card), nil},
		{b.Insert(reader0, newCard(t, amy)), vcard.ErrOccupied},
		{b.Insert(reader1, card), vcard.ErrElsewhere},
		{b.Remove(reader0), nil},
		{b.Insert(reader1, card), nil},
		{b.RemoveReader(reader1), nil},
		{b.Insert(reader0, card), nil},
	} {
		if !errors.Is(step.err, step.want) {
			t.Errorf("step %d: %v, want %v", i, step.err, step.want)
		}
	}
	if list := b.Readers(); len(list) != 1 || list[0].Card != card || list[0].InUse || !list[0].Plugged {
		t.Errorf("%+v", list)
	}
}

// A program that leaves without a word resets the card: what pcscd does.
func TestReleaseResetsTheCard(t *testing.T) {
	_, p := newBench(t, reader0)
	card := newCard(t, amy)
	p.insert(card)
	ctx := establish(t, p)
	h, err := ctx.Connect(reader0, pcsc.ShareShared, pcsc.ProtocolAny)
	must(t, err)
	c := &conn{t, p, h}
	c.want(0x9000, selectPIV)
	c.want(0x9000, verifyRight)
	must(t, ctx.Release())
	if card.Verified() {
		t.Error("the PIN is still verified")
	}
}

// The traps of a hung card: calls on its context hang with it, others do not.
func TestCallsOnTheContextOfAHungCardHang(t *testing.T) {
	b, p := newBench(t, reader0)
	card := newCard(t, amy)
	p.insert(card)
	must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
	ctx := establish(t, p)
	h, err := ctx.Connect(reader0, pcsc.ShareShared, pcsc.ProtocolAny)
	must(t, err)
	var g sync.WaitGroup
	g.Go(func() {
		if answer, err := h.Transmit(unhex(t, selectPIV)); err != nil || len(answer) != 0 {
			t.Errorf("% X, %v", answer, err)
		}
	})
	eventually(t, "the card gets the APDU", func() bool { return card.APDUs() == 1 })
	must(t, ctx.Cancel()) // returns, and cancels nothing
	hung := make(chan error, 1)
	go func() { hung <- ctx.Release() }()
	other := establish(t, p)
	if _, err := other.ListReaders(); err != nil {
		t.Error(err)
	}
	connecting := make(chan error, 1)
	go func() {
		_, err := other.Connect(reader0, pcsc.ShareShared, pcsc.ProtocolAny)
		connecting <- err
	}()
	select {
	case err := <-hung:
		t.Fatalf("Release returned %v", err)
	case err := <-connecting:
		t.Fatalf("Connect returned %v", err)
	default:
	}
	must(t, b.Remove(reader0))
	g.Wait()
	must(t, <-hung)
	if err := <-connecting; !errors.Is(err, pcsc.SCARD_E_NO_SMARTCARD) {
		t.Errorf("connect when the card is gone: %v", err)
	}
}

func TestEverythingEndsWithTheBench(t *testing.T) {
	b, p := newBench(t, reader0)
	card := newCard(t, amy)
	p.insert(card)
	must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
	c := open(t, p, pcsc.ShareShared)
	w := watch(t, p)
	w.now()
	var g sync.WaitGroup
	g.Go(func() {
		if _, err := c.Transmit(unhex(t, selectPIV)); !errors.Is(err, pcsc.SCARD_F_COMM_ERROR) {
			t.Errorf("transmit: %v", err)
		}
	})
	g.Go(func() {
		err := w.GetStatusChange([]pcsc.ReaderState{{Reader: reader0, Current: w.last.Event}}, -1)
		if !errors.Is(err, pcsc.SCARD_F_COMM_ERROR) && !errors.Is(err, pcsc.SCARD_E_NO_SERVICE) {
			t.Errorf("wait: %v", err)
		}
	})
	eventually(t, "the card gets the APDU", func() bool { return card.APDUs() == 1 })
	must(t, b.Close())
	must(t, b.Close())
	g.Wait()
}

func TestAMuteCardThatGivesNoATR(t *testing.T) {
	b, p := newBench(t, reader0)
	card := newCard(t, amy)
	must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultNoATR}))
	w := watch(t, p)
	w.now()
	p.insert(card)
	if state := w.next(); !state.Event.Has(pcsc.StatePresent|pcsc.StateMute) || len(state.ATR) != 0 {
		t.Errorf("%x, ATR % X", state.Event, state.ATR)
	}
	(&conn{t: t, p: p}).refused(pcsc.ShareShared, pcsc.SCARD_W_UNPOWERED_CARD)
	card.ClearFaults()
	must(t, b.PowerCycle(reader0))
	if state := w.next(); state.Event.Has(pcsc.StateMute) {
		t.Errorf("after a power cycle: %x", state.Event)
	}
	open(t, p, pcsc.ShareShared).want(0x9000, selectPIV)
}

// Two programs hammer one card, in transactions; nobody ever sees the other's.
func TestTransactionsHoldUnderLoad(t *testing.T) {
	_, p := newBench(t, reader0)
	card := newCard(t, amy)
	p.insert(card)
	var g sync.WaitGroup
	for i := range 4 {
		g.Go(func() {
			ctx, err := p.Establish()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = ctx.Release() }()
			h, err := ctx.Connect(reader0, pcsc.ShareShared, pcsc.ProtocolAny)
			if err != nil {
				t.Error(err)
				return
			}
			// Left, so that nobody is reset.
			defer func() { _ = h.Disconnect(pcsc.LeaveCard) }()
			for range 50 {
				for _, step := range []func() error{
					h.BeginTransaction,
					func() error { return exchange(h, selectPIV) },
					func() error { return exchange(h, verifyRight) },
					func() error { return exchange(h, verifyEmpty) },
					func() error { return exchange(h, logout) },
					func() error { return h.EndTransaction(pcsc.LeaveCard) },
				} {
					if err := step(); err != nil {
						t.Errorf("program %d: %v", i, err)
						return
					}
				}
			}
		})
	}
	g.Wait()
	if n := card.PINTries(); n != 200 {
		t.Errorf("%d tries, want 200", n)
	}
}

func exchange(h pcsc.Handle, command string) error {
	var raw []byte
	if _, err := fmt.Sscanf(command, "%X", &raw); err != nil {
		return err
	}
	answer, err := h.Transmit(raw)
	if err == nil && (len(answer) < 2 || answer[len(answer)-2] != 0x90) {
		err = fmt.Errorf("%s: % X", command, answer)
	}
	return err
}
