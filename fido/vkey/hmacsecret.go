package vkey

import (
	"crypto/hmac"
	"crypto/sha256"
)

// hmacSecretInput is the input of the extension hmac-secret to
// authenticatorGetAssertion (CTAP 2.1, 12.5).
type hmacSecretInput struct {
	KeyAgreement      *coseKey `cbor:"1,keyasint"`
	SaltEnc           []byte   `cbor:"2,keyasint"`
	SaltAuth          []byte   `cbor:"3,keyasint"`
	PinUvAuthProtocol *uint64  `cbor:"4,keyasint"`
}

// hmacSecret computes the output of hmac-secret for a credential. Its two
// secrets, for a verified user and for any, are derived and not stored.
func (a *authenticator) hmacSecret(in *hmacSecretInput, id []byte, verified bool) ([]byte, status) {
	if in.KeyAgreement == nil || in.SaltEnc == nil || in.SaltAuth == nil {
		return nil, CTAP2_ERR_MISSING_PARAMETER
	}
	version := uint64(1) // the one that CTAP 2.0 knows
	if in.PinUvAuthProtocol != nil {
		version = *in.PinUvAuthProtocol
	}
	p := a.protocol(version)
	if p == nil {
		return nil, CTAP1_ERR_INVALID_PARAMETER
	}
	shared, err := p.decapsulate(in.KeyAgreement)
	if err != nil {
		return nil, CTAP1_ERR_INVALID_PARAMETER
	}
	if !p.verify(shared, in.SaltEnc, in.SaltAuth) {
		return nil, CTAP2_ERR_PIN_AUTH_INVALID
	}
	salts, err := p.decrypt(shared, in.SaltEnc)
	if err != nil || len(salts) != 32 && len(salts) != 64 {
		return nil, CTAP1_ERR_INVALID_LENGTH
	}
	kind := "hmac-secret CredRandomWithoutUV"
	if verified {
		kind = "hmac-secret CredRandomWithUV"
	}
	credRandom := derive(a.mem.secret(), kind, id)
	var out []byte
	for ; len(salts) > 0; salts = salts[32:] {
		mac := hmac.New(sha256.New, credRandom)
		mac.Write(salts[:32])
		out = mac.Sum(out)
	}
	return p.encrypt(shared, out), CTAP2_OK
}
