package piv

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"authbridge/pcsc/apdu"
)

// Floor is how many tries of a card's PIN are never spent.
const Floor = 2

// refPIN is the key reference of the application's PIN (SP 800-73-4 part 1,
// table 4a).
const refPIN = 0x80

// Lengths of a PIN. The standard has 6 to 8 digits (part 2, 2.4.3); older cards
// were given shorter ones, with letters.
const (
	minPIN = 4
	maxPIN = 8
)

// Tries is how many tries of a PIN are left.
type Tries int

// TriesUnknown is a number of tries that the card does not tell.
const TriesUnknown Tries = -1

func (n Tries) String() string {
	if n < 0 {
		return "unknown"
	}
	return fmt.Sprint(int(n))
}

// PINState is what a card answered to an empty VERIFY. The zero value knows
// nothing.
type PINState struct {
	SW apdu.Status
}

// Tries is the number of tries left. A card that was left verified does not
// tell it: that is unknown, not plenty.
func (s PINState) Tries() Tries {
	if n, ok := s.SW.Tries(); ok {
		return Tries(n)
	}
	if s.SW == apdu.SWAuthenticationBlocked {
		return 0
	}
	return TriesUnknown
}

// Verified is whether the PIN is verified already, by whomever.
func (s PINState) Verified() bool { return s.SW == apdu.SWSuccess }

// Blocked is whether no try is left.
func (s PINState) Blocked() bool { return s.Tries() == 0 }

// String is the state in a word or two.
func (s PINState) String() string {
	switch {
	case s.Verified():
		return "verified, tries left: unknown"
	case s.Blocked():
		return "blocked"
	default:
		return "tries left: " + s.Tries().String()
	}
}

// ReadPINState asks for the state of the PIN by a VERIFY without data, which
// costs no try (SP 800-73-4 part 2, 3.2.1). It fails only if the card gives no
// answer; any status word is one.
func ReadPINState(ctx context.Context, t apdu.Transmitter) (PINState, error) {
	r, err := apdu.Send(ctx, t, apdu.Command{INS: insVerify, P2: refPIN})
	var status *apdu.StatusError
	if err != nil && !errors.As(err, &status) {
		return PINState{}, err
	}
	return PINState{SW: r.SW}, nil
}

// Why a PIN was not sent.
var (
	// ErrTriesUnknown: the card did not tell how many tries are left.
	ErrTriesUnknown = errors.New("the PIN was not sent: how many tries are left is unknown")
	// ErrTooFewTries: no more are left than are never to be spent.
	ErrTooFewTries = errors.New("the PIN was not sent: too few tries are left")
	// ErrPINFormat: that can be no PIN.
	ErrPINFormat = fmt.Errorf("the PIN was not sent: it must be of %d to %d printable characters", minPIN, maxPIN)
)

// MayVerify decides whether a PIN may be sent: nil only if more tries are left
// than the floor. Unknown tries are too few, and with none left no floor is low
// enough.
func MayVerify(tries Tries, floor int) error {
	switch {
	case tries < 0:
		return ErrTriesUnknown
	case int(tries) <= max(floor, 0):
		return fmt.Errorf("%w: %d, and %d are kept", ErrTooFewTries, int(tries), max(floor, 0))
	}
	return nil
}

// CheckPIN is ErrPINFormat where a card has no such PIN.
func CheckPIN(pin []byte) error {
	if len(pin) < minPIN || len(pin) > maxPIN || bytes.ContainsFunc(pin, func(r rune) bool { return r < 0x20 || r > 0x7E }) {
		return ErrPINFormat
	}
	return nil
}

// RefusedError is a PIN that the card did not accept. It is not sent again.
type RefusedError struct {
	Tries  Tries // left now
	Status *apdu.StatusError
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the card refused the PIN, tries left: %s", e.Tries)
}

// Unwrap is the status error.
func (e *RefusedError) Unwrap() error { return e.Status }

// Verify sends a PIN (VERIFY, SP 800-73-4 part 2, 3.2.1), once, if [MayVerify]
// allows it for the state that the caller read in the same transaction just
// before. Nothing calls it in the background. The pin is cleared, whatever
// happens. An answer that did not come says nothing about the try: it may be
// spent.
func Verify(ctx context.Context, t apdu.Transmitter, pin []byte, seen PINState, floor int) error {
	defer clear(pin)
	if err := MayVerify(seen.Tries(), floor); err != nil {
		return err
	}
	if err := CheckPIN(pin); err != nil {
		return err
	}
	padded := bytes.Repeat([]byte{0xFF}, maxPIN)
	defer clear(padded)
	copy(padded, pin)
	_, err := apdu.Send(ctx, t, apdu.Command{INS: insVerify, P2: refPIN, Data: padded})
	var status *apdu.StatusError
	if !errors.As(err, &status) {
		return err
	}
	// 63xx without a count is a wrong PIN too (ISO 7816-4, table 6).
	if now := (PINState{SW: status.SW}); now.Tries() != TriesUnknown || status.SW>>8 == apdu.SWTries>>8 {
		return &RefusedError{Tries: now.Tries(), Status: status}
	}
	return status
}

// Uncompared reports whether an error of [Verify] proves that the card has not
// compared the PIN, so that no try was spent: it was not sent, or the card found
// fault with the command (ISO 7816-4, tables 5 and 6; SP 800-73-4 part 2, 3.2.1,
// of 6A80). Of any other error that was no [RefusedError] nobody can tell.
func Uncompared(err error) bool {
	if errors.Is(err, ErrTriesUnknown) || errors.Is(err, ErrTooFewTries) || errors.Is(err, ErrPINFormat) {
		return true
	}
	var status *apdu.StatusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.SW {
	case apdu.SWWrongLength, apdu.SWNoLogicalChannel, apdu.SWNoSecureMessaging, apdu.SWLastOfChainExpected, apdu.SWNoChaining,
		apdu.SWWrongData, apdu.SWFunctionNotSupported, apdu.SWWrongP1P2, apdu.SWReferenceNotFound, apdu.SWNoInstruction, apdu.SWNoClass:
		return true
	}
	return false
}

// Logout makes the PIN unverified again, without a reset (VERIFY with P1 = FF,
// SP 800-73-4 part 2, 3.2.1). Cards older than that standard refuse it.
func Logout(ctx context.Context, t apdu.Transmitter) error {
	_, err := apdu.Send(ctx, t, apdu.Command{INS: insVerify, P1: 0xFF, P2: refPIN})
	return err
}
