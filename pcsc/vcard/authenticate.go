package vcard

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"math/big"

	"authbridge/pcsc/apdu"
)

// Algorithm identifiers (SP 800-78-4, table 6-2).
const (
	algRSA2048 = 0x07
	algECCP256 = 0x11
)

// Tags of the dynamic authentication template (SP 800-73-4 part 2, table 7).
const (
	tagTemplate       = 0x7C
	tagChallenge      = 0x81
	tagResponse       = 0x82
	tagExponentiation = 0x85
)

// generalAuthenticate is GENERAL AUTHENTICATE (part 2, 3.2.4): what is given is
// signed, decrypted or agreed on with the private key of a slot. The card puts
// no padding on anything.
func (c *Card) generalAuthenticate(cmd apdu.Command) ([]byte, status) {
	fresh := c.session.fresh
	c.session.fresh = false
	slot := Slot(cmd.P2)
	key, ok := c.keys[slot]
	if !ok {
		return nil, swWrongP1P2
	}
	allowed := c.verified()
	switch slot {
	case SlotCardAuthentication:
		allowed = true
	case SlotSignature: // PIN always: VERIFY must come just before
		allowed = allowed && fresh
	}
	tag, input, ok := parseTemplate(cmd.Data)
	var output []byte
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if cmd.P1 != algRSA2048 {
			return nil, swWrongP1P2
		}
		if !allowed {
			return nil, swSecurityNotSatisfied
		}
		if ok = ok && tag == tagChallenge; ok {
			output, ok = rsaPrivate(key, input)
		}
	case *ecdsa.PrivateKey:
		if cmd.P1 != algECCP256 {
			return nil, swWrongP1P2
		}
		if !allowed {
			return nil, swSecurityNotSatisfied
		}
		switch {
		case !ok:
		case tag == tagChallenge && slot != SlotKeyManagement:
			output, ok = ecSign(key, input)
		case tag == tagExponentiation && slot == SlotKeyManagement:
			output, ok = ecAgree(key, input)
		default:
			ok = false
		}
	}
	if !ok {
		return nil, swWrongData
	}
	return apdu.EncodeTLV(tagTemplate, apdu.EncodeTLV(tagResponse, output)), swOK
}

// parseTemplate finds what is to be done in a dynamic authentication template:
// an empty response, which asks for one, beside one other object, whichever is
// first.
func parseTemplate(data []byte) (tag apdu.Tag, input []byte, ok bool) {
	template, rest, err := apdu.ReadTLV(data)
	if err != nil || template.Tag != tagTemplate || len(rest) > 0 {
		return 0, nil, false
	}
	asked := false
	for body := template.Value; len(body) > 0; {
		var object apdu.TLV
		object, body, err = apdu.ReadTLV(body)
		switch {
		case err != nil:
			return 0, nil, false
		case object.Tag == tagResponse && len(object.Value) == 0 && !asked:
			asked = true
		case (object.Tag == tagChallenge || object.Tag == tagExponentiation) && len(object.Value) > 0 && tag == 0:
			tag, input = object.Tag, object.Value
		default:
			return 0, nil, false
		}
	}
	return tag, input, asked && tag != 0
}

// rsaPrivate is the bare private-key operation (RFC 8017, 5.1.2 and 5.2.1), by
// the Chinese remainder theorem. What crypto/rsa offers adds a padding.
func rsaPrivate(key *rsa.PrivateKey, input []byte) ([]byte, bool) {
	m := new(big.Int).SetBytes(input)
	if len(input) != key.Size() || m.Cmp(key.N) >= 0 {
		return nil, false
	}
	p, q := key.Primes[0], key.Primes[1]
	m1 := new(big.Int).Exp(m, key.Precomputed.Dp, p)
	m2 := new(big.Int).Exp(m, key.Precomputed.Dq, q)
	h := m1.Sub(m1, m2)
	h.Mul(h, key.Precomputed.Qinv).Mod(h, p)
	h.Mul(h, q).Add(h, m2)
	return h.FillBytes(make([]byte, key.Size())), true
}

// ecSign signs a digest of at most the size of the curve's order.
func ecSign(key *ecdsa.PrivateKey, digest []byte) ([]byte, bool) {
	if len(digest) > (key.Params().BitSize+7)/8 {
		return nil, false
	}
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
	return signature, err == nil
}

// ecAgree is ECDH (SP 800-56A, 5.7.1.2) with an uncompressed point.
func ecAgree(key *ecdsa.PrivateKey, point []byte) ([]byte, bool) {
	private, err := key.ECDH()
	if err != nil {
		return nil, false
	}
	public, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, false
	}
	secret, err := private.ECDH(public)
	return secret, err == nil
}
