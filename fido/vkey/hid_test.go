package vkey

import (
	"bytes"
	"testing"
	"time"
)

func TestAChannelIsGivenAndKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.send(broadcastCID, CTAPHID_INIT, []byte("12345678"))
	m := b.one()
	want := []byte("12345678\x00\x00\x00\x01\x02\x01\x00\x00\x0d")
	if !bytes.Equal(m.data, want) {
		t.Errorf("CTAPHID_INIT answers %x, want %x: nonce, channel, CTAPHID 2, version, WINK CBOR NMSG", m.data, want)
	}
	if cid := b.channel(); cid != 2 {
		t.Errorf("the second channel is %d", cid)
	}
	// On a channel it empties it and says its number again.
	b.send(1, CTAPHID_INIT, []byte("abcdefgh"))
	if m := b.one(); m.cid != 1 || !bytes.Equal(m.data[:12], []byte("abcdefgh\x00\x00\x00\x01")) {
		t.Errorf("CTAPHID_INIT on a channel: %x", m)
	}
}

func TestWhatIsNoMessageGetsItsErrorCode(t *testing.T) {
	t.Parallel()
	ping := packets(1, CTAPHID_PING, make([]byte, 200))
	tests := map[string]struct {
		send []report
		cid  uint32
		code byte
	}{
		"unknown command":                    {packets(1, 0x20, nil), 1, ERR_INVALID_CMD},
		"LOCK, which is optional":            {packets(1, CTAPHID_LOCK, []byte{1}), 1, ERR_INVALID_CMD},
		"U2F to a key without it":            {packets(1, CTAPHID_MSG, []byte{0, 3, 0, 0, 0, 0, 0}), 1, ERR_INVALID_CMD},
		"INIT of 7 octets":                   {packets(broadcastCID, CTAPHID_INIT, make([]byte, 7)), broadcastCID, ERR_INVALID_LEN},
		"CBOR without a command":             {packets(1, CTAPHID_CBOR, nil), 1, ERR_INVALID_LEN},
		"WINK with data":                     {packets(1, CTAPHID_WINK, []byte{1}), 1, ERR_INVALID_LEN},
		"more than a message can be":         {[]report{{0, 0, 0, 1, 0x81, 0x1d, 0xba}}, 1, ERR_INVALID_LEN},
		"a packet left out":                  {[]report{ping[0], ping[2]}, 1, ERR_INVALID_SEQ},
		"a second message within the first":  {[]report{ping[0], packets(1, CTAPHID_WINK, nil)[0]}, 1, ERR_INVALID_SEQ},
		"another channel within the message": {[]report{ping[0], packets(2, CTAPHID_WINK, nil)[0]}, 2, ERR_CHANNEL_BUSY},
		"a channel that was not given":       {packets(3, CTAPHID_PING, nil), 3, ERR_INVALID_CHANNEL},
		"channel 0":                          {packets(0, CTAPHID_PING, nil), 0, ERR_INVALID_CHANNEL},
		"INIT on a channel not given":        {packets(3, CTAPHID_INIT, make([]byte, 8)), 3, ERR_INVALID_CHANNEL},
		"broadcast of anything but INIT":     {packets(broadcastCID, CTAPHID_PING, nil), broadcastCID, ERR_INVALID_CHANNEL},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{})
			b.channel()
			b.channel()
			b.write(tt.send...)
			b.wantError(tt.cid, tt.code)
		})
	}
}

func TestStrayPacketsAreIgnored(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	cid := b.channel()
	b.write(report{0, 0, 0, 1, 0}, report{0, 0, 0, 9, 0}) // continuations of nothing
	b.send(cid, CTAPHID_CANCEL, nil)
	b.send(99, CTAPHID_CANCEL, nil)
	if got := b.read(); got != nil {
		t.Errorf("answers to packets that ask for none: %x", got)
	}
}

func TestPingComesBackAtAnyLength(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	cid := b.channel()
	for _, n := range []int{0, 1, initData, initData + 1, initData + contData, maxMessage} {
		data := bytes.Repeat([]byte{0xa5}, n)
		b.send(cid, CTAPHID_PING, data)
		if m := b.one(); m.cid != cid || m.cmd != CTAPHID_PING || !bytes.Equal(m.data, data) {
			t.Errorf("a ping of %d octets came back as %d", n, len(m.data))
		}
	}
}

func TestReportsMayComeWithoutPaddingOrWithTheReportNumber(t *testing.T) {
	t.Parallel()
	full := packets(broadcastCID, CTAPHID_INIT, []byte("12345678"))[0]
	for name, octets := range map[string][]byte{
		"cut short":              full[:15],
		"whole":                  full[:],
		"with the report number": append([]byte{0}, full[:]...),
	} {
		if r, ok := padded(octets); !ok || r != full {
			t.Errorf("%s: %v %x", name, ok, r)
		}
	}
	for _, octets := range [][]byte{nil, full[:4], make([]byte, 66), append([]byte{1}, full[:]...)} {
		if _, ok := padded(octets); ok {
			t.Errorf("%d octets %x are taken for a packet", len(octets), octets)
		}
	}
}

func TestAHostThatStopsInTheMiddleIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	cid := b.channel()
	ping := packets(cid, CTAPHID_PING, make([]byte, 100))
	b.write(ping[0])
	b.after(transactionTimeout - time.Millisecond)
	if got := b.read(); got != nil {
		t.Fatalf("given up too soon: %x", got)
	}
	b.after(time.Millisecond)
	b.wantError(cid, ERR_MSG_TIMEOUT)
	b.write(ping[1])
	if got := b.read(); got != nil {
		t.Errorf("the late rest is answered: %x", got)
	}
}

func TestWhileItWaitsForATouchTheKeyIsKeptAlive(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Touch: TouchCommand})
	cid, other := b.channel(), b.channel()
	b.send(cid, CTAPHID_CBOR, []byte{authenticatorSelection})
	b.after(250 * time.Millisecond)
	for i, m := range b.read() {
		if m.cid != cid || m.cmd != CTAPHID_KEEPALIVE || !bytes.Equal(m.data, []byte{STATUS_UPNEEDED}) {
			t.Errorf("message %d is %x, want KEEPALIVE up needed", i, m)
		}
		if i > 2 {
			t.Errorf("%d keepalives in 250 ms", i+1)
		}
	}
	// It is locked for others, and for itself.
	b.send(other, CTAPHID_PING, nil)
	b.wantError(other, ERR_CHANNEL_BUSY)
	b.send(cid, CTAPHID_PING, nil)
	b.wantError(cid, ERR_CHANNEL_BUSY)
	b.channel()                                                             // but there are channels to be had
	b.write(report{0, 0, 0, byte(cid), 0}, report{0, 0, 0, byte(other), 0}) // strays
	if !b.m.touched(b.now) {
		t.Fatal("the touch was not waited for")
	}
	if m := b.one(); m.cid != cid || !bytes.Equal(m.data, []byte{byte(CTAP2_OK)}) {
		t.Errorf("after the touch: %x", m)
	}
	if b.m.touched(b.now) {
		t.Error("a second touch was waited for")
	}
	b.send(other, CTAPHID_PING, nil)
	b.one()
}

func TestWaitingForATouchEnds(t *testing.T) {
	t.Parallel()
	answer := func(s status) []message { return []message{{1, CTAPHID_CBOR, []byte{byte(s)}}} }
	tests := map[string]struct {
		do   func(b *bench)
		want []message
	}{
		"by CANCEL": {func(b *bench) { b.send(1, CTAPHID_CANCEL, nil) }, answer(CTAP2_ERR_KEEPALIVE_CANCEL)},
		"by its time": {func(b *bench) {
			b.after(29 * time.Second)
			b.read()
			b.after(time.Second)
			b.out = b.out[len(b.out)-1:]
		}, answer(CTAP2_ERR_USER_ACTION_TIMEOUT)},
		"by INIT on the channel": {func(b *bench) { b.send(1, CTAPHID_INIT, make([]byte, 8)) }, []message{{1, CTAPHID_INIT, []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x01\x00\x00\x0d")}}},
		"by automatic touch": {func(b *bench) {
			if err := b.key.SetTouch(TouchAuto); err != nil {
				b.t.Fatal(err)
			}
			b.m.tick(b.now)
		}, answer(CTAP2_OK)},
		"not by CANCEL on another": {func(b *bench) { b.channel(); b.send(2, CTAPHID_CANCEL, nil) }, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{Touch: TouchNever})
			cid := b.channel()
			b.send(cid, CTAPHID_CBOR, []byte{authenticatorSelection})
			b.one() // KEEPALIVE
			tt.do(b)
			got := b.read()
			if len(got) != len(tt.want) {
				t.Fatalf("sent %x, want %x", got, tt.want)
			}
			for i := range got {
				if got[i].cid != tt.want[i].cid || got[i].cmd != tt.want[i].cmd || !bytes.Equal(got[i].data, tt.want[i].data) {
					t.Errorf("sent %x, want %x", got, tt.want)
				}
			}
		})
	}
}

// FuzzReports feeds a key whatever: it never panics, and answers a good ping
// afterwards.
func FuzzReports(f *testing.F) {
	for _, cmd := range []byte{CTAPHID_INIT, CTAPHID_PING, CTAPHID_CBOR, CTAPHID_CANCEL, CTAPHID_MSG, CTAPHID_WINK} {
		for _, p := range packets(1, cmd, make([]byte, 100)) {
			f.Add(p[:])
		}
	}
	info := packets(1, CTAPHID_CBOR, []byte{authenticatorGetInfo})
	f.Add(append(info[0][:], info[0][:]...))
	f.Fuzz(func(t *testing.T, stream []byte) {
		b := newBench(t, Config{Touch: TouchCommand})
		cid := b.channel()
		for len(stream) > 0 {
			n := min(len(stream), 64)
			if r, ok := padded(stream[:n]); ok {
				b.write(r)
			}
			stream = stream[n:]
		}
		b.after(time.Minute)
		b.read()
		b.send(cid, CTAPHID_PING, []byte("still there"))
		if m := b.one(); !bytes.Equal(m.data, []byte("still there")) {
			t.Errorf("the ping came back as %x", m)
		}
	})
}
