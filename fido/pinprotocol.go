package fido

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
)

// The library has the PIN/UV auth protocols too, but takes the PIN as a string
// and leaves copies of PIN, hash and token behind, which nobody can wipe.

// COSE numbers of a key agreement's public key (CTAP 2.1, 6.5.6).
const (
	coseEC2  = 2
	coseP256 = 1
	coseECDH = -25 // ECDH-ES + HKDF-256
)

// agreement is the platform's end of a PIN/UV auth protocol (CTAP 2.1, 6.5.4):
// what it and a key share until it is forgotten. What is encrypted with it is
// as good as gone once it was.
type agreement struct {
	protocol        uint
	x, y            []byte // our public key
	hmacKey, aesKey []byte
}

// agree makes a key of our own and derives what is shared (encapsulate, CTAP
// 2.1, 6.5.6 for protocol 1, 6.5.7 for protocol 2).
func agree(protocol uint, peer *ecdh.PublicKey) (*agreement, error) {
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return derive(protocol, private, peer)
}

func derive(protocol uint, private *ecdh.PrivateKey, peer *ecdh.PublicKey) (*agreement, error) {
	z, err := private.ECDH(peer)
	if err != nil {
		return nil, err
	}
	defer clear(z)
	point := private.PublicKey().Bytes()
	a := &agreement{protocol: protocol, x: point[1:33], y: point[33:65]}
	switch protocol {
	case 1:
		sum := sha256.Sum256(z)
		a.hmacKey, a.aesKey = sum[:], sum[:]
		return a, nil
	case 2:
		salt := make([]byte, sha256.Size)
		if a.hmacKey, err = hkdf.Key(sha256.New, z, salt, "CTAP2 HMAC key", 32); err != nil {
			return nil, err
		}
		if a.aesKey, err = hkdf.Key(sha256.New, z, salt, "CTAP2 AES key", 32); err != nil {
			return nil, err
		}
		return a, nil
	}
	return nil, fmt.Errorf("%w: PIN/UV auth protocol %d", ErrUnsupported, protocol)
}

func (a *agreement) forget() {
	clear(a.hmacKey)
	clear(a.aesKey)
}

// encrypt takes whole blocks of 16 octets.
func (a *agreement) encrypt(plain []byte) ([]byte, error) {
	block, err := aes.NewCipher(a.aesKey)
	if err != nil {
		return nil, err
	}
	iv := make([]byte, aes.BlockSize)
	if a.protocol == 2 {
		if _, err := rand.Read(iv); err != nil {
			return nil, err
		}
	}
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, plain)
	if a.protocol == 2 {
		return append(iv, out...), nil
	}
	return out, nil
}

// token decrypts a pinUvAuthToken: 32 octets, with protocol 1 also 16 (CTAP
// 2.1, 6.5.6 and 6.5.7). The caller wipes it.
func (a *agreement) token(data []byte) ([]byte, error) {
	iv := make([]byte, aes.BlockSize)
	if a.protocol == 2 && len(data) >= aes.BlockSize {
		iv, data = data[:aes.BlockSize], data[aes.BlockSize:]
	}
	if len(data) != 32 && (len(data) != 16 || a.protocol != 1) {
		return nil, fmt.Errorf("%w: authenticatorClientPIN: pinUvAuthToken (0x02) of %d octets", ErrMalformed, len(data))
	}
	block, err := aes.NewCipher(a.aesKey)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	return out, nil
}

// proof is a pinUvAuthParam with its protocol; the zero value is none.
type proof struct {
	protocol uint
	param    []byte
}

// authenticate makes the proof that the token's holder asks for something.
func (t *Token) authenticate(message ...[]byte) proof {
	if t == nil {
		return proof{}
	}
	mac := hmac.New(sha256.New, t.secret)
	for _, m := range message {
		mac.Write(m)
	}
	sum := mac.Sum(nil)
	if t.protocol == 1 {
		sum = sum[:16]
	}
	return proof{t.protocol, sum}
}
