package fido

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"os"
	"time"
)

// tempo bounds how long a key may take. No answer of a key, however hostile,
// makes an exchange last longer than limit and what the context allows.
type tempo struct {
	// patience is the time without a sign of life on our channel; a KEEPALIVE
	// is one, another program's traffic is none.
	patience time.Duration
	// limit is the time in all, however alive the key is.
	limit time.Duration
	// busy is the time for which ERR_CHANNEL_BUSY is met by trying again.
	busy time.Duration
	// repeat says that a message may be sent a second time when its answer did
	// not come while others talked to the key: a system keeps few reports for
	// who does not read them at once (Linux 64), and drops what comes on top.
	repeat bool
	// single says that the message is sent once, whatever comes of it, as one
	// must be that costs a try: not even a refusal after which the key surely
	// did nothing (ERR_CHANNEL_BUSY, ERR_INVALID_CHANNEL: it took up no message,
	// CTAP 2.1, 11.2.5.1 and 11.2.9.1.6) is met by sending it again. What is in
	// it was encrypted for a key agreement that need not be good any more: a key
	// that lost its channels lost its power, and while another program had the
	// key, a wrong PIN of that one may have ended the agreement. Sent again, the
	// right PIN would be read as a wrong one.
	single bool
}

const (
	// slice is how soon an exchange sees that its context ended.
	slice = 50 * time.Millisecond
	// grace is the time a key has to answer CTAPHID_CANCEL: a success that
	// came too late must not go unnoticed.
	grace = time.Second
	// The pauses between tries while the key is busy.
	firstPause, lastPause = 20 * time.Millisecond, 250 * time.Millisecond
)

var (
	// quick is the tempo of commands that wait for nobody.
	quick = tempo{patience: 3 * time.Second, limit: 10 * time.Second, busy: 3 * time.Second, repeat: true}
	// personal is that of commands that wait for a person. A key gives up by
	// itself after 30 s or so.
	personal = tempo{patience: quick.patience, limit: 2 * time.Minute, busy: quick.busy}
)

// Keepalive is what a key says while it works (CTAP 2.1, 11.2.9.1.7).
type Keepalive byte

// The CTAPHID_KEEPALIVE status codes.
const (
	STATUS_PROCESSING Keepalive = 1
	STATUS_UPNEEDED   Keepalive = 2 // it waits for a touch
)

// Capability flags of the answer to CTAPHID_INIT (CTAP 2.1, 11.2.9.1.3).
const (
	CAPABILITY_WINK = 0x01
	CAPABILITY_CBOR = 0x04
	CAPABILITY_NMSG = 0x08
)

// channel is our CTAPHID channel to an open key. One goroutine uses it.
type channel struct {
	link Link
	cid  uint32
	// What the key said of itself to CTAPHID_INIT.
	protocol, capabilities byte
	version                [3]byte // of the device: major, minor, build
	// stale says that an answer may still be under way.
	stale bool
}

// openChannel allocates a channel (CTAPHID_INIT).
func openChannel(ctx context.Context, link Link) (*channel, error) {
	c := &channel{link: link}
	return c, c.init(ctx, broadcastCID)
}

// exchange sends a message and returns the answer of the same command.
// KEEPALIVEs go to the callback, if there is one. When ctx ends, a
// CTAPHID_CBOR command is cancelled; if the key was faster, its success counts.
func (c *channel) exchange(ctx context.Context, req message, t tempo, keepalive func(Keepalive)) ([]byte, error) {
	data, err := c.attempt(ctx, req, t, keepalive)
	if t.repeat && crowdedOut(err) {
		data, err = c.attempt(ctx, req, t, keepalive)
	}
	return data, err
}

// attempt makes sure of the channel, and waits while the key is busy.
func (c *channel) attempt(ctx context.Context, req message, t tempo, keepalive func(Keepalive)) ([]byte, error) {
	if c.stale {
		if err := c.init(ctx, c.cid); err != nil {
			return nil, err
		}
		c.stale = false
	}
	if t.single {
		return c.once(ctx, req, t, keepalive)
	}
	fresh := false
	var data []byte
	err := c.patiently(ctx, t.busy, func() error {
		var err error
		data, err = c.once(ctx, req, t, keepalive)
		var refused *HIDError
		if errors.As(err, &refused) && refused.Code == ERR_INVALID_CHANNEL && !fresh {
			// It lost its channels, as after sleep.
			fresh = true
			if err := c.init(ctx, broadcastCID); err != nil {
				return err
			}
			data, err = c.once(ctx, req, t, keepalive)
		}
		return err
	})
	return data, err
}

// patiently tries again as long as the key is busy with another channel.
func (c *channel) patiently(ctx context.Context, most time.Duration, try func() error) error {
	begin := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := try()
		var refused *HIDError
		if !errors.As(err, &refused) || refused.Code != ERR_CHANNEL_BUSY {
			return err
		}
		if time.Since(begin) >= most {
			return fmt.Errorf("%w: for %v", err, most)
		}
		if err := c.idle(ctx, jittered(pause)); err != nil {
			return err
		}
	}
}

// jittered is between half of d and all of it, so that two who are told to
// come back do not come back together for ever.
func jittered(d time.Duration) time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(d/2)))
	if err != nil {
		return d
	}
	return d - time.Duration(n.Int64())
}

// idle lets time pass, and drops what others are told meanwhile.
func (c *channel) idle(ctx context.Context, d time.Duration) error {
	until := time.Now().Add(d)
	for time.Now().Before(until) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := c.read(until); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return ctx.Err()
}

func (c *channel) read(deadline time.Time) (*packet, error) {
	if soon := time.Now().Add(slice); soon.Before(deadline) {
		deadline = soon
	}
	var p packet
	if err := c.link.ReadReport(p[:], deadline); err != nil {
		return nil, err
	}
	return &p, nil
}

func (c *channel) write(cid uint32, m message) error {
	all := packets(cid, m)
	if all == nil {
		return fmt.Errorf("fido: %s of %d octets, at most %d fit", m.cmd, len(m.data), maxMessage)
	}
	for i := range all {
		if err := c.link.WriteReport(all[i][:]); err != nil {
			return err
		}
	}
	return nil
}

// once is an exchange without a second try.
func (c *channel) once(ctx context.Context, req message, t tempo, keepalive func(Keepalive)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.write(c.cid, req); err != nil {
		return nil, err
	}
	l := listening{cid: c.cid, cmd: req.cmd, keepalive: keepalive, begin: time.Now(), tempo: t}
	l.heard = l.begin
	c.stale = true // until the answer is here
	var cancelled error
	for {
		if err := ctx.Err(); err != nil && cancelled == nil {
			if req.cmd != CTAPHID_CBOR {
				return nil, err
			}
			if werr := c.write(c.cid, message{cmd: CTAPHID_CANCEL}); werr != nil {
				return nil, werr
			}
			cancelled = err
			l.begin, l.heard = time.Now(), time.Now()
			l.tempo = tempo{patience: grace, limit: grace}
			l.keepalive = nil
		}
		p, err := c.read(l.deadline())
		switch {
		case err == nil:
			done, data, err := l.take(p)
			if done {
				c.stale = errors.Is(err, ErrMalformed)
				if cancelled != nil && (err != nil || !counts(Status(data[0]), t)) {
					return nil, cancelled
				}
				return data, err
			}
			if !time.Now().After(l.deadline()) {
				continue
			}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, err
		case time.Now().Before(l.deadline()):
			continue
		}
		if cancelled != nil {
			// Nobody knows what became of the command.
			return nil, fmt.Errorf("%w, and %w", cancelled, ErrMute)
		}
		if req.cmd == CTAPHID_CBOR {
			if err := c.write(c.cid, message{cmd: CTAPHID_CANCEL}); err != nil {
				return nil, err
			}
		}
		return nil, l.late()
	}
}

// counts says whether the answer to a command that was cancelled is told: a
// success always; of a message that costs a try the refusal too.
func counts(s Status, t tempo) bool {
	return s == CTAP2_OK || t.single && s != CTAP2_ERR_KEEPALIVE_CANCEL
}

// init allocates a channel, or empties ours (CTAP 2.1, 11.2.9.1.3).
func (c *channel) init(ctx context.Context, cid uint32) error {
	try := func() error { return c.initOnce(ctx, cid) }
	err := c.patiently(ctx, quick.busy, try)
	if crowdedOut(err) {
		err = c.patiently(ctx, quick.busy, try)
	}
	var refused *HIDError
	if cid != broadcastCID && errors.As(err, &refused) && refused.Code == ERR_INVALID_CHANNEL {
		return c.init(ctx, broadcastCID)
	}
	return err
}

func (c *channel) initOnce(ctx context.Context, cid uint32) error {
	nonce := make([]byte, 8)
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	if err := c.write(cid, message{CTAPHID_INIT, nonce}); err != nil {
		return err
	}
	l := listening{cid: cid, cmd: CTAPHID_INIT, begin: time.Now(), tempo: quick}
	l.heard = l.begin
	var refused error
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := c.read(l.deadline())
		switch {
		case err == nil && p.cid() != cid:
			l.foreign++
		case err == nil && p.isInit() && p.cmd() == CTAPHID_ERROR && p.bcnt() == 1:
			refused = &HIDError{CTAPHID_INIT, p.first()[0]}
			if cid != broadcastCID || p.first()[0] == ERR_CHANNEL_BUSY {
				return refused
			}
			// Otherwise it may be meant for another program, and our answer
			// still come.
		case err == nil && p.isInit() && p.cmd() == CTAPHID_INIT && p.bcnt() >= 17 && p.bcnt() <= initData && bytes.Equal(p.first()[:8], nonce):
			return c.initialized(p.first()[8:])
		case err == nil:
			l.odd = &FrameError{fmt.Sprintf("%x where the answer to CTAPHID_INIT was due", p[4:24])}
			if p.isInit() && p.cmd() == CTAPHID_INIT {
				l.odd = nil // another program's
			}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		if time.Now().Before(l.deadline()) {
			continue
		}
		if refused != nil {
			return refused
		}
		return l.late()
	}
}

func (c *channel) initialized(a []byte) error {
	cid := binary.BigEndian.Uint32(a)
	if cid == 0 || cid == broadcastCID {
		return &FrameError{fmt.Sprintf("channel %08x allocated, which is reserved", cid)}
	}
	c.cid, c.protocol, c.capabilities = cid, a[4], a[8]
	copy(c.version[:], a[5:8])
	return nil
}
