package vcard

import (
	"bytes"
	"crypto/subtle"

	"authbridge/pcsc/apdu"
)

// Key references (SP 800-73-4 part 1, table 4a).
const (
	refPIN = 0x80
	refPUK = 0x81
)

const pinLength = 8 // octets on the wire, padded with FF (part 2, 2.4.3)

// reference is reference data with its retry counter.
type reference struct {
	value []byte
	tries int
	limit int
}

func newReference(value []byte, limit int) reference {
	return reference{value: value, tries: limit, limit: limit}
}

func (r *reference) set(value []byte) {
	value = bytes.Clone(value)
	clear(r.value)
	r.value, r.tries = value, r.limit
}

func padPIN(pin string) []byte {
	return append([]byte(pin), bytes.Repeat([]byte{0xFF}, pinLength-len(pin))...)
}

// isPIN reports whether a PIN is as part 2, 2.4.3 wants it: 6 to 8 digits,
// padded with FF.
func isPIN(value []byte) bool {
	digits := bytes.TrimRight(value, "\xFF")
	return len(value) == pinLength && len(digits) >= 6 &&
		bytes.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// PINTriesLeft is the PIN's retry counter, faults included.
func (c *Card) PINTriesLeft() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.triesLeft()
}

func (c *Card) triesLeft() int {
	if c.hasFault(FaultPINBlocked) {
		return 0
	}
	return c.pin.tries
}

// Verified is whether the PIN's security status is TRUE.
func (c *Card) Verified() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verified()
}

func (c *Card) verified() bool { return c.session.verified && c.triesLeft() > 0 }

// verify is VERIFY (part 2, 3.2.1). Without data it tells the tries left, and
// with P1 = FF it resets the security status; neither costs a try.
func (c *Card) verify(cmd apdu.Command) status {
	switch {
	case cmd.P1 != 0x00 && (cmd.P1 != 0xFF || c.profile.Older || c.hasFault(FaultNoLogout)):
		return swWrongP1P2
	case cmd.P2 != refPIN:
		return swReferenceNotFound
	case cmd.P1 == 0xFF && len(cmd.Data) > 0:
		return swWrongData
	case cmd.P1 == 0xFF:
		c.session.verified = false
		return swOK
	case len(cmd.Data) == 0 && c.verified():
		return swOK
	case c.triesLeft() == 0:
		return swBlocked
	case len(cmd.Data) == 0:
		return swTries | status(c.pin.tries)
	case len(cmd.Data) != pinLength:
		return swWrongLength
	case !isPIN(cmd.Data):
		return swWrongData // the counter stays
	}
	c.session.verified = false
	sw := c.try(&c.pin, cmd.Data, cmd.Data)
	c.session.verified = sw == swOK
	c.session.fresh = c.session.verified
	return sw
}

// changeReferenceData is CHANGE REFERENCE DATA (part 2, 3.2.2).
func (c *Card) changeReferenceData(cmd apdu.Command) status {
	ref, valid, tries := &c.pin, isPIN, c.triesLeft()
	switch {
	case cmd.P1 != 0x00:
		return swWrongP1P2
	case cmd.P2 == refPUK:
		ref, valid, tries = &c.puk, func([]byte) bool { return true }, c.puk.tries
	case cmd.P2 != refPIN:
		return swReferenceNotFound
	}
	switch {
	case tries == 0:
		return swBlocked
	case len(cmd.Data) != 2*pinLength:
		return swWrongLength
	}
	old, fresh := cmd.Data[:pinLength], cmd.Data[pinLength:]
	if !valid(old) || !valid(fresh) {
		return swWrongData
	}
	sw := c.try(ref, old, fresh)
	if ref == &c.pin {
		c.session.verified = sw == swOK
	}
	return sw
}

// resetRetryCounter is RESET RETRY COUNTER (part 2, 3.2.3): the PUK sets a new
// PIN. It does not change the PIN's security status.
func (c *Card) resetRetryCounter(cmd apdu.Command) status {
	switch {
	case cmd.P1 != 0x00:
		return swWrongP1P2
	case cmd.P2 != refPIN:
		return swReferenceNotFound
	case c.puk.tries == 0:
		return swBlocked
	case len(cmd.Data) != 2*pinLength:
		return swWrongLength
	case !isPIN(cmd.Data[pinLength:]):
		return swWrongData
	}
	sw := c.try(&c.puk, cmd.Data[:pinLength], cmd.Data[:pinLength])
	if sw != swOK {
		return sw
	}
	c.pin.set(cmd.Data[pinLength:])
	if err := c.persist(); err != nil {
		return swMemoryFailure
	}
	return swOK
}

// try spends a try on a value and, if it is right, gives all tries back and
// sets a new value. The spent try is stored before the comparison, so that no
// crash gives it back.
func (c *Card) try(ref *reference, value, next []byte) status {
	ref.tries--
	if err := c.persist(); err != nil {
		return swMemoryFailure
	}
	if subtle.ConstantTimeCompare(ref.value, value) != 1 {
		return swTries | status(ref.tries)
	}
	ref.set(next)
	if err := c.persist(); err != nil {
		return swMemoryFailure
	}
	return swOK
}
