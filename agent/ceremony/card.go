package ceremony

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
	"authbridge/pcsc"
	"authbridge/pcsc/piv"
)

// sign is the ceremony of a card signature (DESIGN 5.4). All that can be decided
// without the card is decided before it is touched. Then comes the PIN, which a
// person may have to enter, and after it one transaction, in which nobody waits
// for a person.
func (c *Conductor) sign(ctx context.Context, w *work) (*contract.CeremonyResult, error) {
	var s *signing
	err := c.present(ctx, w, func(context.Context) (err error) {
		s, err = c.planOf(w)
		return err
	})
	if err != nil {
		return nil, err
	}
	w.live = w.live || s.live
	signature, err := c.signFor(ctx, w, s)
	if err != nil {
		return nil, cardFailure(err)
	}
	return &contract.CeremonyResult{
		Signature: signature, Certificate: s.certificate.Raw, Hash: s.hashName, Signed: s.signed,
	}, nil
}

// planOf decides by what is known of the card. It fails with CardGone while it
// is not there.
func (c *Conductor) planOf(w *work) (*signing, error) {
	card := w.grant.Authenticator
	there := c.known(card.ID)
	if there == nil || there.Origin != card.Origin {
		return nil, &failure.Error{Code: failure.CardGone, Detail: card.Name + " is not where it was leased"}
	}
	certificates, _ := c.config.Hardware.Certificates(card.ID, true)
	return planSigning(w.request, signingFacts{
		origin: card.Origin, target: w.grant.Target, certificates: certificates, allowed: c.config.Policy.Signing,
	})
}

// known is what the newest snapshot says of an authenticator; nil: nothing.
func (c *Conductor) known(id string) *contract.Authenticator {
	snapshot := c.config.Hardware.Snapshot()
	if snapshot == nil {
		return nil
	}
	for i := range snapshot.Authenticators {
		if snapshot.Authenticators[i].ID == id {
			return &snapshot.Authenticators[i]
		}
	}
	return nil
}

// errNeedsPIN is a card that is to be opened by a PIN, while none is at hand.
var errNeedsPIN = errors.New("the card wants its PIN first")

// signFor gets the PIN, if there has to be one, and the signature. A person is
// asked for it once the card has told the tries left: who would not be heard is
// not asked. Only a person may enter another PIN after one that was wrong, while
// more tries are left than are kept.
func (c *Conductor) signFor(ctx context.Context, w *work, s *signing) ([]byte, error) {
	card, leased := w.grant.Authenticator.ID, w.grant.Lease
	traces, err := c.store.Traces(ctx, leased)
	if err != nil {
		return nil, err
	}
	o := opening{w: w, s: s, override: w.request.Override, traced: traceOf(traces, card)}
	wants := !w.asks() && s.needsPIN() && (s.eachTime() || !c.pins.openedIn(card, leased))
	again := false
	for {
		if wants {
			if err := o.getPIN(ctx, again); err != nil {
				return nil, err
			}
		}
		signature, err := c.signOnce(ctx, &o)
		clear(o.pin)
		o.pin = nil
		switch code := failure.CodeOf(err); {
		case errors.Is(err, errNeedsPIN) && !wants:
			wants = true
		case o.from != Person:
			return signature, err
		case code == failure.PINRefused:
			var wrong *piv.RefusedError
			if !errors.As(err, &wrong) || int(wrong.Tries) <= piv.Floor {
				return nil, err
			}
			o.tries, o.override, again = new(int(wrong.Tries)), false, true
		case code == failure.PINRefusedBefore, code == failure.PINFormat:
			again = true
		default:
			return signature, err
		}
	}
}

// opening is a card on its way to a signature.
type opening struct {
	w        *work
	s        *signing
	pin      []byte // nil: none is thought to be needed
	from     Source
	override bool
	tries    *int // left, as far as the card has told
	// traced is whether a trace says that a PIN was sent in this lease.
	traced bool
}

// getPIN gets the PIN from where it comes. That of a live card comes from
// nowhere but a person.
func (o *opening) getPIN(ctx context.Context, again bool) (err error) {
	o.pin, o.from, err = o.w.pin(ctx, pinAsk{tries: o.tries, again: again})
	if err == nil && o.w.live && o.from != Person {
		clear(o.pin)
		err = &failure.Error{Code: failure.PINPersonOnly, Detail: "it came from " + string(o.from)}
	}
	return err
}

// noticing is how long it may take until the service sees that a card was
// pulled; pcscd looks every 0.4 s.
const noticing = 2 * time.Second

// signOnce is all that is done with the card: one connection, one transaction. A
// card that turns out to have been pulled just before, and got nothing, is waited
// for as one that was not there.
func (c *Conductor) signOnce(ctx context.Context, o *opening) ([]byte, error) {
	var late <-chan time.Time
	for {
		changed := c.config.Hardware.Changed()
		signature, reached, err := c.signNow(ctx, o)
		if reached || !pulled(err) {
			return signature, err
		}
		if late == nil {
			late = time.After(noticing)
		}
		select {
		case <-changed:
		case <-late:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// pulled is whether the service says that there is no such card any more.
func pulled(err error) bool {
	var code pcsc.Code
	return errors.As(err, &code) && pcscCode(code) == failure.CardGone
}

// signNow is signOnce with the card that is there. It says whether that answered.
func (c *Conductor) signNow(ctx context.Context, o *opening) (signature []byte, reached bool, err error) {
	var conn *pcsc.Conn
	err = c.present(ctx, o.w, func(ctx context.Context) (err error) {
		conn, err = c.config.Hardware.Card(ctx, o.w.grant.Authenticator.ID)
		return err
	})
	if err != nil {
		return nil, true, err
	}
	defer closeCard(ctx, conn)
	err = conn.Transaction(ctx, func(tx *pcsc.Tx) error {
		if _, err := piv.Select(ctx, tx); err != nil {
			return err
		}
		reached = true
		if err := o.look(ctx, conn, tx); err != nil {
			return err
		}
		if o.s.needsPIN() {
			if err := c.open(ctx, tx, o); err != nil {
				return err
			}
		}
		signature, err = piv.Sign(ctx, tx, o.s.slot, o.s.certificate.PublicKey, o.s.digest, o.s.hash)
		return err
	})
	if err != nil {
		return nil, reached, err
	}
	return signature, true, nil
}

// closeCard lets go of a card. What was cut short may hang for as long as a
// deadline: the connector, whose the goroutine behind a connection is, sees that
// through.
func closeCard(ctx context.Context, conn *pcsc.Conn) {
	if ctx.Err() != nil {
		go conn.Close()
		return
	}
	_ = conn.Close() // a card that hangs has said so before
}

// look makes sure that the card is the one that was decided on: another may have
// been put in since.
func (o *opening) look(ctx context.Context, conn *pcsc.Conn, tx *pcsc.Tx) error {
	reading := piv.Reading{Short: conn.Protocol() == pcsc.ProtocolT0}
	certificate, err := reading.Certificate(ctx, tx, o.s.slot)
	switch {
	case errors.Is(err, piv.ErrMissing):
	case err != nil:
		return err
	case certificate.SHA256 == o.s.fingerprint:
		return nil
	}
	return &failure.Error{Code: failure.CardGone, Detail: "the certificate in " + o.s.slot.String() + " is another: the card was changed"}
}

// open sees to it that the slot's key may be used: by the PIN, or because it was
// sent earlier in this lease. A card that somebody else left verified does not
// say how many tries are left, and gets no PIN.
func (c *Conductor) open(ctx context.Context, tx *pcsc.Tx, o *opening) error {
	card, leased := o.w.grant.Authenticator.ID, o.w.grant.Lease
	state, err := piv.ReadPINState(ctx, tx)
	if err != nil {
		return err
	}
	opened := c.pins.openedIn(card, leased)
	switch {
	case state.Verified() && opened && !o.s.eachTime():
		return nil
	case state.Verified() && (opened || o.traced):
		// It is ours to close, and then it tells.
		if state, err = piv.Unverify(ctx, tx); err != nil {
			return err
		}
	}
	o.tries = nil
	if n := int(state.Tries()); n >= 0 {
		o.tries = &n
	}
	if o.pin == nil {
		if err := mayTry(o.tries, piv.Floor, o.override); err != nil {
			return err
		}
		return errNeedsPIN
	}
	floor := piv.Floor
	if o.override {
		floor = 0
	}
	err = c.pins.attempt(ctx, attempt{
		authenticator: card, kind: contract.Smartcard, source: o.from, caller: o.w.caller(o.from), pin: o.pin,
		tries: o.tries, floor: piv.Floor, override: o.override,
	}, func(pin []byte) error {
		if err := c.trace(ctx, o); err != nil {
			return err
		}
		return piv.Verify(ctx, tx, pin, state, floor)
	})
	if err == nil {
		c.pins.setOpened(card, leased)
	}
	return err
}

// trace writes down that a PIN is about to be sent in this lease, so that its
// end closes what the PIN opens, after kill -9 too.
func (c *Conductor) trace(ctx context.Context, o *opening) error {
	if o.traced {
		return nil
	}
	err := c.store.PutTrace(ctx, store.Trace{
		Lease: o.w.grant.Lease, Authenticator: o.w.grant.Authenticator.ID, Verified: true, At: c.now(),
	})
	if err != nil {
		return fmt.Errorf("%w: it could not be written down first: %w", errNotSent, err)
	}
	o.traced = true
	return nil
}

// traceOf is whether a PIN was sent to a card.
func traceOf(traces []store.Trace, card string) bool {
	for _, t := range traces {
		if t.Verified && t.Authenticator == card {
			return true
		}
	}
	return false
}
