package webauthn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// The COSE algorithms whose keys are understood here (IANA, COSE Algorithms).
// Others can be asked for and given to a page as well, as they are.
const (
	ES256 int64 = -7
	EdDSA int64 = -8
	ES384 int64 = -35
	ES512 int64 = -36
	RS256 int64 = -257
)

// PublicKey is a credential's public key.
type PublicKey struct {
	Algorithm int64 // COSE
	// COSE is the COSE_Key as the key gave it.
	COSE []byte
	// Key is an *ecdsa.PublicKey, ed25519.PublicKey or *rsa.PublicKey; nil where
	// the algorithm is not one of those above.
	Key crypto.PublicKey
}

// COSE key types and curves (RFC 9053, 7; RFC 8230, 4).
const (
	ktyOKP = 1
	ktyEC2 = 2
	ktyRSA = 3
)

// curves are those that an algorithm's key must be on (WebAuthn L3, 5.8.5).
var curves = map[int64]struct {
	id    int64
	curve elliptic.Curve
}{
	ES256: {1, elliptic.P256()}, ES384: {2, elliptic.P384()}, ES512: {3, elliptic.P521()},
}

const crvEd25519 = 6

// ParsePublicKey reads a COSE_Key (RFC 9052, 7) of an algorithm that WebAuthn
// restricts to one curve and form (5.8.5, 6.5.1). A point that is not on its
// curve is refused. The error is an *Error of the kind BadAnswer.
func ParsePublicKey(cose []byte) (*PublicKey, error) {
	// -1 and -2 mean a number and octets, or octets and octets.
	var key struct {
		Kty    *int64          `cbor:"1,keyasint"`
		Alg    *int64          `cbor:"3,keyasint"`
		Minus1 cbor.RawMessage `cbor:"-1,keyasint"`
		Minus2 cbor.RawMessage `cbor:"-2,keyasint"`
		Minus3 cbor.RawMessage `cbor:"-3,keyasint"`
	}
	if decoding.Unmarshal(cose, &key) != nil || key.Kty == nil || key.Alg == nil {
		return nil, badAnswer("credentialPublicKey", "no COSE_Key with kty and alg")
	}
	p := &PublicKey{Algorithm: *key.Alg, COSE: slices.Clone(cose)}
	var err *Error
	switch p.Algorithm {
	case ES256, ES384, ES512:
		p.Key, err = ecKey(*key.Kty, p.Algorithm, key.Minus1, key.Minus2, key.Minus3)
	case EdDSA:
		p.Key, err = edKey(*key.Kty, key.Minus1, key.Minus2)
	case RS256:
		p.Key, err = rsaKey(*key.Kty, key.Minus1, key.Minus2)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func ecKey(kty, alg int64, crv, x, y cbor.RawMessage) (crypto.PublicKey, *Error) {
	want := curves[alg]
	size := (want.curve.Params().BitSize + 7) / 8
	id, ok := number(crv)
	if kty != ktyEC2 || !ok || id != want.id {
		return nil, badAnswer("credentialPublicKey", "not of the algorithm's type and curve")
	}
	xs, ys := octets(x), octets(y) // y is a bool in a compressed point
	if len(xs) != size || len(ys) != size {
		return nil, badAnswer("credentialPublicKey", "no uncompressed point of the curve's size")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(want.curve, slices.Concat([]byte{4}, xs, ys))
	if err != nil {
		return nil, badAnswer("credentialPublicKey", "the point is not on its curve")
	}
	return key, nil
}

func edKey(kty int64, crv, x cbor.RawMessage) (crypto.PublicKey, *Error) {
	id, ok := number(crv)
	xs := octets(x)
	if kty != ktyOKP || !ok || id != crvEd25519 || len(xs) != ed25519.PublicKeySize {
		return nil, badAnswer("credentialPublicKey", "no Ed25519 key")
	}
	return ed25519.PublicKey(xs), nil
}

func rsaKey(kty int64, n, e cbor.RawMessage) (crypto.PublicKey, *Error) {
	ns, es := octets(n), octets(e)
	modulus, exponent := new(big.Int).SetBytes(ns), new(big.Int).SetBytes(es)
	// RFC 8230, 4: both without leading zeros; 2048 bits at least (2).
	if kty != ktyRSA || len(ns) == 0 || len(es) == 0 || ns[0] == 0 || es[0] == 0 ||
		modulus.BitLen() < 2048 || modulus.BitLen() > 8192 ||
		exponent.BitLen() < 2 || exponent.BitLen() > 31 || exponent.Bit(0) == 0 {
		return nil, badAnswer("credentialPublicKey", "no RSA key of 2048 to 8192 bits")
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

func number(raw cbor.RawMessage) (n int64, ok bool) {
	return n, len(raw) > 0 && decoding.Unmarshal(raw, &n) == nil
}

// octets is a byte string, nil if it is none.
func octets(raw cbor.RawMessage) []byte {
	const byteString = 2
	if len(raw) == 0 || raw[0]>>5 != byteString {
		return nil
	}
	var b []byte
	if decoding.Unmarshal(raw, &b) != nil {
		return nil
	}
	return b
}

// SPKI is the key as a SubjectPublicKeyInfo in DER (WebAuthn L3, 5.2.1.1); nil
// where Key is.
func (p *PublicKey) SPKI() []byte {
	if p.Key == nil {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(p.Key)
	if err != nil {
		return nil
	}
	return der
}
