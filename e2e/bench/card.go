package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
	"authbridge/pcsc/vcard"
)

// newCard makes a card with two or, for the peers, four certificates.
func newCard(h *harness, slots ...vcard.Slot) *vcard.Card {
	ca, err := vcard.NewCA()
	h.must(err)
	card, err := vcard.NewCard(vcard.Profile{
		User: "555012345678", Surname: "Quillfeather", Forename: "Testina", Slots: slots, Yubico: true,
	}, ca)
	h.must(err)
	return card
}

// plug inserts a card into reader 0.
func (b *bench) plug(h *harness, d *pcscd.Daemon, card *vcard.Card) *vcard.Plug {
	p, err := vcard.PlugVPCD(b.ctx, d.Addr(0), card)
	h.must(err)
	return p
}

// seen is a state of the reader, as a bare SCardGetStatusChange told it.
type seen struct {
	present bool
	at      time.Time // when the call returned
}

// watcher is the least a program can do: SCardGetStatusChange in a loop.
type watcher struct {
	seen chan seen
	pc   pcsc.Context
	end  chan struct{}
	done sync.WaitGroup
}

func watch(h *harness, reader string) *watcher {
	pc, err := pcsc.Native().Establish()
	h.must(err)
	w := &watcher{seen: make(chan seen, 64), pc: pc, end: make(chan struct{})}
	returned := make(chan struct{})
	w.done.Go(func() { defer close(returned); w.run(reader) })
	h.Cleanup(func() {
		close(w.end)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			_ = pc.Cancel() // only a call that has begun is cancelled
			select {
			case <-returned:
				w.done.Wait()
				_ = pc.Release()
				return
			case <-tick.C:
			}
		}
	})
	return w
}

func (w *watcher) run(reader string) {
	states := []pcsc.ReaderState{{Reader: reader}}
	known, present := false, false
	for {
		err := w.pc.GetStatusChange(states, -1)
		at := time.Now()
		select {
		case <-w.end:
			return
		default:
		}
		if err != nil {
			close(w.seen)
			return
		}
		now := states[0].Event.Has(pcsc.StatePresent)
		if known && now != present {
			w.seen <- seen{now, at}
		}
		known, present = true, now
		states[0].Current = states[0].Event &^ pcsc.StateChanged
	}
}

func (w *watcher) await(h *harness, present bool) time.Time {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case s, ok := <-w.seen:
			if !ok {
				h.Fatal("the bare watch failed")
			}
			if s.present == present {
				return s.at
			}
		case <-late.C:
			h.Fatalf("pcscd did not notice the card within %s", patience)
		}
	}
}

// replay sends the same commands as bare PC/SC calls: connect, transaction,
// transmit, end, disconnect.
func replay(pc pcsc.Context, reader string, commands [][]byte) (took time.Duration, err error) {
	began := time.Now()
	handle, err := pc.Connect(reader, pcsc.ShareShared, pcsc.ProtocolAny)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := handle.Disconnect(pcsc.LeaveCard); err == nil {
			took, err = time.Since(began), e
		}
	}()
	if err := handle.BeginTransaction(); err != nil {
		return 0, err
	}
	for _, command := range commands {
		if _, err := handle.Transmit(command); err != nil {
			return 0, err
		}
	}
	return 0, handle.EndTransaction(pcsc.LeaveCard)
}

// commandsSince are those that the card got after its n-th.
func commandsSince(h *harness, card *vcard.Card, n uint64) (list [][]byte) {
	for _, e := range card.Log() {
		if e.N > n {
			if e.Withheld > 0 {
				h.Fatal("a probe sent a command with a PIN in it")
			}
			list = append(list, e.Command)
		}
	}
	return list
}

// readCard is our probe of all certificates, without a daemon around it.
func readCard(ctx context.Context, reader string) (card *piv.Card, err error) {
	connector := pcsc.NewConnector(pcsc.Native(), pcsc.ConnectorOptions{})
	defer func() { err = errors.Join(err, connector.Close()) }()
	conn, err := connector.Open(ctx, reader)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = conn.Transaction(ctx, func(tx *pcsc.Tx) (err error) {
		var t apdu.Transmitter = tx
		card, err = piv.Reading{Slots: []piv.Slot{0x9A, 0x9C, 0x9D, 0x9E}}.Read(ctx, t)
		return err
	})
	return card, err
}

// probeOnce is readCard as a program of its own, as the peers are.
func probeOnce(reader string) error {
	card, err := readCard(context.Background(), reader)
	if err != nil {
		return err
	}
	if len(card.Certificates) != 4 {
		return fmt.Errorf("%d certificates, want 4", len(card.Certificates))
	}
	sum := sha256.New()
	for _, c := range card.Certificates {
		_, _ = sum.Write(c.X509.Raw)
	}
	return nil
}

// watchCard is the least program that tells somebody else: the bare loop, and a
// line to a pipe for each change.
func watchCard(reader string) error {
	pc, err := pcsc.Native().Establish()
	if err != nil {
		return err
	}
	states := []pcsc.ReaderState{{Reader: reader}}
	for {
		if err := pc.GetStatusChange(states, -1); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, states[0].Event.Has(pcsc.StatePresent)); err != nil {
			return err
		}
		states[0].Current = states[0].Event &^ pcsc.StateChanged
	}
}
