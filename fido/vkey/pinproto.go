package vkey

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"
)

// coseKey is the public key of a key agreement (CTAP 2.1, 6.5.6: kty EC2, alg
// ECDH-ES+HKDF-256, crv P-256) or of a credential.
type coseKey struct {
	Kty int    `cbor:"1,keyasint"`
	Alg int    `cbor:"3,keyasint"`
	Crv int    `cbor:"-1,keyasint"`
	X   []byte `cbor:"-2,keyasint"`
	Y   []byte `cbor:"-3,keyasint"`
}

const (
	ktyEC2   = 2
	crvP256  = 1
	algECDH  = -25
	algES256 = -7
)

// Permissions of a pinUvAuthToken (CTAP 2.1, 6.5.5.7).
const (
	permissionMC   = 0x01
	permissionGA   = 0x02
	permissionCM   = 0x04
	permissionBE   = 0x08
	permissionLBW  = 0x10
	permissionACFG = 0x20
)

// The times that a pinUvAuthToken lives over USB (CTAP 2.1, 6.5.2.1).
const (
	initialUsageTimeLimit = 30 * time.Second
	maxUsageTimePeriod    = 600 * time.Second
)

var errPINProtocol = errors.New("vkey: PIN/UV auth protocol")

// pinProtocol is a PIN/UV auth protocol with its key and its token (CTAP 2.1,
// 6.5.4 to 6.5.7).
type pinProtocol struct {
	version int
	private *ecdh.PrivateKey
	token   []byte

	// The state of the token. There is no cached user presence: a PIN is typed
	// on the platform and says nothing of a touch.
	inUse        bool
	begun        time.Time
	used         bool
	userVerified bool
	permissions  uint64
	rpID         string
}

func newPINProtocol(version int) *pinProtocol {
	p := &pinProtocol{version: version}
	p.regenerate()
	p.resetToken()
	return p
}

// regenerate makes a new key for the key agreement.
func (p *pinProtocol) regenerate() {
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	p.private = private
}

// resetToken is resetPinUvAuthToken: a new token, not in use.
func (p *pinProtocol) resetToken() {
	p.stopUsing()
	p.token = make([]byte, 32)
	_, _ = rand.Read(p.token) // never fails (crypto/rand)
}

// beginUsing is beginUsingPinUvAuthToken(userIsPresent: false).
func (p *pinProtocol) beginUsing(now time.Time, permissions uint64, rpID string) {
	p.inUse, p.begun, p.used, p.userVerified = true, now, false, true
	p.permissions, p.rpID = permissions, rpID
}

// stopUsing is stopUsingPinUvAuthToken.
func (p *pinProtocol) stopUsing() {
	p.inUse, p.used, p.userVerified, p.permissions, p.rpID = false, false, false, 0, ""
}

// expire is pinUvAuthTokenUsageTimerObserver.
func (p *pinProtocol) expire(now time.Time) {
	age := now.Sub(p.begun)
	if p.inUse && (age > maxUsageTimePeriod || !p.used && age > initialUsageTimeLimit) {
		p.stopUsing()
	}
}

// consume is clearUserVerifiedFlag and clearPinUvAuthTokenPermissionsExceptLbw.
func (p *pinProtocol) consume() {
	p.userVerified = false
	p.permissions &= permissionLBW
}

func (p *pinProtocol) publicKey() coseKey {
	point := p.private.PublicKey().Bytes()
	return coseKey{Kty: ktyEC2, Alg: algECDH, Crv: crvP256, X: point[1:33], Y: point[33:65]}
}

// decapsulate derives the secret that is shared with the platform.
func (p *pinProtocol) decapsulate(peer *coseKey) (secret []byte, err error) {
	if peer.Kty != ktyEC2 || peer.Alg != algECDH || peer.Crv != crvP256 || len(peer.X) != 32 || len(peer.Y) != 32 {
		return nil, errPINProtocol
	}
	public, err := ecdh.P256().NewPublicKey(bytes.Join([][]byte{{4}, peer.X, peer.Y}, nil))
	if err != nil {
		return nil, errPINProtocol
	}
	z, err := p.private.ECDH(public)
	if err != nil {
		return nil, errPINProtocol
	}
	return kdf(p.version, z)
}

func kdf(version int, z []byte) ([]byte, error) {
	if version == 1 {
		sum := sha256.Sum256(z)
		return sum[:], nil
	}
	salt := make([]byte, 32)
	hmacKey, err := hkdf.Key(sha256.New, z, salt, "CTAP2 HMAC key", 32)
	if err != nil {
		return nil, err
	}
	aesKey, err := hkdf.Key(sha256.New, z, salt, "CTAP2 AES key", 32)
	if err != nil {
		return nil, err
	}
	return append(hmacKey, aesKey...), nil
}

// aesKey and hmacKey are the parts of a shared secret.
func (p *pinProtocol) aesKey(secret []byte) []byte  { return secret[len(secret)-32:] }
func (p *pinProtocol) hmacKey(secret []byte) []byte { return secret[:32] }

func (p *pinProtocol) encrypt(secret, plain []byte) []byte {
	iv := make([]byte, aes.BlockSize)
	if p.version == 2 {
		_, _ = rand.Read(iv) // never fails (crypto/rand)
	}
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(p.block(secret), iv).CryptBlocks(out, plain)
	if p.version == 2 {
		return append(iv, out...)
	}
	return out
}

func (p *pinProtocol) decrypt(secret, data []byte) ([]byte, error) {
	iv := make([]byte, aes.BlockSize)
	if p.version == 2 {
		if len(data) < aes.BlockSize {
			return nil, errPINProtocol
		}
		iv, data = data[:aes.BlockSize], data[aes.BlockSize:]
	}
	if len(data)%aes.BlockSize != 0 {
		return nil, errPINProtocol
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(p.block(secret), iv).CryptBlocks(out, data)
	return out, nil
}

func (p *pinProtocol) block(secret []byte) cipher.Block {
	block, err := aes.NewCipher(p.aesKey(secret))
	if err != nil {
		panic(err) // 32 octets
	}
	return block
}

// verify is verify with a shared secret as the key.
func (p *pinProtocol) verify(secret, message, signature []byte) bool {
	mac := hmac.New(sha256.New, p.hmacKey(secret))
	mac.Write(message)
	want := mac.Sum(nil)
	if p.version == 1 {
		want = want[:16]
	}
	return subtle.ConstantTimeCompare(want, signature) == 1
}

// verifyToken is verify with the pinUvAuthToken as the key: an error while it
// is not in use.
func (p *pinProtocol) verifyToken(message, signature []byte) bool {
	return p.inUse && p.verify(p.token, message, signature)
}
