//go:build linux && cgo

package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// Rule 1 and rule 3, asked of the card: whatever is started, stopped, read anew
// and judged costs no PIN try, and only what reads the card reaches it.
func TestStartsRereadsAndReadinessCostNoTry(t *testing.T) {
	rounds := scaled(30, 1000)
	d := pcscd.Start(t, 2)
	card := newCard(t, "555200123456")
	p := plug(t, d, 0, card)
	must(t, p.Seen(t.Context()))
	folder := t.TempDir()
	began := time.Now()
	var a reading
	for n := range rounds {
		before := card.APDUs()
		b := startBridge(t, folder)
		s := b.awaitReader(d.Reader(0), contract.Ready)
		a.start(t, card.APDUs()-before)

		before = card.APDUs()
		b.reread(s.Authenticators[0].ID)
		a.start(t, card.APDUs()-before)

		before = card.APDUs()
		for range 10 {
			if v := verdict(b.inv.Snapshot()); v.Outcome != contract.VerdictReady {
				t.Fatalf("round %d: %+v", n, v)
			}
			_ = b.inv.Encoded(false)
		}
		b.stop()
		if more := card.APDUs() - before; more != 0 {
			t.Errorf("10 questions and a stop cost %d APDUs", more)
		}
	}
	if n := card.PINTries(); n != 0 {
		t.Errorf("it cost %d PIN tries", n)
	}
	if left := card.PINTriesLeft(); left != 3 {
		t.Errorf("%d tries are left", left)
	}
	t.Logf("%d starts, stops and re-reads, %d questions: %d APDUs, %d each reading, %d PIN tries; %v",
		rounds, 10*rounds, card.APDUs(), a.apdus, card.PINTries(), time.Since(began).Round(time.Second))
}

// reading is what a reading costs, which is the same each time.
type reading struct{ apdus uint64 }

func (r *reading) start(t *testing.T, apdus uint64) {
	t.Helper()
	if r.apdus == 0 {
		r.apdus = apdus
	}
	if apdus != r.apdus || apdus == 0 || apdus > 8 {
		t.Errorf("a reading costs %d APDUs, the first cost %d", apdus, r.apdus)
	}
}

// other is a program that is not ours: it verifies the PIN and asks all the
// time whether that still holds.
type other struct {
	verified, asked int
	visits          int
}

// errTold is that the card no longer takes the PIN for verified.
var errTold = errors.New("the other program is told that its PIN is not verified")

// run works with the card until ctx ends. It stays connected for that many
// questions, 10 ms apart, then leaves the card for a moment, as it is.
func (o *other) run(ctx context.Context, reader string, questions int, begun chan<- struct{}) error {
	pc, err := pcsc.Native().Establish()
	if err != nil {
		return err
	}
	defer func() { _ = pc.Release() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := o.visit(ctx, pc, reader, questions, tick.C, begun); err != nil {
			return err
		}
		begun = nil
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

func (o *other) visit(ctx context.Context, pc pcsc.Context, reader string, questions int, tick <-chan time.Time, begun chan<- struct{}) (err error) {
	h, err := pc.Connect(reader, pcsc.ShareShared, pcsc.ProtocolAny)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Disconnect(pcsc.LeaveCard)) }()
	o.visits++
	say := func(command string) (uint16, error) {
		answer, err := h.Transmit([]byte(command))
		if err != nil || len(answer) < 2 {
			return 0, fmt.Errorf("%d octets: %w", len(answer), err)
		}
		return uint16(answer[len(answer)-2])<<8 | uint16(answer[len(answer)-1]), nil
	}
	if err := h.BeginTransaction(); err != nil {
		return err
	}
	for _, command := range []string{"\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x00", "\x00\x20\x00\x80\x08" + vcard.DefaultPIN + "\xFF\xFF"} {
		if sw, err := say(command); err != nil || sw != 0x9000 {
			return errors.Join(fmt.Errorf("the card says %04X", sw), err)
		}
	}
	if err := h.EndTransaction(pcsc.LeaveCard); err != nil {
		return err
	}
	o.verified++
	if begun != nil {
		close(begun)
	}
	for n := 0; questions == 0 || n < questions; n++ {
		select {
		case <-tick:
		case <-ctx.Done():
			return nil
		}
		sw, err := say("\x00\x20\x00\x80")
		if err != nil {
			return err
		}
		if sw != 0x9000 {
			return fmt.Errorf("%w: %04X", errTold, sw)
		}
		o.asked++
	}
	return nil
}

func TestAnotherProgramsPINStaysVerified(t *testing.T) {
	const rounds = 50
	for name, questions := range map[string]int{"connected all the time": 0, "that comes and goes": 3} {
		t.Run(name, func(t *testing.T) {
			d := pcscd.Start(t, 2)
			card := newCard(t, "555200123456")
			p := plug(t, d, 0, card)
			folder := t.TempDir()
			// What the card is called, and that it can be read when it is free.
			b := startBridge(t, folder)
			id := b.awaitReader(d.Reader(0), contract.Ready).Authenticators[0].ID
			b.stop()
			before := card.APDUs()

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o, ended, begun := &other{}, make(chan error, 1), make(chan struct{})
			go func() { ended <- o.run(ctx, d.Reader(0), questions, begun) }()
			select {
			case <-begun:
			case err := <-ended:
				t.Fatal(err)
			}
			reads, inUse := 0, 0
			for range rounds {
				b := startBridge(t, folder)
				s := b.awaitReader(d.Reader(0), contract.Ready, contract.InUse)
				r := readerIn(s, d.Reader(0))
				if r.Condition == contract.InUse {
					inUse++
				}
				must(t, b.inv.Reread(r.ID))
				s = b.awaitReader(d.Reader(0), contract.Ready, contract.InUse)
				if a := authenticatorIn(s, id); a != nil && !a.ReadAt.IsZero() {
					reads++
					if a.PIN.State != "verified" || a.PIN.TriesLeft != nil {
						t.Errorf("the PIN of a card that was left verified is %+v", a.PIN)
					}
				}
				b.stop()
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			for _, e := range card.Log() {
				if e.N > before && e.SW&0xFFF0 == 0x63C0 {
					t.Errorf("the card says %04X to % X", e.SW, e.Command)
				}
			}
			if n := card.PINTries(); n != uint64(o.verified) {
				t.Errorf("%d PIN tries, the other program's were %d", n, o.verified)
			}
			ours := card.APDUs() - before - uint64(2*o.verified+o.asked)
			if questions == 0 && (ours != 0 || inUse != rounds) {
				t.Errorf("%d APDUs of ours came to a card in use; it was in use in %d rounds", ours, inUse)
			}
			t.Logf("the other program: %d visits, %d questions, each answered 9000; of ours: %d starts, stops and re-reads, %d found it in use, %d read it, %d APDUs",
				o.visits, o.asked, rounds, inUse, reads, ours)
			must(t, p.Close())
		})
	}
}
