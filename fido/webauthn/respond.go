package webauthn

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// attachment is that of every key here (WebAuthn L3, 5.4.5).
const attachment = "cross-platform"

// credentialJSON is RegistrationResponseJSON and AuthenticationResponseJSON
// (WebAuthn L3, 5.1).
type credentialJSON struct {
	ID         string  `json:"id"`
	RawID      string  `json:"rawId"`
	Response   any     `json:"response"`
	Attachment string  `json:"authenticatorAttachment"`
	Results    results `json:"clientExtensionResults"`
	Type       string  `json:"type"`
}

type results struct {
	CredProps *credProps `json:"credProps,omitempty"`
}

type credProps struct {
	Discoverable bool `json:"rk"`
}

type attestationJSON struct {
	ClientData        string   `json:"clientDataJSON"`
	AuthData          string   `json:"authenticatorData"`
	Transports        []string `json:"transports"`
	PublicKey         string   `json:"publicKey,omitempty"`
	Algorithm         int64    `json:"publicKeyAlgorithm"`
	AttestationObject string   `json:"attestationObject"`
}

type assertionJSON struct {
	ClientData string `json:"clientDataJSON"`
	AuthData   string `json:"authenticatorData"`
	Signature  string `json:"signature"`
	UserHandle string `json:"userHandle,omitempty"`
}

func credential(id []byte, response any, extensions results) (JSON, error) {
	name := b64(id)
	return json.Marshal(credentialJSON{
		ID: name, RawID: name, Response: response,
		Attachment: attachment, Results: extensions, Type: publicKeyType,
	})
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// Respond makes the RegistrationResponseJSON of what a key made, once it is
// seen to be what was asked for. The attestation is left out where the page
// wants none (WebAuthn L3, 5.1.3); the AAGUID stays, which Level 2 zeroed. The
// error is an *Error; the credential that the key made is in the key all the
// same.
func (c *Creation) Respond(made Made) (JSON, error) {
	a, err := verify(made.AuthData, c.RPID, c.UV)
	if err != nil {
		return nil, err
	}
	if !a.Flags.Has(AttestedCredentialData) {
		return nil, badAnswer("authenticatorData", "no credential in it (AT)")
	}
	if !slices.Contains(c.Algorithms, a.PublicKey.Algorithm) {
		return nil, badAnswer("credentialPublicKey", "of an algorithm that was not asked for")
	}
	if c.EnforceCredProtect && a.CredProtect() < c.CredProtect && c.CredProtect > 1 {
		return nil, &Error{NotAllowedError, Unprotected, "credProtect", "the key gave the credential less protection than asked for"}
	}
	object, err := c.attestation(made, a)
	if err != nil {
		return nil, err
	}
	response := attestationJSON{
		ClientData: b64(c.ClientData), AuthData: b64(made.AuthData),
		Transports: known(made.Transports),
		PublicKey:  b64(a.PublicKey.SPKI()), Algorithm: a.PublicKey.Algorithm,
		AttestationObject: b64(object),
	}
	var extensions results
	if c.CredProps {
		extensions.CredProps = &credProps{Discoverable: made.Discoverable}
	}
	return credential(a.CredentialID, response, extensions)
}

// Respond makes the AuthenticationResponseJSON of what a key asserted, once it
// is seen to answer the request. The signature itself is the relying party's to
// verify. A key may leave the credential's ID out where one was allowed (CTAP
// 2.1, 6.2.2). The error is an *Error.
func (r *Request) Respond(asserted Asserted) (JSON, error) {
	a, err := verify(asserted.AuthData, r.RPID, r.UV)
	if err != nil {
		return nil, err
	}
	if a.Flags.Has(AttestedCredentialData) {
		return nil, badAnswer("authenticatorData", "a credential in it (AT), which an assertion has not")
	}
	id := asserted.CredentialID
	if len(id) == 0 && len(r.Allow) == 1 {
		id = r.Allow[0].ID
	}
	switch {
	case len(id) == 0 || len(id) > maxCredential:
		return nil, badAnswer("credential", "without an ID of 1 to 1023 octets")
	case len(r.Allow) > 0 && !slices.ContainsFunc(r.Allow, func(d Descriptor) bool { return bytes.Equal(d.ID, id) }):
		return nil, badAnswer("credential", "not one that was allowed")
	case len(r.Allow) == 0 && len(asserted.UserHandle) == 0:
		return nil, badAnswer("userHandle", "missing, where any credential was allowed")
	case len(asserted.UserHandle) > maxUserID:
		return nil, badAnswer("userHandle", "longer than 64 octets")
	case len(asserted.Signature) == 0:
		return nil, badAnswer("signature", "missing")
	}
	return credential(id, assertionJSON{
		ClientData: b64(r.ClientData), AuthData: b64(asserted.AuthData),
		Signature: b64(asserted.Signature), UserHandle: b64(asserted.UserHandle),
	}, results{})
}

// verify reads authenticator data and checks what both ceremonies have in
// common.
func verify(data []byte, rpID string, uv Requirement) (*AuthData, error) {
	a, err := ParseAuthData(data)
	switch {
	case err != nil:
		return nil, err
	case a.RPIDHash != sha256.Sum256([]byte(rpID)):
		return nil, badAnswer("rpIdHash", "of another RP ID")
	case !a.Flags.Has(UserPresent):
		return nil, badAnswer("flags", "nobody was present (UP)")
	case uv == Required && !a.Flags.Has(UserVerified):
		return nil, &Error{NotAllowedError, Unverified, "flags", "the user was not verified (UV), which is required"}
	}
	return a, nil
}

// none is the statement of the format none, an empty map (WebAuthn L3, 8.7).
var none = []byte{0xa0}

// attestation is the attestation object (WebAuthn L3, 6.5.4).
func (c *Creation) attestation(made Made, a *AuthData) ([]byte, error) {
	format, statement := made.Format, made.Statement
	if format == "none" && len(statement) == 0 {
		statement = none // CTAP 2.2 lets a key leave it out
	}
	var members map[string]cbor.RawMessage
	if decoding.Unmarshal(statement, &members) != nil || members == nil {
		return nil, badAnswer("attStmt", "no CBOR map as CTAP has it")
	}
	if format == "" {
		return nil, badAnswer("fmt", "missing")
	}
	_, certified := members["x5c"]
	if selfAttested := format == "packed" && !certified && a.AAGUID == [sizeAAGUID]byte{}; c.Attestation == "none" && !selfAttested {
		format, statement = "none", none
	}
	return encoding.Marshal(struct {
		Format    string          `cbor:"fmt"`
		Statement cbor.RawMessage `cbor:"attStmt"`
		AuthData  []byte          `cbor:"authData"`
	}{format, statement, made.AuthData})
}

// known are transports as getTransports has them: the known ones, each once and
// in order (WebAuthn L3, 5.2.1).
func known(some []string) []string {
	all := []string{}
	for _, t := range transports {
		if slices.Contains(some, t) {
			all = append(all, t)
		}
	}
	return all
}
