package webauthn

import (
	"encoding/binary"

	"github.com/fxamacker/cbor/v2"
)

// Flags are those of authenticator data (WebAuthn L3, 6.1).
type Flags byte

// The flags.
const (
	UserPresent            Flags = 1 << 0 // UP
	UserVerified           Flags = 1 << 2 // UV
	BackupEligible         Flags = 1 << 3 // BE
	BackedUp               Flags = 1 << 4 // BS
	AttestedCredentialData Flags = 1 << 6 // AT
	ExtensionData          Flags = 1 << 7 // ED
)

// Has is whether all of some flags are set.
func (f Flags) Has(all Flags) bool { return f&all == all }

// AuthData is authenticator data (WebAuthn L3, 6.1).
type AuthData struct {
	RPIDHash  [32]byte
	Flags     Flags
	SignCount uint32
	// AAGUID, CredentialID and PublicKey are there where the flag AT is set;
	// PublicKey is nil where it is not.
	AAGUID       [16]byte
	CredentialID []byte // 1 to 1023 octets
	PublicKey    *PublicKey
	// Extensions are the outputs in CBOR, by their identifiers; nil where the
	// flag ED is not set.
	Extensions map[string][]byte
}

// Offsets and sizes in authenticator data, in octets (WebAuthn L3, 6.1, 6.5.1).
const (
	offFlags     = 32
	offSignCount = 33
	minAuthData  = 37
	sizeAAGUID   = 16
)

// ParseAuthData reads authenticator data, all of it: octets that no flag
// accounts for are an error, an *Error of the kind BadAnswer. It keeps no part
// of data.
func ParseAuthData(data []byte) (*AuthData, error) {
	if len(data) < minAuthData {
		return nil, badAnswer("authenticatorData", "shorter than 37 octets")
	}
	a := &AuthData{
		RPIDHash:  [32]byte(data[:offFlags]),
		Flags:     Flags(data[offFlags]),
		SignCount: binary.BigEndian.Uint32(data[offSignCount:]),
	}
	rest := data[minAuthData:]
	var err error
	if a.Flags.Has(AttestedCredentialData) {
		if rest, err = a.parseCredential(rest); err != nil {
			return nil, err
		}
	}
	if a.Flags.Has(ExtensionData) {
		if rest, err = a.parseExtensions(rest); err != nil {
			return nil, err
		}
	}
	if len(rest) > 0 {
		return nil, badAnswer("authenticatorData", "has octets at its end that nothing accounts for")
	}
	return a, nil
}

// parseCredential reads attested credential data (WebAuthn L3, 6.5.1).
func (a *AuthData) parseCredential(data []byte) (rest []byte, err error) {
	if len(data) < sizeAAGUID+2 {
		return nil, badAnswer("attestedCredentialData", "ends too early")
	}
	a.AAGUID = [sizeAAGUID]byte(data)
	size := int(binary.BigEndian.Uint16(data[sizeAAGUID:]))
	data = data[sizeAAGUID+2:]
	if size == 0 || size > maxCredential || size > len(data) {
		return nil, badAnswer("credentialId", "empty, longer than 1023 octets or cut off")
	}
	a.CredentialID = append([]byte{}, data[:size]...)
	data = data[size:]
	var cose cbor.RawMessage
	rest, e := decoding.UnmarshalFirst(data, &cose)
	if e != nil {
		return nil, badAnswer("credentialPublicKey", "not CBOR as CTAP has it")
	}
	a.PublicKey, err = ParsePublicKey(cose)
	return rest, err
}

func (a *AuthData) parseExtensions(data []byte) (rest []byte, err error) {
	var all map[string]cbor.RawMessage
	rest, e := decoding.UnmarshalFirst(data, &all)
	if e != nil || all == nil {
		return nil, badAnswer("extensions", "no CBOR map as CTAP has it")
	}
	a.Extensions = make(map[string][]byte, len(all))
	for name, raw := range all {
		a.Extensions[name] = append([]byte{}, raw...)
	}
	return rest, nil
}

// CredProtect is the level that a key says it gave a credential (CTAP 2.1,
// 12.1), 1 to 3; 0 where it does not say.
func (a *AuthData) CredProtect() int {
	level, ok := number(a.Extensions["credProtect"])
	if !ok || level < 1 || level > 3 {
		return 0
	}
	return int(level)
}
