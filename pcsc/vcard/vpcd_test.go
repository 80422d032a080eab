package vcard_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// fakePCSCD is the other end of vpcd's protocol, in as many pieces as it can
// be sent.
type fakePCSCD struct {
	t *testing.T
	net.Listener
}

func newFake(t *testing.T, addr string) fakePCSCD {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return fakePCSCD{t, l}
}

type slot struct {
	t *testing.T
	net.Conn
}

func (f fakePCSCD) accept() slot {
	f.t.Helper()
	conn, err := f.Accept()
	must(f.t, err)
	f.t.Cleanup(func() { _ = conn.Close() })
	must(f.t, conn.SetDeadline(time.Now().Add(patience)))
	return slot{f.t, conn}
}

func (s slot) tell(message ...byte) {
	s.t.Helper()
	frame := append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
	for i := range frame {
		_, err := s.Write(frame[i : i+1])
		must(s.t, err)
	}
}

func (s slot) ask(message ...byte) []byte {
	s.t.Helper()
	s.tell(message...)
	var length [2]byte
	_, err := io.ReadFull(s, length[:])
	must(s.t, err)
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err = io.ReadFull(s, answer)
	must(s.t, err)
	return answer
}

// gone waits for the card to be pulled.
func (s slot) gone() {
	s.t.Helper()
	if n, err := s.Read(make([]byte, 1)); err == nil {
		s.t.Errorf("%d octets from a card that is gone", n)
	}
}

func plugFake(t *testing.T, f fakePCSCD, card *vcard.Card) (*vcard.Plug, slot) {
	t.Helper()
	p, err := vcard.PlugVPCD(t.Context(), f.Addr().String(), card)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p, f.accept()
}

func TestVPCDMessages(t *testing.T) {
	card := newCard(t, amy)
	p, s := plugFake(t, newFake(t, "127.0.0.1:0"), card)
	if p.Connected() {
		t.Error("connected before pcscd said anything")
	}
	if atr := s.ask(4); !bytes.Equal(atr, card.ATR()) {
		t.Errorf("ATR % X", atr)
	}
	must(t, p.Seen(t.Context()))
	if answer := s.ask(unhex(t, selectPIV)...); len(answer) != 2 {
		t.Errorf("without power: % X", answer)
	}
	s.tell() // no octets at all
	s.tell(1)
	for _, step := range []struct {
		tell    []byte
		command string
		sw      []byte
	}{
		{nil, selectPIV, []byte{0x90, 0x00}},
		{nil, verifyRight, []byte{0x90, 0x00}},
		{[]byte{3}, verifyEmpty, []byte{0x90, 0x00}}, // a message there is not
		{[]byte{2}, verifyEmpty, []byte{0x6D, 0x00}},
		{nil, selectPIV, []byte{0x90, 0x00}},
		{nil, verifyEmpty, []byte{0x63, 0xC3}},
	} {
		if step.tell != nil {
			s.tell(step.tell...)
		}
		if answer := s.ask(unhex(t, step.command)...); !bytes.HasSuffix(answer, step.sw) {
			t.Errorf("%s: % X, want % X", step.command, answer, step.sw)
		}
	}
	s.tell(0)
	if atr := s.ask(4); !bytes.Equal(atr, card.ATR()) {
		t.Errorf("the ATR of a card without power: % X", atr)
	}
	must(t, p.Close())
	s.gone()
	must(t, p.Close())
}

func TestAPlugOutlivesPCSCD(t *testing.T) {
	card := newCard(t, amy)
	f := newFake(t, "127.0.0.1:0")
	p, s := plugFake(t, f, card)
	s.tell(1)
	s.ask(unhex(t, selectPIV)...)
	s.ask(unhex(t, verifyRight)...)
	addr := f.Addr().String()
	must(t, f.Close())
	must(t, s.Close())
	eventually(t, "the plug notices", func() bool { return !p.Connected() })
	if card.Verified() {
		t.Error("a card without power is verified")
	}

	s = newFake(t, addr).accept()
	s.ask(4)
	must(t, p.Seen(t.Context()))
	s.tell(1)
	if answer := s.ask(unhex(t, verifyEmpty)...); !bytes.Equal(answer, []byte{0x6D, 0x00}) {
		t.Errorf("the card kept something over a loss of power: % X", answer)
	}
}

func TestAPlugThatEnds(t *testing.T) {
	for name, end := range map[string]func(p *vcard.Plug, cancel func()){
		"by Close":   func(p *vcard.Plug, _ func()) { _ = p.Close() },
		"by context": func(_ *vcard.Plug, cancel func()) { cancel() },
	} {
		for _, hung := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				card := newCard(t, amy)
				f := newFake(t, "127.0.0.1:0")
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p, err := vcard.PlugVPCD(ctx, f.Addr().String(), card)
				must(t, err)
				s := f.accept()
				s.tell(1)
				if _, err := vcard.PlugVPCD(ctx, f.Addr().String(), card); !errors.Is(err, vcard.ErrElsewhere) {
					t.Errorf("plugged twice: %v", err)
				}
				if hung {
					must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
					s.tell(unhex(t, selectPIV)...)
					eventually(t, "the card gets the APDU", func() bool { return card.APDUs() == 1 })
				}
				end(p, cancel)
				<-p.Done()
				s.gone()
				if err := p.Seen(t.Context()); err == nil {
					t.Error("a card that is gone is seen")
				}
				// And so it may be put elsewhere.
				b, _ := newBench(t, reader0)
				must(t, b.Insert(reader0, card))
			})
		}
	}
}

func TestACardPulledFromVPCDInMidAPDU(t *testing.T) {
	card := newCard(t, amy)
	p, s := plugFake(t, newFake(t, "127.0.0.1:0"), card)
	s.tell(1)
	p.PullDuring(2)
	s.ask(unhex(t, selectPIV)...)
	s.tell(unhex(t, verifyEmpty)...)
	s.gone()
	<-p.Done()
	if card.APDUs() != 2 {
		t.Errorf("the card got %d APDUs", card.APDUs())
	}
}

func TestFaultsOnTheWireOfVPCD(t *testing.T) {
	card := newCard(t, amy)
	_, s := plugFake(t, newFake(t, "127.0.0.1:0"), card)
	s.tell(1)
	for _, name := range []vcard.FaultName{vcard.FaultEmpty, vcard.FaultTruncated} {
		must(t, card.SetFaults(vcard.Fault{Name: name}))
		if answer := s.ask(unhex(t, verifyEmpty)...); len(answer) > 1 {
			t.Errorf("%s: % X", name, answer)
		}
	}
	must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultNoATR}))
	if answer := s.ask(4); !bytes.Equal(answer, []byte{0}) {
		t.Errorf("no ATR: % X", answer)
	}
}

func TestNothingListens(t *testing.T) {
	f := newFake(t, "127.0.0.1:0")
	addr := f.Addr().String()
	must(t, f.Close())
	card := newCard(t, amy)
	if _, err := vcard.PlugVPCD(t.Context(), addr, card); err == nil {
		t.Fatal("plugged into nothing")
	}
	b, _ := newBench(t, reader0)
	must(t, b.Insert(reader0, card))
}

// BenchmarkAPDU measures the shortest exchange: with pcscd it shows whether the
// card acknowledges at once, which is 0.1 ms against 44.
func BenchmarkAPDU(b *testing.B) {
	run := func(b *testing.B, system pcsc.System, reader string) {
		ctx, err := system.Establish()
		must(b, err)
		defer func() { _ = ctx.Release() }()
		var h pcsc.Handle
		for h == nil {
			if h, err = ctx.Connect(reader, pcsc.ShareShared, pcsc.ProtocolAny); err != nil && !errors.Is(err, pcsc.SCARD_E_NO_SMARTCARD) {
				b.Fatal(err)
			}
		}
		_, err = h.Transmit(unhex(b, selectPIV))
		must(b, err)
		command := unhex(b, verifyEmpty)
		for b.Loop() {
			if _, err := h.Transmit(command); err != nil {
				b.Fatal(err)
			}
		}
		must(b, h.Disconnect(pcsc.LeaveCard))
	}
	b.Run("in process", func(b *testing.B) {
		bench := vcard.NewBench()
		defer bench.Close()
		must(b, bench.AddReader(reader0))
		must(b, bench.Insert(reader0, newCard(b, amy)))
		run(b, bench, reader0)
	})
	b.Run("pcscd", func(b *testing.B) {
		d := pcscd.Start(b, 2)
		p, err := vcard.PlugVPCD(b.Context(), d.Addr(0), newCard(b, amy))
		must(b, err)
		defer p.Close()
		run(b, pcsc.Native(), d.Reader(0))
	})
}

// BenchmarkOpenCard is what a daemon waits for at its start: authority and RSA
// card from their files.
func BenchmarkOpenCard(b *testing.B) {
	dir := b.TempDir()
	open := func() {
		ca, err := vcard.OpenCA(dir)
		must(b, err)
		_, err = vcard.OpenCard(dir+"/card", vcard.Profile{User: "555212345678", Surname: "Pond", Forename: "Amy"}, ca)
		must(b, err)
	}
	open()
	for b.Loop() {
		open()
	}
}
