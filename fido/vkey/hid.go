package vkey

import (
	"encoding/binary"
	"slices"
	"time"
)

const (
	// keepaliveEvery is how often a CTAPHID_CBOR command under way says so
	// (CTAP 2.1, 11.2.9.1.7: at least every 100 ms).
	keepaliveEvery = 100 * time.Millisecond
	// transactionTimeout is the time a host has from the first packet of a
	// message to the last (CTAP 2.1, 11.2.5.2 leaves it to the device).
	transactionTimeout = 3 * time.Second
)

// machine is a key while it has power: the CTAPHID layer over the
// authenticator. It is driven by reports, touches and the time, never blocks
// and starts nothing; one goroutine owns it.
type machine struct {
	key  *Key
	auth *authenticator
	out  func(report)

	lastCID uint32 // channels 1 to lastCID are allocated
	tx      *transaction
	slow    []delayed // CTAPHID_INIT answers still to come
	turn    int       // of the kinds of garbage
}

// transaction is the one message exchange that a key can be in (CTAP 2.1,
// 11.2.5.1): a request being received, then worked on.
type transaction struct {
	cid  uint32
	cmd  byte
	want int
	data []byte
	seq  byte

	until time.Time // receiving: when the host's time is up

	working   bool
	due       time.Time // not yet begun: when a slow key begins
	touch     func(now time.Time, touched bool) []byte
	touchBy   time.Time
	keepalive time.Time // when the next is to be sent
}

type delayed struct {
	at  time.Time
	run func()
}

func newMachine(key *Key, now time.Time, out func(report)) *machine {
	return &machine{key: key, auth: newAuthenticator(key, now), out: out}
}

// input takes a report from the host.
func (m *machine) input(now time.Time, r report) {
	cid := r.cid()
	if r.isInit() && r.cmd() == CTAPHID_INIT {
		m.init(now, cid, &r)
		return
	}
	if cid == 0 || cid > m.lastCID { // the broadcast channel is for CTAPHID_INIT alone
		if r.isInit() && r.cmd() != CTAPHID_CANCEL {
			m.fail(cid, ERR_INVALID_CHANNEL)
		}
		return
	}
	switch {
	case !r.isInit():
		m.proceed(now, &r)
	case r.cmd() == CTAPHID_CANCEL:
		m.cancel(cid, &r)
	case m.tx == nil:
		m.begin(now, &r)
	case m.tx.cid != cid || m.tx.working:
		m.fail(cid, ERR_CHANNEL_BUSY)
	default:
		m.end()
		m.fail(cid, ERR_INVALID_SEQ)
	}
}

// init allocates a channel, or empties one (CTAP 2.1, 11.2.9.1.3). It is
// served while another channel has the key: who waits for a touch locks the
// key, not its channels.
func (m *machine) init(now time.Time, cid uint32, r *report) {
	if cid == 0 || (cid > m.lastCID && cid != broadcastCID) {
		m.fail(cid, ERR_INVALID_CHANNEL)
		return
	}
	if r.bcnt() != 8 {
		m.fail(cid, ERR_INVALID_LEN)
		return
	}
	m.key.received(now, CTAPHID_INIT, r.first()[:8])
	set := m.key.settings()
	if set.has(Mute) {
		return
	}
	nonce := slices.Clone(r.first()[:8])
	given := cid
	if cid == broadcastCID {
		if m.lastCID+1 == broadcastCID {
			m.fail(cid, ERR_OTHER)
			return
		}
		m.lastCID++
		given = m.lastCID
	} else if m.tx != nil && m.tx.cid == cid {
		m.end()
	}
	answer := func() {
		if m.key.settings().has(ForeignChannel) {
			other := slices.Clone(nonce)
			other[0] ^= 0xff
			m.raw(cid, CTAPHID_INIT, m.initAnswer(other, given+1))
		}
		m.raw(cid, CTAPHID_INIT, m.initAnswer(nonce, given))
	}
	if set.delay > 0 {
		m.slow = append(m.slow, delayed{now.Add(set.delay), answer})
		return
	}
	answer()
}

func (m *machine) initAnswer(nonce []byte, cid uint32) []byte {
	a := append(slices.Clone(nonce), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(a[8:], cid)
	capabilities := byte(CAPABILITY_WINK | CAPABILITY_CBOR | CAPABILITY_NMSG)
	if m.key.settings().has(U2FOnly) {
		capabilities = CAPABILITY_WINK
	}
	const protocol = 2 // CTAPHID
	return append(a, protocol, firmwareMajor, firmwareMinor, firmwareBuild, capabilities)
}

// begin takes the first packet of a request.
func (m *machine) begin(now time.Time, r *report) {
	cid, cmd, n := r.cid(), r.cmd(), r.bcnt()
	set := m.key.settings()
	known := cmd == CTAPHID_PING || cmd == CTAPHID_WINK || (cmd == CTAPHID_CBOR) != set.has(U2FOnly) && (cmd == CTAPHID_CBOR || cmd == CTAPHID_MSG)
	switch {
	case set.has(Busy):
		m.fail(cid, ERR_CHANNEL_BUSY)
	case !known:
		m.fail(cid, ERR_INVALID_CMD)
	case n > maxMessage, cmd == CTAPHID_CBOR && n == 0, cmd == CTAPHID_WINK && n != 0:
		m.fail(cid, ERR_INVALID_LEN)
	default:
		m.tx = &transaction{cid: cid, cmd: cmd, want: n, until: now.Add(transactionTimeout)}
		m.add(now, r.first())
	}
}

// proceed takes a continuation packet. One that nobody waits for is ignored
// (CTAP 2.1, 11.2.5.4).
func (m *machine) proceed(now time.Time, r *report) {
	tx := m.tx
	if tx == nil || tx.working || tx.cid != r.cid() {
		return
	}
	if r.seq() != tx.seq {
		m.end()
		m.fail(tx.cid, ERR_INVALID_SEQ)
		return
	}
	tx.seq++
	m.add(now, r.rest())
}

func (m *machine) add(now time.Time, p []byte) {
	tx := m.tx
	tx.data = append(tx.data, p[:min(len(p), tx.want-len(tx.data))]...)
	if len(tx.data) < tx.want {
		return
	}
	m.key.received(now, tx.cmd, tx.data)
	set := m.key.settings()
	if set.has(Mute) {
		m.end()
		return
	}
	tx.working, tx.keepalive = true, now.Add(keepaliveEvery)
	if set.delay > 0 {
		tx.due = now.Add(set.delay)
		return
	}
	m.work(now)
}

// work carries out the request that was received.
func (m *machine) work(now time.Time) {
	tx := m.tx
	tx.due = time.Time{}
	switch tx.cmd {
	case CTAPHID_PING:
		m.reply(tx.data)
	case CTAPHID_WINK:
		m.reply(nil)
	case CTAPHID_MSG:
		m.reply(u2f(tx.data))
	case CTAPHID_CBOR:
		r := m.auth.command(now, tx.data)
		if r.touch == nil {
			m.reply(r.reply)
			return
		}
		set := m.key.settings()
		if set.touch == TouchAuto {
			m.reply(r.touch(now, true))
			return
		}
		tx.touch, tx.touchBy = r.touch, now.Add(set.touchTimeout)
		m.keepalive(now)
		m.key.waits(true)
	}
}

// cancel ends the CTAPHID_CBOR command that is under way on the channel; there
// is no answer to CTAPHID_CANCEL itself (CTAP 2.1, 11.2.9.1.5).
func (m *machine) cancel(cid uint32, r *report) {
	if r.bcnt() != 0 {
		m.fail(cid, ERR_INVALID_LEN)
		return
	}
	if m.tx != nil && m.tx.cid == cid && m.tx.working && m.tx.cmd == CTAPHID_CBOR {
		m.reply([]byte{byte(CTAP2_ERR_KEEPALIVE_CANCEL)})
	}
}

// touched is a finger on the key. It is false if nothing waited for one.
func (m *machine) touched(now time.Time) bool {
	if m.tx == nil || m.tx.touch == nil {
		return false
	}
	m.reply(m.tx.touch(now, true))
	return true
}

// tick does what is due, changed settings included.
func (m *machine) tick(now time.Time) {
	for len(m.slow) > 0 && !m.slow[0].at.After(now) {
		run := m.slow[0].run
		m.slow = m.slow[1:]
		run()
	}
	tx := m.tx
	switch {
	case tx == nil:
	case !tx.working:
		if !tx.until.After(now) {
			m.end()
			m.fail(tx.cid, ERR_MSG_TIMEOUT)
		}
	case !tx.due.IsZero() && !tx.due.After(now):
		m.work(now)
	case tx.touch != nil && m.key.settings().touch == TouchAuto:
		m.touched(now)
	case tx.touch != nil && !tx.touchBy.After(now):
		m.reply(tx.touch(now, false))
	case tx.cmd == CTAPHID_CBOR && !tx.keepalive.After(now):
		m.keepalive(now)
	}
}

// wake is when tick has something to do next; false if never.
func (m *machine) wake() (time.Time, bool) {
	var at time.Time
	soonest := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if len(m.slow) > 0 {
		soonest(m.slow[0].at)
	}
	if tx := m.tx; tx != nil {
		if !tx.working {
			soonest(tx.until)
		} else {
			soonest(tx.due)
			soonest(tx.touchBy)
			if tx.cmd == CTAPHID_CBOR {
				soonest(tx.keepalive)
			}
		}
	}
	return at, !at.IsZero()
}

// end leaves the transaction.
func (m *machine) end() {
	if m.tx != nil && m.tx.touch != nil {
		m.key.waits(false)
	}
	m.tx = nil
}
