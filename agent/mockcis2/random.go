package mockcis2

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"math/big"
)

// newSecret has 256 bits, of characters that go anywhere.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// newID has 128 bits.
func newID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// referenceAlphabet has no character that is taken for another one, and no vowel
// to make words with.
const referenceAlphabet = "23456789BCDFGHJKMNPQRSTVWXZ"

const referenceLength = 8

func newReference() string {
	b := make([]byte, referenceLength)
	for i := range b {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(referenceAlphabet))))
		if err != nil {
			panic(err) // crypto/rand never fails
		}
		b[i] = referenceAlphabet[n.Int64()]
	}
	return string(b)
}

// digest is what a secret is kept as and looked up by.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return string(sum[:])
}

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// halfHash is at_hash, c_hash and s_hash for RS256 (OpenID Connect Core 1.0,
// 3.3.2.11).
func halfHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// secretLength is that of newSecret, in characters.
const secretLength = 43
