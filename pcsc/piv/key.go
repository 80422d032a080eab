package piv

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// ErrKey is a public key that PIV has no algorithm for.
var ErrKey = errors.New("PIV has no algorithm for that key")

// AlgorithmOf is the algorithm identifier of a public key.
func AlgorithmOf(public crypto.PublicKey) (Algorithm, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		switch key.N.BitLen() {
		case 1024:
			return AlgorithmRSA1024, nil
		case 2048:
			return AlgorithmRSA2048, nil
		case 3072:
			return AlgorithmRSA3072, nil
		}
		return 0, fmt.Errorf("%w: RSA of %d bits", ErrKey, key.N.BitLen())
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return AlgorithmECCP256, nil
		case elliptic.P384():
			return AlgorithmECCP384, nil
		}
	}
	return 0, fmt.Errorf("%w: %T", ErrKey, public)
}

// Object identifiers of public keys and curves (RFC 3279, 2.3; RFC 5480, 2.1.1).
var (
	oidRSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidEC    = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidCurve = [...]struct {
		id   asn1.ObjectIdentifier
		name string
	}{
		{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, "EC-P256"},
		{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, "EC-P384"},
		{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, "EC-P521"},
	}
)

// describeKey names algorithm and size of a SubjectPublicKeyInfo, of keys too
// that Go would not use: an RSA key's size is the bits of its modulus, whatever
// its exponent.
func describeKey(info []byte) string {
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(info, &key); err != nil {
		return "unknown"
	}
	switch {
	case key.Algorithm.Algorithm.Equal(oidRSA):
		var rsaKey struct{ N, E *big.Int }
		if _, err := asn1.Unmarshal(key.Key.Bytes, &rsaKey); err != nil {
			return "RSA"
		}
		return fmt.Sprintf("RSA-%d", rsaKey.N.BitLen())
	case key.Algorithm.Algorithm.Equal(oidEC):
		var curve asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(key.Algorithm.Parameters.FullBytes, &curve); err != nil {
			return "EC"
		}
		for _, known := range oidCurve {
			if curve.Equal(known.id) {
				return known.name
			}
		}
		return "EC-" + curve.String()
	}
	return key.Algorithm.Algorithm.String()
}
