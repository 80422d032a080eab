package lease

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

// TokenPrefix makes a lease's own token known to people and to secret scanners.
const TokenPrefix = "authbridge_lease_"

// tokenOctets of randomness need no slow hash: nobody guesses 256 bits.
const tokenOctets = 32

// newToken makes a lease's own token. Only its hash is kept.
func newToken() (secret string, sum [sha256.Size]byte) {
	random := make([]byte, tokenOctets)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	secret = TokenPrefix + base64.RawURLEncoding.EncodeToString(random)
	clear(random)
	return secret, sha256.Sum256([]byte(secret))
}

// newName makes the part of a lease's id that it has from the queue on. Once it
// is taken its fence number follows.
func newName() string {
	random := make([]byte, 6)
	_, _ = rand.Read(random)
	return "lease-" + hex.EncodeToString(random)
}

func idOf(name string, fence uint64) string {
	return name + "-" + strconv.FormatUint(fence, 10)
}

// nameIn is the part of an id that stays.
func nameIn(id string) string {
	rest, ok := strings.CutPrefix(id, "lease-")
	if !ok {
		return id
	}
	name, _, _ := strings.Cut(rest, "-")
	return "lease-" + name
}
