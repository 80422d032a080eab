package login

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ClientAuth is how the client proves at the token endpoint who it is: by a
// secret in the body (client_secret_post), or where there is a key by a signed
// assertion (private_key_jwt), as CIS2 offers both.
type ClientAuth struct {
	Secret []byte
	Key    crypto.Signer
	KeyID  string
	// Algorithm is RS256 or RS512; empty is RS512.
	Algorithm string
}

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionFor is well below the 5 minutes that CIS2 admits.
	assertionFor = 2 * time.Minute
)

// client is how the client proves who it is, as it is now.
func (t *Target) client() (ClientAuth, error) {
	if t.ReadClient != nil {
		return t.ReadClient()
	}
	return t.Client, nil
}

// authenticate adds the proof to a form.
func (c ClientAuth) authenticate(form url.Values, clientID, tokenEndpoint string, now time.Time) error {
	if c.Key == nil {
		if len(c.Secret) > 0 {
			form.Set("client_secret", string(c.Secret))
		}
		return nil
	}
	algorithm := jose.SignatureAlgorithm(c.Algorithm)
	if algorithm == "" {
		algorithm = jose.RS512
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: c.Key, KeyID: c.KeyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": clientID, "sub": clientID, "aud": tokenEndpoint, "jti": random(), "iat": now.Unix(), "exp": now.Add(assertionFor).Unix(),
	})
	if err != nil {
		return err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return err
	}
	assertion, err := signed.CompactSerialize()
	if err != nil {
		return err
	}
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	return nil
}

// random is a value that cannot be guessed.
func random() string {
	var octets [32]byte
	_, _ = rand.Read(octets[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(octets[:])
}
