package webauthn

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// authData builds authenticator data for the tests.
type authData struct {
	rpID       string
	flags      Flags
	aaguid     [16]byte
	id         []byte
	cose       []byte
	extensions []byte
	tail       []byte
}

func (a authData) bytes() []byte {
	hash := sha256.Sum256([]byte(a.rpID))
	out := append(hash[:], byte(a.flags), 0, 0, 0, 7)
	if a.flags.Has(AttestedCredentialData) {
		out = append(out, a.aaguid[:]...)
		out = append(out, byte(len(a.id)>>8), byte(len(a.id)))
		out = append(append(out, a.id...), a.cose...)
	}
	return append(append(out, a.extensions...), a.tail...)
}

func cborOf(t testing.TB, v any) []byte {
	t.Helper()
	data, err := encoding.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// p256 is the example of WebAuthn L3, 6.5.1.1.
func p256(t testing.TB) map[int]any {
	t.Helper()
	return map[int]any{
		1: 2, 3: -7, -1: 1,
		-2: unhex(t, "65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"),
		-3: unhex(t, "1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c"),
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var h hexOctets
	if err := h.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAuthData(t *testing.T) {
	t.Parallel()
	cose := cborOf(t, p256(t))
	full := authData{
		rpID: "example.org", flags: UserPresent | UserVerified | BackupEligible | AttestedCredentialData | ExtensionData,
		aaguid: [16]byte{9}, id: []byte("id"), cose: cose, extensions: cborOf(t, map[string]any{"credProtect": 3, "x": true}),
	}
	data := full.bytes()
	a, err := ParseAuthData(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if a.RPIDHash != sha256.Sum256([]byte("example.org")) || a.Flags != full.flags || a.SignCount != 7 || a.AAGUID != full.aaguid ||
		string(a.CredentialID) != "id" || !bytes.Equal(a.PublicKey.COSE, cose) || a.CredProtect() != 3 || len(a.Extensions) != 2 || a.Extensions["x"][0] != 0xf5 {
		t.Errorf("got %+v", a)
	}
	bare, err := ParseAuthData(authData{flags: UserPresent}.bytes())
	if err != nil || bare.PublicKey != nil || bare.CredentialID != nil || bare.Extensions != nil || bare.CredProtect() != 0 {
		t.Errorf("got %+v, %v", bare, err)
	}
}

func TestMalformedAuthData(t *testing.T) {
	t.Parallel()
	cose := cborOf(t, p256(t))
	const at, ed = AttestedCredentialData, ExtensionData
	for what, data := range map[string][]byte{
		"empty":                     nil,
		"36 octets":                 make([]byte, 36),
		"octets that no flag names": authData{tail: []byte{0}}.bytes(),
		"a credential without AT":   authData{tail: cose}.bytes(),
		"AT and nothing":            authData{flags: at}.bytes()[:37],
		"AT cut in the AAGUID":      authData{flags: at}.bytes()[:54],
		"an empty ID":               authData{flags: at, cose: cose}.bytes(),
		"an ID of 1024 octets":      authData{flags: at, id: make([]byte, 1024), cose: cose}.bytes(),
		"an ID cut off":             authData{flags: at, id: make([]byte, 99)}.bytes()[:60],
		"no public key":             authData{flags: at, id: []byte{1}}.bytes(),
		"a public key cut off":      authData{flags: at, id: []byte{1}, cose: cose[:70]}.bytes(),
		"octets after the key":      authData{flags: at, id: []byte{1}, cose: cose, tail: []byte{0xa0}}.bytes(),
		"ED and nothing":            authData{flags: ed}.bytes(),
		"extensions that are none":  authData{flags: ed, extensions: []byte{0x80}}.bytes(),
		"extensions null":           authData{flags: ed, extensions: []byte{0xf6}}.bytes(),
		"extensions by number":      authData{flags: ed, extensions: cborOf(t, map[int]int{1: 2})}.bytes(),
		"an extension twice":        authData{flags: ed, extensions: []byte{0xa2, 0x61, 'a', 1, 0x61, 'a', 2}}.bytes(),
		"extensions without an end": authData{flags: ed, extensions: []byte{0xbf, 0xff}}.bytes(),
		"octets after extensions":   authData{flags: ed, extensions: []byte{0xa0}, tail: []byte{0}}.bytes(),
	} {
		a, err := ParseAuthData(data)
		var e *Error
		if a != nil || !errors.As(err, &e) || e.Kind != BadAnswer || e.Field == "" {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
}

func TestCredProtectOutputs(t *testing.T) {
	t.Parallel()
	for output, want := range map[any]int{1: 1, 3: 3, 0: 0, 4: 0, -1: 0, "3": 0, true: 0} {
		a := AuthData{Extensions: map[string][]byte{"credProtect": cborOf(t, output)}}
		if got := a.CredProtect(); got != want {
			t.Errorf("%v is %d, want %d", output, got, want)
		}
	}
}

func TestPublicKeys(t *testing.T) {
	t.Parallel()
	rsaKey := map[int]any{1: 3, 3: -257, -1: append([]byte{0x80}, make([]byte, 255)...), -2: []byte{1, 0, 1}}
	edKey := map[int]any{1: 1, 3: -8, -1: 6, -2: make([]byte, 32)}
	with := func(key map[int]any, label int, value any) map[int]any {
		out := map[int]any{}
		for k, v := range key {
			out[k] = v
		}
		if out[label] = value; value == nil {
			delete(out, label)
		}
		return out
	}
	good := p256(t)
	for _, row := range []struct {
		what string
		key  map[int]any
		spki int // octets; 0: none
		ok   bool
	}{
		{"P-256", good, 91, true},
		{"RSA", rsaKey, 294, true},
		{"Ed25519", edKey, 44, true},
		{"another algorithm", with(good, 3, -47), 0, true},
		{"an optional parameter more", with(good, 2, []byte{1}), 91, true},
		{"no kty", with(good, 1, nil), 0, false},
		{"no alg", with(good, 3, nil), 0, false},
		{"alg a string", with(good, 3, "ES256"), 0, false},
		{"ES256 of another type", with(good, 1, 1), 0, false},
		{"ES256 on P-384", with(good, -1, 2), 0, false},
		{"ES256 without curve", with(good, -1, nil), 0, false},
		{"ES384 on P-256", with(good, 3, -35), 0, false},
		{"a compressed point", with(good, -3, true), 0, false},
		{"y as a string", with(good, -3, "x"), 0, false},
		{"x too short", with(good, -2, make([]byte, 31)), 0, false},
		{"x too long", with(good, -2, make([]byte, 33)), 0, false},
		{"no y", with(good, -3, nil), 0, false},
		{"not on the curve", with(good, -3, make([]byte, 32)), 0, false},
		{"EdDSA on another curve", with(edKey, -1, 7), 0, false},
		{"EdDSA of another type", with(edKey, 1, 2), 0, false},
		{"EdDSA too short", with(edKey, -2, make([]byte, 31)), 0, false},
		{"RS256 of another type", with(rsaKey, 1, 2), 0, false},
		{"RS256 of 2040 bits", with(rsaKey, -1, append([]byte{0x80}, make([]byte, 254)...)), 0, false},
		{"RS256 too large", with(rsaKey, -1, append([]byte{0x80}, make([]byte, 1024)...)), 0, false},
		{"RS256 with a leading zero", with(rsaKey, -1, append([]byte{0, 0x80}, make([]byte, 255)...)), 0, false},
		{"RS256 with an even exponent", with(rsaKey, -2, []byte{2}), 0, false},
		{"RS256 with exponent 1", with(rsaKey, -2, []byte{1}), 0, false},
		{"RS256 with a huge exponent", with(rsaKey, -2, []byte{1, 0, 0, 0, 1}), 0, false},
		{"RS256 without exponent", with(rsaKey, -2, nil), 0, false},
	} {
		key, err := ParsePublicKey(cborOf(t, row.key))
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", row.what, err)
		} else if err == nil && len(key.SPKI()) != row.spki {
			t.Errorf("%s: SPKI of %d octets", row.what, len(key.SPKI()))
		}
	}
	for what, data := range map[string][]byte{
		"empty": {}, "a list": {0x80}, "null": {0xf6}, "kty twice": {0xa3, 1, 2, 1, 2, 3, 0x26},
		"octets behind it": append(cborOf(t, good), 0), "a tag": append([]byte{0xc6}, cborOf(t, good)...),
	} {
		if key, err := ParsePublicKey(data); err == nil {
			t.Errorf("%s: %+v", what, key)
		}
	}
}

func FuzzParseAuthData(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Get.AuthData))
		f.Add(made(f, v.Create.AttestationObject).AuthData)
	}
	f.Add(authData{flags: ExtensionData, extensions: []byte{0xa1, 0x6b, 'c', 'r', 'e', 'd', 'P', 'r', 'o', 't', 'e', 'c', 't', 2}}.bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ParseAuthData(data)
		if err != nil {
			return
		}
		if a.Flags.Has(AttestedCredentialData) != (a.PublicKey != nil) || a.Flags.Has(ExtensionData) != (a.Extensions != nil) {
			t.Errorf("flags %08b and %+v", a.Flags, a)
		}
		// All octets are accounted for.
		size := minAuthData
		if a.PublicKey != nil {
			size += sizeAAGUID + 2 + len(a.CredentialID) + len(a.PublicKey.COSE)
		}
		if a.Extensions == nil && size != len(data) || size > len(data) {
			t.Errorf("%d of %d octets", size, len(data))
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	for _, v := range vectors(f) {
		a, err := ParseAuthData(made(f, v.Create.AttestationObject).AuthData)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.PublicKey.COSE)
	}
	known := []int64{ES256, EdDSA, ES384, ES512, RS256}
	f.Fuzz(func(t *testing.T, cose []byte) {
		key, err := ParsePublicKey(cose)
		if err != nil {
			return
		}
		if slices.Contains(known, key.Algorithm) != (key.SPKI() != nil) || cbor.Wellformed(key.COSE) != nil {
			t.Errorf("%x parsed as %+v", cose, key)
		}
	})
}
