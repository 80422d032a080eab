package fido

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestMessagesAreCutAsTheSpecificationSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ octets, packets int }{
		{0, 1}, {1, 1}, {57, 1}, {58, 2}, {57 + 59, 2}, {57 + 60, 3}, {maxMessage, 129},
	} {
		all := packets(0x01020304, message{CTAPHID_CBOR, bytes.Repeat([]byte{0xaa}, c.octets)})
		if len(all) != c.packets {
			t.Errorf("%d octets: %d packets, want %d", c.octets, len(all), c.packets)
			continue
		}
		want := []byte{1, 2, 3, 4, 0x90, byte(c.octets >> 8), byte(c.octets)}
		if !bytes.Equal(all[0][:7], want) {
			t.Errorf("%d octets: begins %x, want %x", c.octets, all[0][:7], want)
		}
		for i, p := range all[1:] {
			if p.cid() != 0x01020304 || p.isInit() || int(p.seq()) != i {
				t.Errorf("%d octets: continuation packet %d begins %x", c.octets, i, p[:5])
			}
		}
	}
	if maxMessage != 7609 {
		t.Errorf("the longest message has %d octets, want 7609 (CTAP 2.1, 11.2.4)", maxMessage)
	}
	if packets(1, message{CTAPHID_PING, make([]byte, maxMessage+1)}) != nil {
		t.Error("a message longer than the longest was cut")
	}
}

// A frame is a hand-made packet: cid, command or sequence, rest.
func frame(cid uint32, rest ...byte) packet {
	p := packets(cid, message{})[0]
	n := copy(p[4:], rest)
	clear(p[4+n:])
	return p
}

func TestAssemblyTakesNothingThatMakesNoSense(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		frames []packet
	}{
		{"a continuation packet without a message", []packet{frame(1, 0x00, 1, 2)}},
		{"a continuation packet of another number", []packet{frame(1, 0x90, 0, 100), frame(1, 0x01)}},
		{"the same continuation packet twice", []packet{frame(1, 0x90, 0, 200), frame(1, 0x00), frame(1, 0x00)}},
		{"a message in the middle of another", []packet{frame(1, 0x90, 0, 100), frame(1, 0x90, 0, 100)}},
		{"a message longer than any can be", []packet{frame(1, 0x90, 0x1d, 0xba)}},
		{"a length of 65535", []packet{frame(1, 0x90, 0xff, 0xff)}},
	} {
		var a assembly
		for i, f := range c.frames {
			m, err := a.add(&f)
			if m != nil {
				t.Errorf("%s: it became a message %v", c.name, m)
			}
			if last := i == len(c.frames)-1; last != errors.Is(err, ErrMalformed) {
				t.Errorf("%s: packet %d: %v", c.name, i, err)
			}
		}
		p := frame(1, 0x81, 0, 2, 7, 8)
		if m, err := a.add(&p); err != nil || m == nil || m.cmd != CTAPHID_PING || !bytes.Equal(m.data, []byte{7, 8}) {
			t.Errorf("%s: the message after it: %v, %v", c.name, m, err)
		}
	}
	empty := frame(1, 0x90, 0, 0)
	if m, err := new(assembly).add(&empty); err != nil || m == nil || len(m.data) != 0 {
		t.Errorf("a message of no octets: %v, %v", m, err)
	}
}

func FuzzAssembly(f *testing.F) {
	whole := func(n int) []byte {
		var b []byte
		for _, p := range packets(1, message{CTAPHID_CBOR, make([]byte, n)}) {
			b = append(b, p[:]...)
		}
		return b
	}
	f.Add(whole(0))
	f.Add(whole(300))
	f.Add(whole(300)[64:])
	f.Add(append(whole(300)[:64], whole(0)...))
	f.Add([]byte{1, 2, 3, 4, 0x90, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, stream []byte) {
		var a assembly
		for chunk := range slices.Chunk(stream, ReportSize) {
			var p packet
			copy(p[:], chunk)
			m, err := a.add(&p)
			if err != nil && (m != nil || !errors.Is(err, ErrMalformed) || a.under) {
				t.Fatalf("%v, %v, under way: %v", m, err, a.under)
			}
			if m == nil {
				if len(a.m.data) > maxMessage {
					t.Fatal("more is held than a message can have")
				}
				continue
			}
			var b assembly
			for _, again := range packets(1, *m) {
				if n, err := b.add(&again); err != nil {
					t.Fatal(err)
				} else if n != nil && (n.cmd != m.cmd || !bytes.Equal(n.data, m.data)) {
					t.Fatalf("%v cut and put together is %v", m, n)
				}
			}
		}
	})
}

func TestNamesOfCommandsAndCodes(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		CTAPHID_WINK.String():                   "CTAPHID_WINK",
		Command(0x55).String():                  "CTAPHID command 0x55",
		CTAP2_ERR_PIN_AUTH_BLOCKED.String():     "CTAP2_ERR_PIN_AUTH_BLOCKED",
		(&StatusError{0x04, 0x2d}).Error():      "fido: authenticatorGetInfo: CTAP2_ERR_KEEPALIVE_CANCEL (0x2D)",
		(&StatusError{0x42, 0xf5}).Error():      "fido: CTAP command 0x42: CTAP2_ERR_VENDOR (0xF5)",
		(&HIDError{CTAPHID_CBOR, 0x06}).Error(): "fido: CTAPHID_CBOR: ERR_CHANNEL_BUSY (0x06)",
		(&HIDError{CTAPHID_PING, 0x99}).Error(): "fido: CTAPHID_PING: CTAPHID error (0x99)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for code := range 256 {
		err := &HIDError{CTAPHID_CBOR, byte(code)}
		if !errors.Is(err, ErrInUse) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrMalformed) {
			t.Errorf("%v matches no sentinel", err)
		}
	}
}
