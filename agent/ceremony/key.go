package ceremony

import (
	"context"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido"
)

// undoing bounds what is done with a key after its ceremony has ended.
const undoing = 1500 * time.Millisecond

// session is an open key.
type session interface {
	fido.Session
	Close() error
}

// keyUse is one ceremony with a security key.
type keyUse struct {
	s    *station
	a    *act
	w    *work
	key  session // nil while it is closed
	info *fido.Info
	// pin is the right one, kept until the ceremony is over; from is where it
	// came from.
	pin  []byte
	from Source
	// voided: the key has forgotten, or may have, the token that the station
	// keeps. A new token does that, and a touch (CTAP 2.1, 6.5.5.7, 6.1.2).
	voided bool
}

// begin opens the key and asks what it is. Who calls it ends the use.
func (s *station) begin(a *act, w *work) (*keyUse, error) {
	if err := s.count(a.ctx); err != nil {
		return nil, err
	}
	u := &keyUse{s: s, a: a, w: w}
	if err := u.open(a.ctx); err != nil {
		return nil, err
	}
	info, err := u.key.Info(a.ctx)
	if err == nil && !info.FIDO2() {
		err = unable("the key speaks U2F only")
	}
	if err != nil {
		u.end()
		return nil, keyFailure(err)
	}
	u.info = info
	return u, nil
}

// open opens the key; one that is not there is waited for.
func (u *keyUse) open(ctx context.Context) error {
	return u.s.c.present(ctx, u.w, func(ctx context.Context) error {
		key, err := u.s.c.config.Hardware.Key(ctx, u.s.grant.Authenticator.ID)
		if err != nil {
			return keyFailure(err)
		}
		u.key = key
		return nil
	})
}

// present has an authenticator opened. While it is not there, a person is
// asked to put it back.
func (c *Conductor) present(ctx context.Context, w *work, open func(context.Context) error) error {
	asked := false
	for {
		changed := c.config.Hardware.Changed()
		err := open(ctx)
		code := failure.CodeOf(err)
		if code != failure.KeyGone && code != failure.CardGone {
			if err == nil && asked {
				w.step(contract.CeremonyRunning, nil)
			}
			return err
		}
		if !asked {
			asked = true
			w.step(contract.CeremonyInsert, insertPrompt(&w.grant))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (u *keyUse) close() {
	if u.key != nil {
		// An error of closing says that the key went, which the next use tells.
		_ = u.key.Close()
		u.key = nil
	}
}

// end closes the key and wipes the PIN. As long as that is at hand, the station
// gets a token again with which it deletes what was made in the lease.
func (u *keyUse) end() {
	if u.voided && u.s.made > 0 && u.pin != nil && u.key != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(u.a.ctx), undoing)
		defer cancel()
		if err := u.keepToken(ctx, false); err != nil {
			u.s.c.config.Log.WithField("lease", u.s.grant.Lease).WithError(err).Warn("what was made in the lease may stay in the key")
		}
	}
	u.close()
	clear(u.pin)
	u.pin = nil
}

// mostTouches is how often one command tells people to touch the key. Keys ask
// once, and again for another finger; one that flickers asks no more.
const mostTouches = 8

// keepalive is for what may wait for a touch: it tells the person, and tells
// them no longer once the key works on.
func (u *keyUse) keepalive() func(fido.Keepalive) {
	waits, touches := false, 0
	return func(k fido.Keepalive) {
		if needed := k == fido.STATUS_UPNEEDED; needed == waits || needed && touches == mostTouches {
			return
		}
		if waits = !waits; waits {
			touches++
			u.w.step(contract.CeremonyTouch, touchPrompt(&u.w.grant))
		} else {
			u.w.step(contract.CeremonyRunning, nil)
		}
	}
}
