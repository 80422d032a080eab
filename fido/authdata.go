package fido

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Authenticator data (WebAuthn L3, 6.1 and 6.5.1): rpIdHash, flags, signCount,
// then perhaps attested credential data and extensions.
const (
	authDataSize = 32 + 1 + 4
	flagsAt      = 32
	flagAT       = 0x40
	flagED       = 0x80
	attestedSize = 16 + 2 // aaguid, credentialIdLength
	// maxID is the longest credential id there is, in octets.
	maxID = 1023
)

// checkAuthData holds what a key signed against what it was asked for.
func checkAuthData(command byte, data []byte, rpID string) error {
	if len(data) < authDataSize {
		return malformed(command, "authData (0x02) of %d octets", len(data))
	}
	if sum := sha256.Sum256([]byte(rpID)); !bytes.Equal(sum[:], data[:len(sum)]) {
		return malformed(command, "authData (0x02) is for another RP ID")
	}
	return nil
}

// attestedID is the id of the credential that the authenticator data of a new
// one have in them.
func attestedID(data []byte) ([]byte, error) {
	rest := data[authDataSize:]
	if data[flagsAt]&flagAT == 0 || len(rest) < attestedSize {
		return nil, errors.New("no attested credential data")
	}
	n := int(binary.BigEndian.Uint16(rest[attestedSize-2:]))
	rest = rest[attestedSize:]
	if n == 0 || n > maxID || n > len(rest) {
		return nil, fmt.Errorf("a credential id of %d octets", n)
	}
	id := bytes.Clone(rest[:n])
	rest = rest[n:]
	parts := 1 // the public key
	if data[flagsAt]&flagED != 0 {
		parts++
	}
	for range parts {
		var part cbor.RawMessage
		var err error
		if rest, err = strict().UnmarshalFirst(rest, &part); err != nil {
			return nil, err
		}
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d octets behind the end", len(rest))
	}
	return id, nil
}
