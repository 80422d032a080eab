package vkey

import (
	"bytes"
	"testing"
)

func TestOnlyCanonicalCBORIsRead(t *testing.T) {
	t.Parallel()
	good := append([]byte{authenticatorClientPIN}, 0xa1, 0x02, 0x01) // {2: 1}
	for name, tt := range map[string]struct {
		message []byte
		want    status
	}{
		"canonical":             {good, CTAP2_OK},
		"a number too long":     {[]byte{6, 0xa1, 0x02, 0x18, 0x01}, CTAP2_ERR_INVALID_CBOR},
		"keys out of order":     {[]byte{6, 0xa2, 0x02, 0x01, 0x01, 0x01}, CTAP2_ERR_INVALID_CBOR},
		"a key twice":           {[]byte{6, 0xa2, 0x02, 0x01, 0x02, 0x01}, CTAP2_ERR_INVALID_CBOR},
		"a map without its end": {[]byte{6, 0xbf, 0x02, 0x01, 0xff}, CTAP2_ERR_INVALID_CBOR},
		"cut short":             {[]byte{6, 0xa2, 0x02, 0x01}, CTAP2_ERR_INVALID_CBOR},
		"something behind":      {append(bytes.Clone(good), 0), CTAP2_ERR_INVALID_CBOR},
		"a tag":                 {[]byte{6, 0xa2, 0x02, 0x01, 0x18, 0x63, 0xc1, 0x00}, CTAP2_ERR_INVALID_CBOR},
		"nested five deep":      {[]byte{6, 0xa2, 0x02, 0x01, 0x18, 0x63, 0x81, 0x81, 0x81, 0x81, 0x00}, CTAP2_ERR_INVALID_CBOR},
		"nothing":               {[]byte{6}, CTAP2_ERR_INVALID_CBOR},
		"an array":              {[]byte{6, 0x80}, CTAP2_ERR_CBOR_UNEXPECTED_TYPE},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{})
			b.send(b.channel(), CTAPHID_CBOR, tt.message)
			if m := b.one(); status(m.data[0]) != tt.want {
				t.Errorf("got %v, want %v", status(m.data[0]), tt.want)
			}
		})
	}
}

// FuzzCTAP feeds commands to the authenticator: it never panics, and never
// gives a token or a signature away.
func FuzzCTAP(f *testing.F) {
	for cmd, params := range map[byte]map[int]any{
		authenticatorMakeCredential:       wish(option("rk", true), extension("credProtect", 2)),
		authenticatorGetAssertion:         ask(allow([]byte("id"))),
		authenticatorClientPIN:            {1: 2, 2: setPIN, 3: coseKey{Kty: 2, Alg: -25, Crv: 1, X: make([]byte, 32), Y: make([]byte, 32)}, 4: []byte{}, 5: make([]byte, 80), 6: make([]byte, 32)},
		authenticatorCredentialManagement: {1: deleteCredential, 2: map[int]any{2: map[string]any{"id": []byte{1}, "type": "public-key"}}, 3: 1, 4: make([]byte, 16)},
	} {
		f.Add(append([]byte{cmd}, encode(params)...))
	}
	f.Add([]byte{authenticatorGetInfo})
	f.Add([]byte{authenticatorGetNextAssertion})
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) == 0 {
			return
		}
		b := newBench(t, Config{PIN: []byte("1234")})
		r := b.m.auth.command(b.now, message)
		if r.touch != nil {
			r.reply = r.touch(b.now, true)
		}
		if len(r.reply) == 0 {
			t.Fatal("no status")
		}
		if cmd := message[0]; status(r.reply[0]) == CTAP2_OK && (cmd == authenticatorGetAssertion || cmd == authenticatorCredentialManagement) {
			t.Errorf("%x is answered by %x", message, r.reply)
		}
	})
}
