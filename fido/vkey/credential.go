package vkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// publicKey is the one type of credential (WebAuthn L2, 5.8.2).
const publicKey = "public-key"

// Credential protection policies (CTAP 2.1, 12.1).
const (
	userVerificationOptional                     = 1
	userVerificationOptionalWithCredentialIDList = 2
	userVerificationRequired                     = 3
)

// source is what a credential ID holds under the key's secret: the private
// key and what must hold when it is used. So a key without storage can make
// any number of credentials.
type source struct {
	private      *ecdsa.PrivateKey
	discoverable bool
	protect      uint64
}

const (
	sourceVersion  = 1
	scalarSize     = 32
	sourceSize     = scalarSize + 2
	credentialSize = 1 + 12 + sourceSize + 16
)

var errNotOurs = errors.New("vkey: not a credential of this key")

// wrap makes the credential ID. It opens for the same RP ID only.
func (s *source) wrap(secret []byte, rpIDHash [32]byte) ([]byte, error) {
	scalar, err := s.private.Bytes()
	if err != nil {
		return nil, err
	}
	defer clear(scalar)
	plain := make([]byte, sourceSize)
	defer clear(plain)
	copy(plain, scalar)
	if s.discoverable {
		plain[scalarSize] = 1
	}
	plain[scalarSize+1] = byte(s.protect)
	id := make([]byte, 13, credentialSize)
	id[0] = sourceVersion
	_, _ = rand.Read(id[1:]) // never fails (crypto/rand)
	return sealer(secret).Seal(id, id[1:13], plain, rpIDHash[:]), nil
}

// unwrap opens a credential ID of this key.
func unwrap(secret []byte, rpIDHash [32]byte, id []byte) (*source, error) {
	if len(id) != credentialSize || id[0] != sourceVersion {
		return nil, errNotOurs
	}
	plain, err := sealer(secret).Open(nil, id[1:13], id[13:], rpIDHash[:])
	if err != nil || len(plain) != sourceSize {
		return nil, errNotOurs
	}
	defer clear(plain)
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), plain[:scalarSize])
	if err != nil {
		return nil, errNotOurs
	}
	return &source{private, plain[scalarSize]&1 != 0, uint64(plain[scalarSize+1])}, nil
}

func sealer(secret []byte) cipher.AEAD {
	block, err := aes.NewCipher(derive(secret, "credential ID"))
	if err != nil {
		panic(err) // 32 octets
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// derive makes a key for one purpose out of the key's secret.
func derive(secret []byte, purpose string, more ...[]byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(purpose))
	for _, m := range more {
		mac.Write(m)
	}
	return mac.Sum(nil)
}

func newSource(discoverable bool, protect uint64) (*source, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return &source{private, discoverable, protect}, err
}

// cose is the credential's public key.
func (s *source) cose() (coseKey, error) {
	point, err := s.private.PublicKey.Bytes()
	if err != nil {
		return coseKey{}, err
	}
	return coseKey{Kty: ktyEC2, Alg: algES256, Crv: crvP256, X: point[1:33], Y: point[33:65]}, nil
}

// sign signs authData || clientDataHash with ES256.
func (s *source) sign(authData, clientDataHash []byte) ([]byte, error) {
	digest := sha256.New()
	digest.Write(authData)
	digest.Write(clientDataHash)
	return ecdsa.SignASN1(rand.Reader, s.private, digest.Sum(nil))
}

// located is a credential that a request may use.
type located struct {
	*source
	id     []byte
	stored *credential // nil if it is not discoverable
}

// locate opens a credential ID that a request names; nil if it is none of
// this key for that relying party, or no more.
func (a *authenticator) locate(rpID string, d *descriptor) *located {
	if d.Type != publicKey || len(d.ID) > maxCredentialIDLength {
		return nil
	}
	s, err := unwrap(a.mem.secret(), sha256.Sum256([]byte(rpID)), d.ID)
	if err != nil {
		return nil
	}
	l := &located{source: s, id: d.ID}
	if s.discoverable {
		stored := a.mem.find(func(c *credential) bool { return string(c.ID) == string(d.ID) })
		if len(stored) == 0 {
			return nil // deleted, or replaced
		}
		l.stored = &stored[0]
	}
	return l
}
