package vkey

import (
	"bytes"
	"testing"
	"time"
)

func faulty(t *testing.T, b *bench, faults ...Fault) {
	t.Helper()
	if err := b.key.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
}

func TestAMuteKeyHearsAndAnswersNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	cid := b.channel()
	faulty(t, b, Fault{Name: Mute})
	b.send(broadcastCID, CTAPHID_INIT, make([]byte, 8))
	b.send(cid, CTAPHID_CBOR, []byte{authenticatorGetInfo})
	b.send(cid+7, CTAPHID_PING, nil)
	b.after(time.Minute)
	if len(b.out) != 0 {
		t.Errorf("it said %x", b.out)
	}
	if s := b.key.Stats(); s.Messages != 3 {
		t.Errorf("%d messages were counted, want 3", s.Messages)
	}
	faulty(t, b)
	b.want(CTAP2_OK, authenticatorGetInfo, nil, nil)
}

func TestASlowKeyKeepsItsCommandAlive(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Faults: []Fault{{Name: Slow, Delay: 250 * time.Millisecond}}})
	b.send(broadcastCID, CTAPHID_INIT, make([]byte, 8))
	b.after(249 * time.Millisecond)
	if len(b.out) != 0 {
		t.Error("CTAPHID_INIT was answered too soon")
	}
	b.after(time.Millisecond)
	b.one()
	b.send(1, CTAPHID_CBOR, []byte{authenticatorGetInfo})
	b.after(time.Second)
	got := b.read()
	if len(got) != 3 || got[0].cmd != CTAPHID_KEEPALIVE || !bytes.Equal(got[1].data, []byte{STATUS_PROCESSING}) || got[2].cmd != CTAPHID_CBOR {
		t.Errorf("sent %x, want two keepalives and the answer", got)
	}
}

func TestFaultsOfTheFraming(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	cid := b.channel()

	faulty(t, b, Fault{Name: Busy})
	b.channel()
	b.send(cid, CTAPHID_CBOR, []byte{authenticatorGetInfo})
	b.wantError(cid, ERR_CHANNEL_BUSY)

	faulty(t, b, Fault{Name: ForeignChannel})
	b.send(cid, CTAPHID_PING, nil)
	if m := b.one(); m.cid == cid {
		t.Error("the answer is on the right channel")
	}
	b.send(broadcastCID, CTAPHID_INIT, []byte("12345678"))
	if got := b.read(); len(got) != 2 || bytes.HasPrefix(got[0].data, []byte("12345678")) || !bytes.HasPrefix(got[1].data, []byte("12345678")) {
		t.Errorf("CTAPHID_INIT: %x, want another's answer, then ours", got)
	}

	faulty(t, b, Fault{Name: Garbage})
	seen := map[report]bool{}
	for range 5 {
		b.out = nil
		b.send(cid, CTAPHID_PING, nil)
		seen[b.out[0]] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d kinds of garbage", len(seen))
	}
}

func TestAU2FKeyHasNoCBOR(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Faults: []Fault{{Name: U2FOnly}}})
	b.send(broadcastCID, CTAPHID_INIT, make([]byte, 8))
	if m := b.one(); m.data[16] != CAPABILITY_WINK {
		t.Errorf("its capabilities are %02x", m.data[16])
	}
	b.send(1, CTAPHID_CBOR, []byte{authenticatorGetInfo})
	b.wantError(1, ERR_INVALID_CMD)
	for apdu, want := range map[string]string{
		"\x00\x03\x00\x00\x00\x00\x00": "U2F_V2\x90\x00",
		"\x00\x01\x00\x00\x00\x00\x00": "\x69\x85",
		"\x00\xff\x00\x00\x00\x00\x00": "\x6d\x00",
		"\x80\x03\x00\x00\x00\x00\x00": "\x6e\x00",
		"\x00\x03":                     "\x67\x00",
	} {
		b.send(1, CTAPHID_MSG, []byte(apdu))
		if m := b.one(); string(m.data) != want {
			t.Errorf("%x: %x, want %x", apdu, m.data, want)
		}
	}
}

func TestFaultsOfThePINHideItsState(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	p := b.platform(2)
	if !b.clientPINOption() || b.retries() != 8 {
		t.Fatal("not the state to begin with")
	}
	faulty(t, b, Fault{Name: PINBlocked})
	if b.retries() != 0 {
		t.Errorf("%d tries left", b.retries())
	}
	p.token("1234", permissionMC, "localhost", CTAP2_ERR_PIN_BLOCKED)
	faulty(t, b, Fault{Name: NoPIN})
	if b.clientPINOption() {
		t.Error("clientPin is true")
	}
	p.token("1234", permissionMC, "localhost", CTAP2_ERR_PIN_NOT_SET)
	faulty(t, b)
	p.token("1234", permissionMC, "localhost", CTAP2_OK)
}

func TestFaultsAreChecked(t *testing.T) {
	t.Parallel()
	for _, f := range []Fault{{Name: "loud"}, {Name: Slow}, {Name: Mute, Delay: 1}, {}} {
		if _, err := New(Config{Name: "k", Faults: []Fault{f}}); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	if _, err := New(Config{Name: "k", Touch: "maybe"}); err == nil {
		t.Error("a way of touching that there is not was taken")
	}
}
