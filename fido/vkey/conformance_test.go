package vkey

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"authbridge/fido"
)

// plugged is a key on some bus: how to open it once more, and how to pull it.
type plugged struct {
	open   func(t *testing.T) fido.Link
	unplug func(t *testing.T)
}

// opener plugs a key in; the conformance suite runs over each that there is.
type opener func(t *testing.T, k *Key) plugged

func inProcess(t *testing.T, k *Key) plugged {
	b := newBus(t, k)
	return plugged{
		open: func(t *testing.T) fido.Link { return open(t, b) },
		unplug: func(t *testing.T) {
			if err := b.Unplug(k); err != nil {
				t.Error(err)
			}
		},
	}
}

func TestConformanceInProcess(t *testing.T) {
	t.Parallel()
	conformance(t, inProcess)
}

// host is a program on the other end of a link, with a channel.
type host struct {
	t    *testing.T
	link fido.Link
	cid  uint32
}

func newHost(t *testing.T, l fido.Link) *host {
	t.Helper()
	h := &host{t: t, link: l, cid: broadcastCID}
	nonce := []byte(time.Now().Format("05.00000"))
	h.send(CTAPHID_INIT, nonce)
	for {
		m := h.next()
		if m.cmd == CTAPHID_INIT && bytes.HasPrefix(m.data, nonce) {
			if len(m.data) != 17 || m.data[12] != 2 {
				t.Fatalf("CTAPHID_INIT answers %x", m.data)
			}
			h.cid = binary.BigEndian.Uint32(m.data[8:])
			return h
		}
	}
}

func (h *host) write(reports ...report) {
	h.t.Helper()
	for _, r := range reports {
		writeReport(h.t, h.link, r)
	}
}

func (h *host) send(cmd byte, data []byte) { h.t.Helper(); h.write(packets(h.cid, cmd, data)...) }

// next reads the next message on the host's channel.
func (h *host) next() message {
	h.t.Helper()
	for {
		r := readReport(h.t, h.link)
		if r.cid() != h.cid {
			continue // another opener's
		}
		if !r.isInit() {
			h.t.Fatalf("a continuation packet without a message: %x", r)
		}
		m := message{r.cid(), r.cmd(), bytes.Clone(r.first()[:min(initData, r.bcnt())])}
		for len(m.data) < r.bcnt() {
			if c := readReport(h.t, h.link); c.cid() == h.cid {
				m.data = append(m.data, c.rest()[:min(contData, r.bcnt()-len(m.data))]...)
			}
		}
		return m
	}
}

func (h *host) want(cmd byte, data []byte) {
	h.t.Helper()
	if m := h.next(); m.cmd != cmd || !bytes.Equal(m.data, data) {
		h.t.Errorf("got command %#02x with %.80x, want %#02x with %.80x", m.cmd, m.data, cmd, data)
	}
}

// conformance is what a host sees of a key, whatever lies between.
func conformance(t *testing.T, plug opener) {
	t.Run("messages come back whole", func(t *testing.T) {
		h := newHost(t, plug(t, newKey(t, Config{})).open(t))
		for _, n := range []int{0, 1, initData, initData + 1, initData + contData + 1, 1024} {
			data := bytes.Repeat([]byte{byte(n)}, n)
			h.send(CTAPHID_PING, data)
			h.want(CTAPHID_PING, data)
		}
		h.send(CTAPHID_WINK, nil)
		h.want(CTAPHID_WINK, nil)
	})
	t.Run("reports may be cut short", func(t *testing.T) {
		h := newHost(t, plug(t, newKey(t, Config{})).open(t))
		r := packets(h.cid, CTAPHID_PING, []byte("abc"))[0]
		if err := h.link.WriteReport(r[:10]); err != nil {
			t.Fatal(err)
		}
		h.want(CTAPHID_PING, []byte("abc"))
	})
	t.Run("bad messages get their error", func(t *testing.T) {
		h := newHost(t, plug(t, newKey(t, Config{})).open(t))
		h.send(0x21, nil)
		h.want(CTAPHID_ERROR, []byte{ERR_INVALID_CMD})
		h.send(CTAPHID_CBOR, nil)
		h.want(CTAPHID_ERROR, []byte{ERR_INVALID_LEN})
		ping := packets(h.cid, CTAPHID_PING, make([]byte, 200))
		h.write(ping[0], ping[2])
		h.want(CTAPHID_ERROR, []byte{ERR_INVALID_SEQ})
		h.write(ping[1]) // stray
		h.write(ping[0])
		h.want(CTAPHID_ERROR, []byte{ERR_MSG_TIMEOUT})
		h.send(CTAPHID_CBOR, []byte{0x0d})
		h.want(CTAPHID_CBOR, []byte{byte(CTAP1_ERR_INVALID_COMMAND)})
		h.send(CTAPHID_CBOR, []byte{authenticatorMakeCredential, 0xff})
		h.want(CTAPHID_CBOR, []byte{byte(CTAP2_ERR_INVALID_CBOR)})
	})
	t.Run("one host waits for a touch, another is told that the key is busy", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		k := newKey(t, Config{Touch: TouchCommand})
		p := plug(t, k)
		one := newHost(t, p.open(t))
		two := newHost(t, p.open(t))
		one.send(CTAPHID_CBOR, []byte{authenticatorSelection})
		if err := k.AwaitTouch(ctx); err != nil {
			t.Fatal(err)
		}
		two.send(CTAPHID_CBOR, []byte{authenticatorGetInfo})
		two.want(CTAPHID_ERROR, []byte{ERR_CHANNEL_BUSY})
		for range 3 {
			one.want(CTAPHID_KEEPALIVE, []byte{STATUS_UPNEEDED})
		}
		one.send(CTAPHID_CANCEL, nil)
		m := one.next()
		for m.cmd == CTAPHID_KEEPALIVE {
			m = one.next()
		}
		if !bytes.Equal(m.data, []byte{byte(CTAP2_ERR_KEEPALIVE_CANCEL)}) {
			t.Errorf("after CANCEL: %x", m)
		}
		two.send(CTAPHID_CBOR, []byte{authenticatorGetInfo})
		if m := two.next(); m.cmd != CTAPHID_CBOR || m.data[0] != byte(CTAP2_OK) {
			t.Errorf("after that: %x", m)
		}
	})
	t.Run("getInfo and the PIN's tries, 100 times by two hosts at once", func(t *testing.T) {
		k := newKey(t, Config{PIN: []byte("1234")})
		p := plug(t, k)
		done := make(chan struct{})
		for range 2 {
			h := newHost(t, p.open(t))
			go func() {
				defer func() { done <- struct{}{} }()
				for range 100 {
					for _, cmd := range [][]byte{{authenticatorGetInfo}, append([]byte{authenticatorClientPIN}, encode(map[int]any{2: getPINRetries})...)} {
						reports := packets(h.cid, CTAPHID_CBOR, cmd)
						if err := h.link.WriteReport(reports[0][:]); err != nil {
							t.Error(err)
							return
						}
						if !awaitAnswer(t, h, reports[0]) {
							return
						}
					}
				}
			}()
		}
		<-done
		<-done
		if s := k.Stats(); s.PINTries != 0 {
			t.Errorf("%d PIN tries", s.PINTries)
		}
	})
	t.Run("a key that is pulled out ends what was blocked", func(t *testing.T) {
		k := newKey(t, Config{Touch: TouchCommand})
		p := plug(t, k)
		h := newHost(t, p.open(t))
		h.send(CTAPHID_CBOR, []byte{authenticatorSelection})
		h.want(CTAPHID_KEEPALIVE, []byte{STATUS_UPNEEDED})
		p.unplug(t)
		for {
			var r report
			err := h.link.ReadReport(r[:], time.Now().Add(patience))
			if err == nil {
				continue // was on its way
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the read did not end")
			}
			return
		}
	})
}

// awaitAnswer reads up to the answer to request, sending it again whenever the
// key has no time for it. It runs beside the test's goroutine.
func awaitAnswer(t *testing.T, h *host, request report) bool {
	for {
		var r report
		if err := h.link.ReadReport(r[:], time.Now().Add(patience)); err != nil {
			t.Error(err)
			return false
		}
		switch {
		case r.cid() != h.cid || !r.isInit():
		case r.cmd() == CTAPHID_ERROR && slices.Equal(r.first()[:1], []byte{ERR_CHANNEL_BUSY}):
			if err := h.link.WriteReport(request[:]); err != nil {
				t.Error(err)
				return false
			}
		case r.cmd() == CTAPHID_CBOR && r.first()[0] == byte(CTAP2_OK):
			return true
		default:
			t.Errorf("got %x", r)
			return false
		}
	}
}
