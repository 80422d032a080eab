package vkey

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// bench is a machine on the bench: the test has its wires and its clock.
type bench struct {
	t   *testing.T
	key *Key
	m   *machine
	now time.Time
	out []report
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "bench"
	}
	key, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, key: key, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	b.powerCycle()
	return b
}

func (b *bench) powerCycle() {
	b.out = nil
	b.m = newMachine(b.key, b.now, func(r report) { b.out = append(b.out, r) })
}

// after lets time pass, waking the machine whenever it wants to.
func (b *bench) after(d time.Duration) {
	b.t.Helper()
	end := b.now.Add(d)
	for range 10000 {
		at, ok := b.m.wake()
		if !ok || at.After(end) {
			b.now = end
			return
		}
		if at.After(b.now) {
			b.now = at
		}
		b.m.tick(b.now)
	}
	b.t.Fatal("the machine wants to be woken for ever")
}

// write sends reports as they are.
func (b *bench) write(reports ...report) {
	for _, r := range reports {
		b.m.input(b.now, r)
	}
}

// message is what a machine sent.
type message struct {
	cid  uint32
	cmd  byte
	data []byte
}

// read takes what was sent so far, in whole messages.
func (b *bench) read() []message {
	b.t.Helper()
	var all []message
	for len(b.out) > 0 {
		r := b.out[0]
		b.out = b.out[1:]
		if !r.isInit() {
			b.t.Fatalf("a continuation packet without a message: %x", r)
		}
		m := message{r.cid(), r.cmd(), bytes.Clone(r.first()[:min(r.bcnt(), initData)])}
		for seq := byte(0); len(m.data) < r.bcnt(); seq++ {
			c := b.out[0]
			b.out = b.out[1:]
			if c.isInit() || c.cid() != m.cid || c.seq() != seq {
				b.t.Fatalf("not the continuation packet %d: %x", seq, c)
			}
			m.data = append(m.data, c.rest()[:min(contData, r.bcnt()-len(m.data))]...)
		}
		all = append(all, m)
	}
	return all
}

// one takes the one message that was sent.
func (b *bench) one() message {
	b.t.Helper()
	all := b.read()
	if len(all) != 1 {
		b.t.Fatalf("%d messages were sent, want 1: %x", len(all), all)
	}
	return all[0]
}

func (b *bench) send(cid uint32, cmd byte, data []byte) { b.write(packets(cid, cmd, data)...) }

// channel asks for a channel.
func (b *bench) channel() uint32 {
	b.t.Helper()
	nonce := []byte("8 octets")
	b.send(broadcastCID, CTAPHID_INIT, nonce)
	m := b.one()
	if m.cid != broadcastCID || m.cmd != CTAPHID_INIT || len(m.data) != 17 || !bytes.Equal(m.data[:8], nonce) {
		b.t.Fatalf("the answer to CTAPHID_INIT is %x", m)
	}
	return binary.BigEndian.Uint32(m.data[8:12])
}

func (b *bench) wantError(cid uint32, code byte) {
	b.t.Helper()
	if m := b.one(); m.cid != cid || m.cmd != CTAPHID_ERROR || !bytes.Equal(m.data, []byte{code}) {
		b.t.Errorf("got %x, want error %02x on channel %08x", m, code, cid)
	}
}

// ctap sends a CTAP2 command on a channel of its own and returns the answer.
func (b *bench) ctap(cmd byte, params any) (status, []byte) {
	b.t.Helper()
	cid := b.channel()
	data := []byte{cmd}
	if params != nil {
		data = append(data, encode(params)...)
	}
	b.send(cid, CTAPHID_CBOR, data)
	m := b.one()
	if m.cid != cid || m.cmd != CTAPHID_CBOR || len(m.data) == 0 {
		b.t.Fatalf("the answer to CTAPHID_CBOR is %x", m)
	}
	return status(m.data[0]), m.data[1:]
}

// want is ctap for an expected status; v, if not nil, takes the answer.
func (b *bench) want(s status, cmd byte, params, v any) {
	b.t.Helper()
	got, data := b.ctap(cmd, params)
	if got != s {
		b.t.Fatalf("command %#02x: %v, want %v", cmd, got, s)
	}
	if v != nil {
		if err := cbor.Unmarshal(data, v); err != nil {
			b.t.Fatalf("command %#02x: %v in %x", cmd, err, data)
		}
	}
}

func encode(v any) []byte { return newCodec().encode(v) }
