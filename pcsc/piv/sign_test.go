package piv_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"

	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
)

func signer(t *testing.T, key crypto.Signer) *piv.Card {
	t.Helper()
	card, err := piv.Read(t.Context(), newFake().holding(piv.SlotAuthentication, issue(t, key)))
	if err != nil || len(card.Certificates) != 1 {
		t.Fatalf("%+v, %v", card, err)
	}
	return card
}

func TestEveryKeyOfTheStandardSigns(t *testing.T) {
	t.Parallel()
	newRSA := func(bits int) crypto.Signer {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	for name, c := range map[string]struct {
		key       crypto.Signer
		hash      crypto.Hash
		algorithm byte
	}{
		"RSA 1024, SHA-1":   {newRSA(1024), crypto.SHA1, 0x06},
		"RSA 2048, SHA-256": {newRSA(2048), crypto.SHA256, 0x07},
		"RSA 2048, SHA-512": {newRSA(2048), crypto.SHA512, 0x07},
		"RSA 3072, SHA-384": {newRSA(3072), crypto.SHA384, 0x05},
		"P-256, SHA-256":    {newECC(t, elliptic.P256()), crypto.SHA256, 0x11},
		"P-256, SHA-512":    {newECC(t, elliptic.P256()), crypto.SHA512, 0x11},
		"P-384, SHA-384":    {newECC(t, elliptic.P384()), crypto.SHA384, 0x14},
		"P-384, SHA-256":    {newECC(t, elliptic.P384()), crypto.SHA256, 0x14},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			public := signer(t, c.key).Certificates[0].X509.PublicKey
			chip := &chip{key: c.key}
			h := c.hash.New()
			h.Write([]byte("what is signed"))
			signature, err := piv.Sign(t.Context(), chip, piv.SlotAuthentication, public, h.Sum(nil), c.hash)
			if err != nil || len(signature) == 0 {
				t.Fatal(err)
			}
			if chip.p1 != c.algorithm || chip.p2 != 0x9A {
				t.Errorf("algorithm %02X, slot %02X", chip.p1, chip.p2)
			}
		})
	}
}

// chip signs as a card does: RSA without any padding of its own, chains joined,
// the answer in parts.
type chip struct {
	key     crypto.Signer
	p1, p2  byte
	data    []byte
	spoil   bool
	pending fake
}

func (c *chip) Transmit(_ context.Context, raw []byte) ([]byte, error) {
	command, err := apdu.ParseCommand(raw)
	if err != nil {
		return octets("67 00"), nil
	}
	if command.INS == 0xC0 {
		return c.pending.give(command.Le), nil
	}
	c.p1, c.p2 = command.P1, command.P2
	c.data = append(c.data, command.Data...)
	if command.CLA == 0x10 {
		return octets("90 00"), nil
	}
	challenge, err := apdu.Find(c.data, 0x7C, 0x81)
	if err != nil {
		return octets("6A 80"), nil
	}
	if asked, err := apdu.Find(c.data, 0x7C, 0x82); err != nil || len(asked) != 0 {
		return octets("6A 80"), nil
	}
	var signature []byte
	switch key := c.key.(type) {
	case *rsa.PrivateKey:
		if len(challenge) != key.Size() {
			return octets("6A 80"), nil
		}
		m := new(big.Int).SetBytes(challenge)
		signature = m.Exp(m, key.D, key.N).FillBytes(make([]byte, key.Size()))
	case *ecdsa.PrivateKey:
		if len(challenge) != (key.Curve.Params().BitSize+7)/8 {
			return octets("6A 80"), nil
		}
		signature, _ = ecdsa.SignASN1(rand.Reader, key, challenge)
	}
	if c.spoil {
		signature[len(signature)-1] ^= 1
	}
	c.pending.pending = apdu.EncodeTLV(0x7C, apdu.EncodeTLV(0x82, signature))
	return c.pending.give(command.Le), nil
}

func TestASignatureThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	key := newECC(t, elliptic.P256())
	digest := bytes.Repeat([]byte{7}, 32)
	if _, err := piv.Sign(t.Context(), &chip{key: key, spoil: true}, piv.SlotAuthentication, key.Public(), digest, crypto.SHA256); !errors.Is(err, piv.ErrSignature) {
		t.Errorf("spoilt: %v", err)
	}
	other := newECC(t, elliptic.P256())
	if _, err := piv.Sign(t.Context(), &chip{key: other}, piv.SlotAuthentication, key.Public(), digest, crypto.SHA256); !errors.Is(err, piv.ErrSignature) {
		t.Errorf("of another key: %v", err)
	}
	f := newFake() // knows no GENERAL AUTHENTICATE
	if _, err := piv.Sign(t.Context(), f, piv.SlotAuthentication, key.Public(), digest, crypto.SHA256); !errors.Is(err, apdu.SWNoInstruction) {
		t.Errorf("refused: %v", err)
	}
}

func TestWhatCannotBeSignedIsNotSent(t *testing.T) {
	t.Parallel()
	key := newECC(t, elliptic.P256())
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		public crypto.PublicKey
		digest int
		hash   crypto.Hash
		want   error
	}{
		"a digest of another hash":   {key.Public(), 20, crypto.SHA256, piv.ErrDigest},
		"no hash":                    {key.Public(), 0, 0, piv.ErrDigest},
		"a hash that PKCS 1 has not": {small.Public(), 16, crypto.MD5, piv.ErrDigest},
		"a curve that PIV has not":   {newECC(t, elliptic.P521()).Public(), 32, crypto.SHA256, piv.ErrKey},
		"an algorithm it has not":    {edwards, 32, crypto.SHA256, piv.ErrKey},
	} {
		f := newFake()
		if _, err := piv.Sign(t.Context(), f, piv.SlotAuthentication, c.public, make([]byte, c.digest), c.hash); !errors.Is(err, c.want) || len(f.commands) > 0 {
			t.Errorf("%s: %v, %d commands", name, err, len(f.commands))
		}
	}
}
