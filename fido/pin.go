package fido

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Lengths of a PIN in Normalization Form C (CTAP 2.1, 6.5.1).
const (
	leastPIN = 4  // code points
	mostPIN  = 63 // octets of UTF-8
)

// NormalPIN is a PIN as a key compares it: in Unicode Normalization Form C (CTAP
// 2.1, 6.5.1), whatever form the keyboard or the file had. It is a copy, which
// the caller wipes as the PIN itself. It fails with ErrNoPIN where there can be
// no such PIN.
func NormalPIN(pin []byte) ([]byte, error) {
	if !utf8.Valid(pin) {
		return nil, ErrNoPIN
	}
	const growth = 3 // at most (UAX #15, 9), so that nothing is moved and left behind
	normal := norm.NFC.Append(make([]byte, 0, growth*len(pin)), pin...)
	if utf8.RuneCount(normal) < leastPIN || len(normal) > mostPIN || normal[len(normal)-1] == 0 {
		clear(normal)
		return nil, ErrNoPIN
	}
	return normal, nil
}
