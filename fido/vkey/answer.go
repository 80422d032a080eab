package vkey

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

func (m *machine) keepalive(now time.Time) {
	code := byte(STATUS_PROCESSING)
	if m.tx.touch != nil {
		code = STATUS_UPNEEDED
	}
	m.tx.keepalive = now.Add(keepaliveEvery)
	m.send(m.tx.cid, CTAPHID_KEEPALIVE, []byte{code})
}

func (m *machine) reply(data []byte) {
	tx := m.tx
	m.end()
	if tx.cmd == CTAPHID_CBOR && len(data) > 0 {
		m.key.answered(status(data[0]))
	}
	m.send(tx.cid, tx.cmd, data)
}

func (m *machine) fail(cid uint32, code byte) { m.send(cid, CTAPHID_ERROR, []byte{code}) }

// send sends a message, as far as the faults let it.
func (m *machine) send(cid uint32, cmd byte, data []byte) {
	switch set := m.key.settings(); {
	case set.has(Mute):
	case set.has(Garbage):
		m.garbage(cid, cmd)
	case set.has(ForeignChannel):
		m.raw(cid+1, cmd, data)
	default:
		m.raw(cid, cmd, data)
	}
}

func (m *machine) raw(cid uint32, cmd byte, data []byte) {
	for _, r := range packets(cid, cmd, data) {
		m.out(r)
	}
}

// garbage is one of five kinds of malformed answer.
func (m *machine) garbage(cid uint32, cmd byte) {
	var r report
	_, _ = rand.Read(r[:]) // never fails (crypto/rand)
	kind := m.turn % 5
	m.turn++
	if kind == 4 {
		m.out(r)
		return
	}
	binary.BigEndian.PutUint32(r[:], cid)
	r[4] = cmd | 0x80
	switch kind {
	case 0:
		r[5], r[6] = 0, 0
	case 1:
		r[4] = 0x7f
	case 2:
		r[5], r[6] = 0xff, 0xff
	case 3:
		r[5], r[6] = 0, initData
		if cmd == CTAPHID_CBOR {
			r[7] = byte(CTAP2_OK)
		}
	}
	m.out(r)
}

// u2f answers as a U2F key does that nobody touches (FIDO U2F raw message
// formats): it tells its version and lacks the test of user presence for all
// else.
func u2f(apdu []byte) []byte {
	const version, register, authenticate = 0x03, 0x01, 0x02
	switch {
	case len(apdu) < 7:
		return []byte{0x67, 0x00} // wrong length
	case apdu[0] != 0:
		return []byte{0x6e, 0x00} // class not supported
	case apdu[1] == version:
		return append([]byte("U2F_V2"), 0x90, 0x00)
	case apdu[1] == register, apdu[1] == authenticate:
		return []byte{0x69, 0x85} // conditions of use not satisfied
	default:
		return []byte{0x6d, 0x00} // instruction not supported
	}
}
