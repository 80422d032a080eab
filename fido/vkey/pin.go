package vkey

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"time"
	"unicode/utf8"
)

type clientPINRequest struct {
	PinUvAuthProtocol *uint64  `cbor:"1,keyasint"`
	SubCommand        *uint64  `cbor:"2,keyasint"`
	KeyAgreement      *coseKey `cbor:"3,keyasint"`
	PinUvAuthParam    []byte   `cbor:"4,keyasint"`
	NewPinEnc         []byte   `cbor:"5,keyasint"`
	PinHashEnc        []byte   `cbor:"6,keyasint"`
	Permissions       *uint64  `cbor:"9,keyasint"`
	RPID              *string  `cbor:"10,keyasint"`
}

// clientPIN carries out authenticatorClientPIN (CTAP 2.1, 6.5.5).
func (a *authenticator) clientPIN(now time.Time, params []byte) []byte {
	var req clientPINRequest
	if s := a.decode(params, &req); s != CTAP2_OK {
		return []byte{byte(s)}
	}
	if req.SubCommand == nil {
		return []byte{byte(CTAP2_ERR_MISSING_PARAMETER)}
	}
	a.key.receivedPIN(*req.SubCommand, req.PinHashEnc != nil)
	var out []byte
	s := CTAP2_OK
	switch *req.SubCommand {
	case getPINRetries:
		out = a.pinRetries()
	case getKeyAgreement:
		out, s = a.keyAgreement(&req)
	case setPIN:
		s = a.setPIN(&req)
	case changePIN:
		s = a.changePIN(&req)
	case getPinToken:
		out, s = a.pinToken(now, &req)
	case getPinUvAuthTokenUsingPinWithPermissions:
		out, s = a.pinTokenWithPermissions(now, &req)
	default:
		s = CTAP2_ERR_INVALID_SUBCOMMAND
	}
	if out != nil {
		return out
	}
	return []byte{byte(s)}
}

// protocol is the PIN/UV auth protocol of a number; nil if not supported.
func (a *authenticator) protocol(version uint64) *pinProtocol {
	if version == 1 || version == 2 {
		return a.protocols[version-1]
	}
	return nil
}

// pinSet and pinTries are the PIN's state in the memory, under the faults.
func (a *authenticator) pinSet() bool {
	hash, _ := a.mem.pin()
	return hash != nil && !a.key.settings().has(NoPIN)
}

func (a *authenticator) pinTries() int {
	if a.key.settings().has(PINBlocked) {
		return 0
	}
	_, tries := a.mem.pin()
	return tries
}

// pinRetries answers getPINRetries (CTAP 2.1, 6.5.5.2).
func (a *authenticator) pinRetries() []byte {
	return a.answer(struct {
		PINRetries      int  `cbor:"3,keyasint"`
		PowerCycleState bool `cbor:"4,keyasint"`
	}{a.pinTries(), a.mismatches >= maxMismatches})
}

// keyAgreement answers getKeyAgreement (CTAP 2.1, 6.5.5.4).
func (a *authenticator) keyAgreement(req *clientPINRequest) ([]byte, status) {
	p, s := a.protocolOf(req)
	if s != CTAP2_OK {
		return nil, s
	}
	return a.answer(struct {
		KeyAgreement coseKey `cbor:"1,keyasint"`
	}{p.publicKey()}), CTAP2_OK
}

func (a *authenticator) protocolOf(req *clientPINRequest) (*pinProtocol, status) {
	if req.PinUvAuthProtocol == nil {
		return nil, CTAP2_ERR_MISSING_PARAMETER
	}
	p := a.protocol(*req.PinUvAuthProtocol)
	if p == nil {
		return nil, CTAP1_ERR_INVALID_PARAMETER
	}
	return p, CTAP2_OK
}

// setPIN carries out setPIN (CTAP 2.1, 6.5.5.5).
func (a *authenticator) setPIN(req *clientPINRequest) status {
	if req.KeyAgreement == nil || req.NewPinEnc == nil || req.PinUvAuthParam == nil {
		return CTAP2_ERR_MISSING_PARAMETER
	}
	p, s := a.protocolOf(req)
	if s != CTAP2_OK {
		return s
	}
	if a.pinSet() {
		return CTAP2_ERR_PIN_AUTH_INVALID
	}
	secret, err := p.decapsulate(req.KeyAgreement)
	if err != nil {
		return CTAP1_ERR_INVALID_PARAMETER
	}
	if !p.verify(secret, req.NewPinEnc, req.PinUvAuthParam) {
		return CTAP2_ERR_PIN_AUTH_INVALID
	}
	return a.storePIN(p, secret, req.NewPinEnc)
}

// changePIN carries out changePIN (CTAP 2.1, 6.5.5.6).
func (a *authenticator) changePIN(req *clientPINRequest) status {
	if req.KeyAgreement == nil || req.NewPinEnc == nil || req.PinHashEnc == nil || req.PinUvAuthParam == nil {
		return CTAP2_ERR_MISSING_PARAMETER
	}
	p, s := a.protocolOf(req)
	if s != CTAP2_OK {
		return s
	}
	if s := a.mayTry(); s != CTAP2_OK {
		return s
	}
	secret, err := p.decapsulate(req.KeyAgreement)
	if err != nil {
		return CTAP1_ERR_INVALID_PARAMETER
	}
	if !p.verify(secret, append(bytes.Clone(req.NewPinEnc), req.PinHashEnc...), req.PinUvAuthParam) {
		return CTAP2_ERR_PIN_AUTH_INVALID
	}
	if s := a.tryPIN(p, secret, req.PinHashEnc); s != CTAP2_OK {
		return s
	}
	if s := a.storePIN(p, secret, req.NewPinEnc); s != CTAP2_OK {
		return s
	}
	for _, p := range a.protocols {
		p.resetToken()
	}
	return CTAP2_OK
}

// storePIN is what setPIN and changePIN have in common.
func (a *authenticator) storePIN(p *pinProtocol, secret, newPINEnc []byte) status {
	padded, err := p.decrypt(secret, newPINEnc)
	if err != nil {
		return CTAP2_ERR_PIN_AUTH_INVALID
	}
	defer clear(padded)
	if len(padded) != 64 {
		return CTAP1_ERR_INVALID_PARAMETER
	}
	pin := bytes.TrimRight(padded, "\x00")
	// 63 octets at most (CTAP 2.1, 6.5.1): the 64th is the end.
	if len(pin) > 63 || !utf8.Valid(pin) || utf8.RuneCount(pin) < minPINLength {
		return CTAP2_ERR_PIN_POLICY_VIOLATION
	}
	if err := a.mem.setPIN(hashPIN(pin)); err != nil {
		return CTAP1_ERR_OTHER
	}
	a.key.clearFault(NoPIN)
	return CTAP2_OK
}

// hashPIN is what a key keeps of a PIN: LEFT(SHA-256(pin), 16).
func hashPIN(pin []byte) []byte {
	sum := sha256.Sum256(pin)
	return sum[:16]
}

// maxMismatches wrong PINs in a row need a power cycle (CTAP 2.1, 6.5.5.7).
const maxMismatches = 3

// mayTry says whether a PIN may be tried at all.
func (a *authenticator) mayTry() status {
	switch {
	case !a.pinSet():
		return CTAP2_ERR_PIN_NOT_SET
	case a.pinTries() == 0:
		return CTAP2_ERR_PIN_BLOCKED
	case a.mismatches >= maxMismatches:
		return CTAP2_ERR_PIN_AUTH_BLOCKED
	}
	return CTAP2_OK
}

// tryPIN compares a PIN. The try is spent before, so that cutting the power
// does not give it back.
func (a *authenticator) tryPIN(p *pinProtocol, secret, pinHashEnc []byte) status {
	want, tries := a.mem.pin()
	if err := a.mem.setTries(tries - 1); err != nil {
		return CTAP1_ERR_OTHER
	}
	hash, err := p.decrypt(secret, pinHashEnc)
	defer clear(hash)
	if err != nil || subtle.ConstantTimeCompare(hash, want) != 1 {
		p.regenerate()
		a.mismatches++
		switch {
		case tries-1 == 0:
			return CTAP2_ERR_PIN_BLOCKED
		case a.mismatches >= maxMismatches:
			return CTAP2_ERR_PIN_AUTH_BLOCKED
		}
		return CTAP2_ERR_PIN_INVALID
	}
	a.mismatches = 0
	if err := a.mem.setTries(maxPINRetries); err != nil {
		return CTAP1_ERR_OTHER
	}
	return CTAP2_OK
}

// pinToken carries out getPinToken, the way of CTAP 2.0 (CTAP 2.1, 6.5.5.7.1).
func (a *authenticator) pinToken(now time.Time, req *clientPINRequest) ([]byte, status) {
	if req.PinUvAuthProtocol == nil || req.KeyAgreement == nil || req.PinHashEnc == nil {
		return nil, CTAP2_ERR_MISSING_PARAMETER
	}
	if req.Permissions != nil || req.RPID != nil {
		return nil, CTAP1_ERR_INVALID_PARAMETER
	}
	return a.giveToken(now, req, permissionMC|permissionGA, "")
}

// pinTokenWithPermissions carries out getPinUvAuthTokenUsingPinWithPermissions
// (CTAP 2.1, 6.5.5.7.2).
func (a *authenticator) pinTokenWithPermissions(now time.Time, req *clientPINRequest) ([]byte, status) {
	if req.PinUvAuthProtocol == nil || req.KeyAgreement == nil || req.PinHashEnc == nil || req.Permissions == nil {
		return nil, CTAP2_ERR_MISSING_PARAMETER
	}
	if a.protocol(*req.PinUvAuthProtocol) == nil {
		return nil, CTAP1_ERR_INVALID_PARAMETER
	}
	permissions, rpID := *req.Permissions, ""
	if req.RPID != nil {
		rpID = *req.RPID
	}
	switch {
	case permissions == 0:
		return nil, CTAP1_ERR_INVALID_PARAMETER
	case permissions&(permissionMC|permissionGA) != 0 && rpID == "": // these need one (the table of 6.5.5.7)
		return nil, CTAP1_ERR_INVALID_PARAMETER
	case permissions&(permissionBE|permissionLBW|permissionACFG) != 0:
		return nil, CTAP2_ERR_UNAUTHORIZED_PERMISSION
	}
	return a.giveToken(now, req, permissions, rpID)
}

func (a *authenticator) giveToken(now time.Time, req *clientPINRequest, permissions uint64, rpID string) ([]byte, status) {
	p, s := a.protocolOf(req)
	if s != CTAP2_OK {
		return nil, s
	}
	if s := a.mayTry(); s != CTAP2_OK {
		return nil, s
	}
	secret, err := p.decapsulate(req.KeyAgreement)
	if err != nil {
		return nil, CTAP1_ERR_INVALID_PARAMETER
	}
	if s := a.tryPIN(p, secret, req.PinHashEnc); s != CTAP2_OK {
		return nil, s
	}
	for _, p := range a.protocols {
		p.resetToken()
	}
	p.beginUsing(now, permissions, rpID)
	return a.answer(struct {
		PinUvAuthToken []byte `cbor:"2,keyasint"`
	}{p.encrypt(secret, p.token)}), CTAP2_OK
}
