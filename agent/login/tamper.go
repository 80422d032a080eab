package login

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// tampering is a way to change a token that a relying party must notice by the
// signature alone.
type tampering struct {
	name   string
	change func(token []byte, keys jose.JSONWebKeySet) ([]byte, error)
}

var tamperings = []tampering{
	{"claim-changed", func(token []byte, _ jose.JSONWebKeySet) ([]byte, error) {
		return reassemble(token, func(header, claims map[string]any) { claims["name"] = "Somebody Else" }, keepSignature)
	}},
	{"signature-changed", func(token []byte, _ jose.JSONWebKeySet) ([]byte, error) {
		return reassemble(token, nil, func(_, signature []byte) ([]byte, error) {
			if len(signature) == 0 {
				return nil, errNoToken
			}
			signature[len(signature)/2] ^= 1
			return signature, nil
		})
	}},
	{"alg-none", func(token []byte, _ jose.JSONWebKeySet) ([]byte, error) {
		return reassemble(token, func(header, _ map[string]any) { header["alg"] = "none" }, func([]byte, []byte) ([]byte, error) { return nil, nil })
	}},
	// The public key taken for the secret of an HMAC (RFC 8725, 2.1).
	{"alg-hmac", func(token []byte, keys jose.JSONWebKeySet) ([]byte, error) {
		public, err := x509.MarshalPKIXPublicKey(keys.Keys[0].Key)
		if err != nil {
			return nil, err
		}
		return resign(token, jose.SigningKey{Algorithm: jose.HS256, Key: public})
	}},
	{"other-key", func(token []byte, _ jose.JSONWebKeySet) ([]byte, error) {
		key, err := foreignKey()
		if err != nil {
			return nil, err
		}
		return resign(token, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyIDOf(token)}})
	}},
}

// foreignKey is nobody's; making it takes a while.
var foreignKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

var errNoToken = errors.New("that is no token")

func keepSignature(_, signature []byte) ([]byte, error) { return signature, nil }

// reassemble changes a compact token's parts (RFC 7515, 7.1).
func reassemble(token []byte, change func(header, claims map[string]any), sign func(input, signature []byte) ([]byte, error)) ([]byte, error) {
	parts := bytes.Split(token, []byte("."))
	if len(parts) != 3 {
		return nil, errNoToken
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(string(part)); err != nil {
			return nil, errNoToken
		}
	}
	if change != nil {
		var header, claims map[string]any
		if json.Unmarshal(decoded[0], &header) != nil || json.Unmarshal(decoded[1], &claims) != nil || header == nil || claims == nil {
			return nil, errNoToken
		}
		change(header, claims)
		for i, part := range []map[string]any{header, claims} {
			var err error
			if decoded[i], err = json.Marshal(part); err != nil {
				return nil, err
			}
		}
	}
	input := append(append(encode(decoded[0]), '.'), encode(decoded[1])...)
	signature, err := sign(input, decoded[2])
	if err != nil {
		return nil, err
	}
	return append(append(input, '.'), encode(signature)...), nil
}

func encode(part []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(nil, part)
}

// resign signs the claims of a token with another key.
func resign(token []byte, key jose.SigningKey) ([]byte, error) {
	claims, ok := unsafeClaims(token)
	if !ok {
		return nil, errNoToken
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return nil, err
	}
	text, err := signed.CompactSerialize()
	return []byte(text), err
}
