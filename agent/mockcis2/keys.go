package mockcis2

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// keyring has the keys that sign, newest first. Older ones are published until
// their tokens have expired (NHS: keep the old key published). The first one is
// made when it is first needed, unless it was given: that takes longer than a
// daemon may take to start.
type keyring struct {
	mu     sync.Mutex // guards the rest
	keys   []jose.JSONWebKey
	trials []jose.JSONWebKey // the last ones of signAnew, newest first
}

// How many are published at most. Trials are as many as there are applications
// that fetch them at the same time, and some more.
const mostKeys, mostTrials = 3, 8

func newKeyring(key *rsa.PrivateKey) (*keyring, error) {
	k := &keyring{}
	if key == nil {
		return k, nil
	}
	named, err := named(key)
	k.keys = []jose.JSONWebKey{named}
	return k, err
}

// newKey makes a key with its name.
func newKey() (jose.JSONWebKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("signing key: %w", err)
	}
	return named(key)
}

// named gives a key its thumbprint as kid (RFC 7638).
func named(key *rsa.PrivateKey) (jose.JSONWebKey, error) {
	named := jose.JSONWebKey{Key: key, Algorithm: string(jose.RS256), Use: "sig"}
	thumb, err := named.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("signing key: %w", err)
	}
	named.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	return named, nil
}

// all are the keys, of which there is at least one.
func (k *keyring) all() ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 { // who comes meanwhile needs it too
		first, err := newKey()
		if err != nil {
			return nil, err
		}
		k.keys = []jose.JSONWebKey{first}
	}
	return slices.Clone(k.keys), nil
}

func (k *keyring) rotate() error {
	if _, err := k.all(); err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append([]jose.JSONWebKey{key}, k.keys...)
	k.keys = k.keys[:min(len(k.keys), mostKeys)]
	return nil
}

func (k *keyring) published() (set jose.JSONWebKeySet, err error) {
	keys, err := k.all()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range slices.Concat(keys, k.trials) {
		set.Keys = append(set.Keys, key.Public())
	}
	return set, err
}

// sign makes a token of claims: RS256 unless another algorithm is named.
func (k *keyring) sign(claims map[string]any, typ string, algorithm jose.SignatureAlgorithm) (string, error) {
	keys, err := k.all()
	if err != nil {
		return "", err
	}
	return signWith(keys[0], claims, typ, algorithm)
}

// signAnew signs with a key that nobody has seen, and publishes it: whoever
// verifies the token has to fetch the keys again. All else is signed as before.
func (k *keyring) signAnew(claims map[string]any, typ string, algorithm jose.SignatureAlgorithm) (string, error) {
	key, err := newKey()
	if err != nil {
		return "", err
	}
	k.mu.Lock()
	k.trials = append([]jose.JSONWebKey{key}, k.trials...)
	k.trials = k.trials[:min(len(k.trials), mostTrials)]
	k.mu.Unlock()
	return signWith(key, claims, typ, algorithm)
}

func signWith(key jose.JSONWebKey, claims map[string]any, typ string, algorithm jose.SignatureAlgorithm) (string, error) {
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

// verify reads an ID token that this server signed, expired or not. A logout
// token is none.
func (k *keyring) verify(token string, claims any) error {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if len(parsed.Headers) != 1 || parsed.Headers[0].ExtraHeaders[jose.HeaderType] != idTokenType {
		return errors.New("token: not an ID token")
	}
	set, err := k.published()
	if err != nil {
		return err
	}
	if err := parsed.Claims(set, claims); err != nil {
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
func (s *Server) RotateKeys() error { return s.keys.rotate() }

// KeyIDs are those of the published keys; the first one signs.
func (s *Server) KeyIDs() ([]string, error) {
	set, err := s.keys.published()
	ids := make([]string, len(set.Keys))
	for i, key := range set.Keys {
		ids[i] = key.KeyID
	}
	return ids, err
}

func (s *Server) jwks(w http.ResponseWriter, r *http.Request) {
	if !s.stall(w, r, s.faultsOf("", "")) {
		return
	}
	set, err := s.keys.published()
	if err != nil {
		s.ill("keys", err)
		writeJSON(w, http.StatusInternalServerError, refuse(serverError, "there is no key"))
		return
	}
	writeJSON(w, http.StatusOK, set)
}
