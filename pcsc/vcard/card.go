package vcard

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"authbridge/pcsc"
)

// Card is a virtual PIV card: the chip, not the reader. Its methods may be
// called from any goroutine; a reader gives it one APDU at a time.
type Card struct {
	ca      *CA
	profile Profile
	keys    map[Slot]crypto.Signer
	guid    [16]byte
	file    string // where changes of the PIN state are kept; "" nowhere

	placed atomic.Bool // in a reader

	mu      sync.Mutex                 // guards everything below; never held while waiting
	certs   map[Slot]*x509.Certificate // its own
	shown   map[Slot]*x509.Certificate // with faults
	objects map[objectTag][]byte
	pin     reference
	puk     reference
	powered bool
	session session
	faults  []Fault
	refault chan struct{} // closed when the faults change
	log     journal
}

// session is what a reset forgets.
type session struct {
	app      application
	verified bool // the PIN's security status
	fresh    bool // VERIFY was the command just before (PIN always)
	chain    chain
	pending  []byte // the rest of an answer, for GET RESPONSE
}

type application int

const (
	appManager application = iota // selected after a reset
	appPIV
)

// ErrUnpowered is what a card without power says.
var ErrUnpowered = errors.New("the card has no power")

// NewCard makes a card with fresh keys, kept nowhere. It has no power until it
// is in a reader, or until [Card.PowerOn].
func NewCard(profile Profile, ca *CA) (*Card, error) {
	p, err := profile.complete()
	if err != nil {
		return nil, err
	}
	keys, err := ca.newKeys(p)
	if err != nil {
		return nil, err
	}
	c := &Card{ca: ca, profile: p, keys: keys, certs: make(map[Slot]*x509.Certificate)}
	if c.guid, err = ca.newGUID(); err != nil {
		return nil, err
	}
	for _, slot := range p.Slots {
		if c.certs[slot], err = ca.certify(p, slot, keys[slot].Public(), order{}); err != nil {
			return nil, err
		}
	}
	c.pin = newReference(padPIN(p.PIN), pinTries)
	c.puk = newReference([]byte(p.PUK), pukTries)
	c.profile.PIN, c.profile.PUK = "", ""
	c.refault = make(chan struct{})
	c.show(c.certs)
	return c, nil
}

// show makes certificates those that are read from the card.
func (c *Card) show(certs map[Slot]*x509.Certificate) {
	c.shown = certs
	c.objects = c.makeObjects(certs)
}

// Profile is what the card was made from, without PIN and PUK.
func (c *Card) Profile() Profile {
	p := c.profile
	p.Slots = slices.Clone(p.Slots)
	return p
}

// Protocol is the transmission protocol the card speaks.
func (c *Card) Protocol() pcsc.Protocol {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasFault(FaultRetiredATR) {
		return pcsc.ProtocolT1
	}
	return c.profile.Protocol
}

// Certificate is the certificate in a slot as a reader gets it now, faults
// included; nil if there is none.
func (c *Card) Certificate(slot Slot) *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown[slot]
}

// take puts the card somewhere, unless it is somewhere.
func (c *Card) take() bool { return c.placed.CompareAndSwap(false, true) }

func (c *Card) give() { c.placed.Store(false) }

// PowerOn gives the card power and returns its ATR, nil if it gives none.
func (c *Card) PowerOn() []byte { return c.Reset() }

// Reset is a warm reset: the security status and any half-done exchange are
// forgotten.
func (c *Card) Reset() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session{}
	c.powered = true
	return c.atr()
}

// PowerOff takes the card's power away.
func (c *Card) PowerOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session{}
	c.powered = false
}

// Transmit gives the card a command APDU and returns its response APDU. It
// fails only if the card has no power or ctx, which is the card's contact with
// the reader, ends first.
func (c *Card) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	entry, err := c.receive(command)
	if err != nil {
		return nil, err
	}
	faults, err := c.withstand(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var answer []byte
	if f, ok := find(faults, FaultSW); ok {
		answer = statusOnly(status(f.SW))
	} else {
		answer = spoil(c.process(command), faults)
	}
	entry.answered(answer)
	return answer, nil
}

// receive logs a command, before anything is done with it.
func (c *Card) receive(command []byte) (*Exchange, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.powered {
		return nil, ErrUnpowered
	}
	return c.log.add(command, c.ca.now()), nil
}

// ATR is the answer to reset, faults included; nil if there is none.
func (c *Card) ATR() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.atr()
}

func (c *Card) atr() []byte {
	switch {
	case c.hasFault(FaultNoATR):
		return nil
	case c.hasFault(FaultRetiredATR):
		return bytes.Clone(retiredATR)
	case c.profile.Protocol == pcsc.ProtocolT0:
		return makeATR(0)
	default:
		return makeATR(1)
	}
}

// retiredATR is that of a JCOP41 card, NHS series 5 and 6.
var retiredATR = []byte{
	0x3B, 0xF9, 0x18, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45,
	0x4A, 0x43, 0x4F, 0x50, 0x34, 0x31, 0x56, 0x32, 0x32, 0xAF,
}

// makeATR builds the ATR of our cards (ISO 7816-3, 8.2): one protocol, and
// historical bytes that are no product's. They say (ISO 7816-4, 8.1.1) that
// the card chains commands and has extended Lc and Le, and its name.
func makeATR(protocol byte) []byte {
	historical := []byte{0x80, 0x73, 0xC0, 0x01, 0xC0, 0x59, 'A', 'B', 'v', 'i', 'r', 't', 'u', 'a', 'l'}
	n := byte(len(historical))
	if protocol == 0 {
		return append([]byte{0x3B, n}, historical...)
	}
	// TD1 and TD2 name T=1; TA3 is IFSC 254, TB3 the waiting times.
	atr := append([]byte{0x3B, 0x80 | n, 0x81, 0x31, 0xFE, 0x45}, historical...)
	var check byte
	for _, octet := range atr[1:] {
		check ^= octet
	}
	return append(atr, check)
}
