package mockcis2

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// keyring has the keys that sign, newest first. Older ones are published until
// their tokens have expired (NHS: keep the old key published).
type keyring struct {
	mu   sync.Mutex // guards keys
	keys []jose.JSONWebKey
}

// mostKeys bounds how many are published.
const mostKeys = 3

func newKeyring(key *rsa.PrivateKey) (*keyring, error) {
	k := &keyring{}
	return k, k.add(key)
}

func (k *keyring) add(key *rsa.PrivateKey) error {
	named := jose.JSONWebKey{Key: key, Algorithm: string(jose.RS256), Use: "sig"}
	thumb, err := named.Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	named.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append([]jose.JSONWebKey{named}, k.keys...)
	k.keys = k.keys[:min(len(k.keys), mostKeys)]
	return nil
}

func (k *keyring) signing() jose.JSONWebKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[0]
}

func (k *keyring) published() jose.JSONWebKeySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, key := range k.keys {
		set.Keys = append(set.Keys, key.Public())
	}
	return set
}

// sign makes a token of claims: RS256 unless another algorithm is named.
func (k *keyring) sign(claims map[string]any, typ string, algorithm jose.SignatureAlgorithm) (string, error) {
	key := k.signing()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return token, nil
}

// verify reads a token that this server signed, expired or not.
func (k *keyring) verify(token string, claims any) error {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if err := parsed.Claims(k.published(), claims); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	return nil
}

// spoil changes a bit in the middle of a signature.
func spoil(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[i:])
	if err != nil || len(signature) == 0 {
		return token
	}
	signature[len(signature)/2] ^= 1
	return token[:i] + base64.RawURLEncoding.EncodeToString(signature)
}

// RotateKeys signs with a new key from now on; the old one is still published.
func (s *Server) RotateKeys() error {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	return s.keys.add(key)
}

func (s *Server) jwks(w http.ResponseWriter, r *http.Request) {
	if s.stall(w, r, s.faultsOf("", "")) {
		writeJSON(w, http.StatusOK, s.keys.published())
	}
}
