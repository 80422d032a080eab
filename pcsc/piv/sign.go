package piv

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"authbridge/pcsc/apdu"
)

var (
	// ErrDigest is a digest that cannot be signed with that hash or key.
	ErrDigest = errors.New("the digest does not fit the hash or the key")
	// ErrSignature is an answer that is no signature by the key it should be of.
	ErrSignature = errors.New("the card's signature is not valid")
)

// GeneralAuthenticate gives a challenge to a slot's private key and returns the
// response (GENERAL AUTHENTICATE, SP 800-73-4 part 2, 3.2.4): a signature of an
// RSA block, padding included, or of a digest.
func GeneralAuthenticate(ctx context.Context, t apdu.Transmitter, algorithm Algorithm, slot Slot, challenge []byte) ([]byte, error) {
	const template, tagChallenge, tagResponse = 0x7C, 0x81, 0x82
	r, err := apdu.Send(ctx, t, apdu.Command{
		INS: insGeneralAuthenticate, P1: byte(algorithm), P2: byte(slot),
		Data: apdu.EncodeTLV(template, apdu.EncodeTLV(tagResponse), apdu.EncodeTLV(tagChallenge, challenge)),
		Le:   apdu.MaxShortLe,
	})
	if err != nil {
		return nil, err
	}
	response, err := apdu.Find(r.Data, template, tagResponse)
	if err != nil {
		return nil, malformed(err)
	}
	return response, nil
}

// Sign signs a digest with a slot's private key, whose public key is given:
// RSA as PKCS #1 v1.5 (RFC 8017, 8.2), ECDSA in ASN.1. The PIN must be verified,
// for [SlotSignature] just before. What the card returns is checked with the
// public key.
func Sign(ctx context.Context, t apdu.Transmitter, slot Slot, public crypto.PublicKey, digest []byte, hash crypto.Hash) ([]byte, error) {
	algorithm, err := AlgorithmOf(public)
	if err != nil {
		return nil, err
	}
	if hash == 0 || len(digest) != hash.Size() {
		return nil, fmt.Errorf("%w: %d octets", ErrDigest, len(digest))
	}
	var block []byte
	switch key := public.(type) {
	case *rsa.PublicKey:
		block, err = padPKCS1(digest, hash, key.Size())
	case *ecdsa.PublicKey:
		block = fitCurve(digest, (key.Curve.Params().BitSize+7)/8)
	}
	if err != nil {
		return nil, err
	}
	signature, err := GeneralAuthenticate(ctx, t, algorithm, slot, block)
	if err != nil {
		return nil, err
	}
	valid := false
	switch key := public.(type) {
	case *rsa.PublicKey:
		valid = rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		valid = ecdsa.VerifyASN1(key, digest, signature)
	}
	if !valid {
		return nil, ErrSignature
	}
	return signature, nil
}

// digestInfo are the octets before a digest (RFC 8017, 9.2, note 1).
func digestInfo(hash crypto.Hash) []byte {
	switch hash {
	case crypto.SHA1:
		return []byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14}
	case crypto.SHA256:
		return sha2Info(0x01, 0x20)
	case crypto.SHA384:
		return sha2Info(0x02, 0x30)
	case crypto.SHA512:
		return sha2Info(0x03, 0x40)
	}
	return nil
}

func sha2Info(id, size byte) []byte {
	return []byte{0x30, 0x11 + size, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, id, 0x05, 0x00, 0x04, size}
}

// padPKCS1 is EMSA-PKCS1-v1_5 (RFC 8017, 9.2).
func padPKCS1(digest []byte, hash crypto.Hash, size int) ([]byte, error) {
	info := digestInfo(hash)
	const least = 11 // 00 01, eight FF, 00
	if info == nil || size < len(info)+len(digest)+least {
		return nil, fmt.Errorf("%w: %s with RSA of %d octets", ErrDigest, hash, size)
	}
	padding := slices.Repeat([]byte{0xFF}, size-len(info)-len(digest)-3)
	return slices.Concat([]byte{0x00, 0x01}, padding, []byte{0x00}, info, digest), nil
}

// fitCurve makes a digest as long as the order of the curve: the leftmost of a
// longer one (FIPS 186-4, 6.4), the same number for a shorter one.
func fitCurve(digest []byte, size int) []byte {
	if len(digest) >= size {
		return digest[:size]
	}
	return append(make([]byte, size-len(digest), size), digest...)
}
