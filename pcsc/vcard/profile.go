package vcard

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"authbridge/pcsc"
)

// Slot is a PIV key reference (SP 800-73-4 part 1, table 4b).
type Slot byte

// The asymmetric keys of a PIV card.
const (
	SlotAuthentication     Slot = 0x9A // PIN once
	SlotSignature          Slot = 0x9C // PIN always
	SlotKeyManagement      Slot = 0x9D // PIN once
	SlotCardAuthentication Slot = 0x9E // no PIN
)

func (s Slot) String() string { return fmt.Sprintf("%02X", byte(s)) }

// KeyType is a key's algorithm and size.
type KeyType int

// The keys a card may have.
const (
	RSA2048 KeyType = iota
	ECCP256
)

// Profile says what a card is. User, Surname and Forename must be given; the
// zero value of the rest is an NHS-like card: two RSA keys, authentication and
// signature.
type Profile struct {
	User     string // 12-digit UUID
	Surname  string
	Forename string
	// PIN is 6 to 8 digits; empty is [DefaultPIN].
	PIN string
	// PUK is 8 characters; empty is [DefaultPUK].
	PUK  string
	Keys KeyType
	// Slots are the keys that have a certificate; none means
	// authentication and signature.
	Slots []Slot
	// Older leaves out what came with SP 800-73-4: VERIFY with P1 = FF,
	// which resets the security status.
	Older bool
	// Yubico adds what the tools of that maker want before they read a PIV
	// card: two vendor commands (version and serial number), and answers at
	// once to commands without Le.
	Yubico bool
	// Protocol is the one the card speaks, T=1 unless it says T=0.
	Protocol pcsc.Protocol
}

// What a virtual card is made with where its profile does not say.
const (
	DefaultPIN = "123456"
	DefaultPUK = "12345678"
)

// pinTries and pukTries are the retry limits: NHS cards lock after 3.
const (
	pinTries = 3
	pukTries = 3
)

// validity of a card's certificates is exactly two years on all NHS samples.
const validityYears = 2

// renewBefore is when [OpenCard] renews certificates: as soon as an NHS card
// could renew its own, 90 days before they expire.
const renewBefore = 90 * 24 * time.Hour

// What the fields of a profile may hold. These are no regular expressions:
// compiling Unicode's letters 40 times over took 1.5 ms and 1.5 MB of every
// start of a program that links this package.

func isUser(s string) bool { return len(s) == 12 && isAll(s, isDigit) }

func isName(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= 1 && n <= 40 && isAll(s, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsMark(r) || strings.ContainsRune("'’. -", r)
	})
}

func isProfilePIN(s string) bool { return len(s) >= 6 && len(s) <= 8 && isAll(s, isDigit) }

func isProfilePUK(s string) bool {
	return len(s) == 8 && isAll(s, func(r rune) bool { return r >= ' ' && r <= '~' })
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isAll(s string, ok func(rune) bool) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !ok(r) })
}

// complete fills in the defaults and says which field is wrong. It never
// repeats a PIN.
func (p Profile) complete() (Profile, error) {
	if p.PIN == "" {
		p.PIN = DefaultPIN
	}
	if p.PUK == "" {
		p.PUK = DefaultPUK
	}
	if len(p.Slots) == 0 {
		p.Slots = []Slot{SlotAuthentication, SlotSignature}
	}
	if p.Protocol == pcsc.ProtocolUndefined {
		p.Protocol = pcsc.ProtocolT1
	}
	switch {
	case !isUser(p.User):
		return p, fmt.Errorf("card profile: user %q: want 12 digits", p.User)
	case !isName(p.Surname):
		return p, fmt.Errorf("card profile: surname %q: want 1 to 40 letters", p.Surname)
	case !isName(p.Forename):
		return p, fmt.Errorf("card profile: forename %q: want 1 to 40 letters", p.Forename)
	case !isProfilePIN(p.PIN):
		return p, fmt.Errorf("card profile: the PIN is not 6 to 8 digits")
	case !isProfilePUK(p.PUK):
		return p, fmt.Errorf("card profile: the PUK is not 8 characters")
	case p.Keys != RSA2048 && p.Keys != ECCP256:
		return p, fmt.Errorf("card profile: key type %d is not known", p.Keys)
	case p.Protocol != pcsc.ProtocolT0 && p.Protocol != pcsc.ProtocolT1:
		return p, fmt.Errorf("card profile: protocol %d: want T=0 or T=1", p.Protocol)
	}
	p.Slots = slices.Clone(p.Slots)
	slices.Sort(p.Slots)
	p.Slots = slices.Compact(p.Slots)
	for _, s := range p.Slots {
		if s < SlotAuthentication || s > SlotCardAuthentication || s == 0x9B {
			return p, fmt.Errorf("card profile: slot %s has no certificate: want 9A, 9C, 9D or 9E", s)
		}
	}
	return p, nil
}

func (p Profile) commonName() string { return p.User + "_" + p.Surname + "_" + p.Forename }
