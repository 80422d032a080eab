package login

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
	"authbridge/agent/failure"
)

// algorithms are those that CIS2 signs with.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS512}

// signature verifies the ID token (RFC 7515, 5.2). The claims of one whose
// signature is wrong are judged too, to show what else is: the login has failed
// all the same.
func (j *judgement) signature(token []byte) (claims []byte, ok bool) {
	const name, expected = "signature", "RS256 or RS512, by a key that the issuer publishes"
	signed, err := jose.ParseSignedCompact(string(token), algorithms)
	if err != nil {
		j.hold(name, failure.TokSIG, expected, "a token that is none, or of another algorithm", "it cannot be read as a token of one of these algorithms")
		return unsafeClaims(token)
	}
	header := signed.Signatures[0].Header
	j.algorithm = jose.SignatureAlgorithm(header.Algorithm)
	got := header.Algorithm + ", key " + header.KeyID
	keys := j.want.Keys.Keys
	if header.KeyID != "" {
		keys = j.want.Keys.Key(header.KeyID)
	}
	if header.KeyID == "" && len(keys) > 1 {
		keys = nil
	}
	if len(keys) == 0 {
		j.hold(name, failure.TokSIG, expected, got, "the issuer publishes no key of that id")
		return signed.UnsafePayloadWithoutVerification(), true
	}
	for i := range keys {
		if payload, err := signed.Verify(keys[i].Public()); err == nil {
			j.hold(name, failure.TokSIG, expected, got, "")
			return payload, true
		}
	}
	j.hold(name, failure.TokSIG, expected, got, "the signature is not that of the key")
	return signed.UnsafePayloadWithoutVerification(), true
}

// unsafeClaims are the claims of a token that is of no algorithm admitted.
func unsafeClaims(token []byte) ([]byte, bool) {
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		return nil, false
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	return claims, err == nil && json.Valid(claims)
}

// keyIDOf is the id of the key that a token names.
func keyIDOf(token []byte) string {
	signed, err := jose.ParseSignedCompact(string(token), algorithms)
	if err != nil {
		return ""
	}
	return signed.Signatures[0].Header.KeyID
}

func (j *judgement) readClaims(claims []byte) bool {
	var err error
	j.token, err = cis2.ParseIDToken(claims)
	wrong := ""
	if err != nil {
		wrong = "a claim has another type than CIS2 gives it"
	}
	j.hold("claims", failure.LoginAnswer, "claims of the types that CIS2 writes", "an ID token", wrong)
	return err == nil
}

// atHash binds the access token (OpenID Connect Core 1.0, 3.1.3.6).
func (j *judgement) atHash(accessToken []byte) {
	const name = "at-hash"
	got := j.token.AccessTokenHash
	switch {
	case len(accessToken) == 0:
		j.skip(name, "the access token is not known")
		return
	case got == "":
		j.skip(name, "the token has none")
		return
	}
	want := halfOf(j.algorithm, accessToken)
	wrong := ""
	if got != want {
		wrong = "the access token is not the one that the ID token came with"
	}
	j.hold(name, failure.TokSIG, "that of the access token", map[bool]string{true: "that of the access token", false: "another"}[wrong == ""], wrong)
}

func halfOf(algorithm jose.SignatureAlgorithm, token []byte) string {
	sum := sha256.Sum256(token)
	half := sum[:len(sum)/2]
	if algorithm == jose.RS512 {
		sum := sha512.Sum512(token)
		half = sum[:len(sum)/2]
	}
	return base64.RawURLEncoding.EncodeToString(half)
}

func (j *judgement) verified(token []byte) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(strings.TrimSpace(string(token)), algorithms)
	if err != nil {
		return nil, err
	}
	return signed.Verify(j.want.Keys)
}
