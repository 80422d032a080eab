package login

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
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
	payload, wrong := j.verify(signed)
	j.hold(name, failure.TokSIG, expected, header.Algorithm+", key "+header.KeyID, wrong)
	if wrong != "" {
		return signed.UnsafePayloadWithoutVerification(), true
	}
	return payload, true
}

// verify finds the key that a token names, and says what is wrong with its
// signature; empty: nothing.
func (j *judgement) verify(signed *jose.JSONWebSignature) (payload []byte, wrong string) {
	header := signed.Signatures[0].Header
	keys := j.want.Keys.Keys
	if header.KeyID != "" {
		keys = j.want.Keys.Key(header.KeyID)
	}
	if len(keys) == 0 || header.KeyID == "" && len(keys) > 1 {
		return nil, "the issuer publishes no key of that id"
	}
	for i := range keys {
		if wrong = unfit(&keys[i]); wrong != "" {
			continue
		}
		if payload, err := signed.Verify(keys[i].Public()); err == nil {
			return payload, ""
		}
		wrong = "the signature is not that of the key"
	}
	return nil, wrong
}

// leastBits is what an RSA key must have (RFC 7518, 3.3).
const leastBits = 2048

// unfit is why a key is not to be verified with (RFC 7517, 4.2, 4.4); empty: it
// is.
func unfit(k *jose.JSONWebKey) string {
	public, isRSA := k.Public().Key.(*rsa.PublicKey)
	switch {
	case !isRSA:
		return "the key is no RSA key"
	case k.Use != "" && k.Use != "sig":
		return "the key is published for another use than signatures"
	case k.Algorithm != "" && !slices.Contains(algorithms, jose.SignatureAlgorithm(k.Algorithm)):
		return "the key is published for another algorithm"
	case public.N.BitLen() < leastBits:
		return fmt.Sprintf("the key has less than %d bits", leastBits)
	}
	return ""
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
		wrong = "a claim comes twice, or has another type than CIS2 gives it"
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
