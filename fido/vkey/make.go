package vkey

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
	"unicode/utf8"
)

type rpEntity struct {
	ID   string `cbor:"id"`
	Name string `cbor:"name,omitempty"`
}

type userEntity struct {
	ID          []byte `cbor:"id"`
	Name        string `cbor:"name,omitempty"`
	DisplayName string `cbor:"displayName,omitempty"`
}

type descriptor struct {
	ID   []byte `cbor:"id"`
	Type string `cbor:"type"`
}

type options struct {
	RK *bool `cbor:"rk"`
	UP *bool `cbor:"up"`
	UV *bool `cbor:"uv"`
}

type credParam struct {
	Alg  *int64  `cbor:"alg"`
	Type *string `cbor:"type"`
}

type makeCredentialRequest struct {
	ClientDataHash   []byte       `cbor:"1,keyasint"`
	RP               *rpEntity    `cbor:"2,keyasint"`
	User             *userEntity  `cbor:"3,keyasint"`
	PubKeyCredParams []credParam  `cbor:"4,keyasint"`
	ExcludeList      []descriptor `cbor:"5,keyasint"`
	Extensions       struct {
		CredProtect *uint64 `cbor:"credProtect"`
		HMACSecret  *bool   `cbor:"hmac-secret"`
	} `cbor:"6,keyasint"`
	Options               options `cbor:"7,keyasint"`
	PinUvAuthParam        []byte  `cbor:"8,keyasint"`
	PinUvAuthProtocol     *uint64 `cbor:"9,keyasint"`
	EnterpriseAttestation *uint64 `cbor:"10,keyasint"`
}

// Flags of the authenticator data (WebAuthn L2, 6.1).
const (
	flagUP = 0x01
	flagUV = 0x04
	flagAT = 0x40
	flagED = 0x80
)

// complete says whether the parameters are there and of a length that can be.
func (r *makeCredentialRequest) complete() status {
	switch {
	case r.ClientDataHash == nil, r.RP == nil, r.User == nil, r.PubKeyCredParams == nil, r.RP.ID == "", r.User.ID == nil:
		return CTAP2_ERR_MISSING_PARAMETER
	case len(r.ClientDataHash) != sha256.Size, len(r.User.ID) == 0, len(r.User.ID) > 64:
		return CTAP1_ERR_INVALID_LENGTH
	case len(r.ExcludeList) > maxCredentialCountInList:
		return CTAP2_ERR_LIMIT_EXCEEDED
	}
	return CTAP2_OK
}

// makeCredential carries out authenticatorMakeCredential. The steps are those
// of CTAP 2.1, 6.1.2.
func (a *authenticator) makeCredential(_ time.Time, params []byte) result {
	var req makeCredentialRequest
	if s := a.decode(params, &req); s != CTAP2_OK {
		return fails(s)
	}
	if s := req.complete(); s != CTAP2_OK {
		return fails(s)
	}
	// Steps 1 and 2.
	p, r, ended := a.authProtocol(req.PinUvAuthParam, req.PinUvAuthProtocol)
	if ended {
		return r
	}
	// Step 3.
	if s := chooseAlgorithm(req.PubKeyCredParams); s != CTAP2_OK {
		return fails(s)
	}
	// Step 5. This key has no user verification of its own.
	if is(req.Options.UV) && p == nil || req.Options.UP != nil && !*req.Options.UP {
		return fails(CTAP2_ERR_INVALID_OPTION)
	}
	rk := is(req.Options.RK)
	// Step 7: makeCredUvNotRqd is true.
	if a.pinSet() && p == nil && rk {
		return fails(CTAP2_ERR_PUAT_REQUIRED)
	}
	// Step 9: no enterprise attestation.
	if req.EnterpriseAttestation != nil {
		return fails(CTAP1_ERR_INVALID_PARAMETER)
	}
	// Steps 10 and 11.
	var flags byte
	if p != nil && a.pinSet() {
		if !p.authorize(permissionMC, req.RP.ID, req.ClientDataHash, req.PinUvAuthParam) {
			return fails(CTAP2_ERR_PIN_AUTH_INVALID)
		}
		flags |= flagUV
	}
	// Step 12. A credential that needs user verification is not told of
	// without it.
	for i := range req.ExcludeList {
		found := a.locate(req.RP.ID, &req.ExcludeList[i])
		if found != nil && (found.protect != userVerificationRequired || flags&flagUV != 0) {
			return result{touch: func(time.Time, bool) []byte { return []byte{byte(CTAP2_ERR_CREDENTIAL_EXCLUDED)} }}
		}
	}
	// Step 14.
	return result{touch: func(_ time.Time, touched bool) []byte {
		if !touched {
			return []byte{byte(CTAP2_ERR_OPERATION_DENIED)}
		}
		a.consumeTokens()
		out, s := a.create(&req, rk, flags|flagUP)
		if s != CTAP2_OK {
			return []byte{byte(s)}
		}
		return out
	}}
}

// authProtocol does the first two steps of authenticatorMakeCredential and
// authenticatorGetAssertion: an empty pinUvAuthParam asks for a touch, to
// choose among several keys; else p is the protocol of the one that is there.
func (a *authenticator) authProtocol(param []byte, version *uint64) (p *pinProtocol, r result, ended bool) {
	switch {
	case param == nil:
		return nil, r, false
	case len(param) == 0:
		return nil, result{touch: func(_ time.Time, touched bool) []byte {
			s := CTAP2_ERR_OPERATION_DENIED
			if touched && a.pinSet() {
				s = CTAP2_ERR_PIN_INVALID
			} else if touched {
				s = CTAP2_ERR_PIN_NOT_SET
			}
			return []byte{byte(s)}
		}}, true
	case version == nil:
		return nil, fails(CTAP2_ERR_MISSING_PARAMETER), true
	}
	if p = a.protocol(*version); p == nil {
		return nil, fails(CTAP1_ERR_INVALID_PARAMETER), true
	}
	return p, r, false
}

// chooseAlgorithm looks at every parameter, as step 3 wants, and finds ES256.
func chooseAlgorithm(params []credParam) status {
	s := CTAP2_ERR_UNSUPPORTED_ALGORITHM
	for _, c := range params {
		if c.Alg == nil || c.Type == nil {
			return CTAP2_ERR_INVALID_CBOR
		}
		if *c.Alg == algES256 && *c.Type == publicKey {
			s = CTAP2_OK
		}
	}
	return s
}

// authorize is what step 11.1 of authenticatorMakeCredential and step 6.1 of
// authenticatorGetAssertion ask of a token: that it signed the request, that a
// user was verified for it, and that it may, at that relying party.
func (p *pinProtocol) authorize(permission uint64, rpID string, message, param []byte) bool {
	if !p.verifyToken(message, param) {
		return false
	}
	if !p.userVerified || p.permissions&permission == 0 || p.rpID != "" && p.rpID != rpID {
		return false
	}
	p.rpID, p.used = rpID, true
	return true
}

func (a *authenticator) consumeTokens() {
	for _, p := range a.protocols {
		p.consume()
	}
}

// create is steps 15 to 19: the credential and its packed self attestation
// (WebAuthn L2, 8.2).
func (a *authenticator) create(req *makeCredentialRequest, rk bool, flags byte) ([]byte, status) {
	protect := uint64(userVerificationOptional)
	extensions := map[string]any{}
	if p := req.Extensions.CredProtect; p != nil && *p >= userVerificationOptional && *p <= userVerificationRequired {
		protect = *p
		extensions["credProtect"] = protect
	}
	if is(req.Extensions.HMACSecret) {
		extensions["hmac-secret"] = true
	}
	s, err := newSource(rk, protect)
	if err != nil {
		return nil, CTAP1_ERR_OTHER
	}
	rpIDHash := sha256.Sum256([]byte(req.RP.ID))
	id, err := s.wrap(a.mem.secret(), rpIDHash)
	if err != nil {
		return nil, CTAP1_ERR_OTHER
	}
	public, err := s.cose()
	if err != nil {
		return nil, CTAP1_ERR_OTHER
	}
	if rk {
		err := a.mem.add(credential{
			ID: id, RPID: req.RP.ID, RPName: short(req.RP.Name),
			UserID: req.User.ID, UserName: short(req.User.Name), DisplayName: short(req.User.DisplayName),
		})
		if errors.Is(err, errFull) {
			return nil, CTAP2_ERR_KEY_STORE_FULL
		} else if err != nil {
			return nil, CTAP1_ERR_OTHER
		}
	}
	count, err := a.mem.sign()
	if err != nil {
		return nil, CTAP1_ERR_OTHER
	}
	data := a.authData(rpIDHash, flags|flagAT, count)
	data = append(data, AAGUID...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(id)))
	data = append(data, id...)
	data = append(data, a.encode(public)...)
	data = a.withExtensions(data, extensions)
	sig, err := s.sign(data, req.ClientDataHash)
	if err != nil {
		return nil, CTAP1_ERR_OTHER
	}
	type packed struct {
		Alg int    `cbor:"alg"`
		Sig []byte `cbor:"sig"`
	}
	return a.answer(struct {
		Fmt      string `cbor:"1,keyasint"`
		AuthData []byte `cbor:"2,keyasint"`
		AttStmt  packed `cbor:"3,keyasint"`
	}{"packed", data, packed{algES256, sig}}), CTAP2_OK
}

// authData is the fixed part of the authenticator data (WebAuthn L2, 6.1).
func (a *authenticator) authData(rpIDHash [32]byte, flags byte, count uint32) []byte {
	return binary.BigEndian.AppendUint32(append(rpIDHash[:], flags), count)
}

// withExtensions adds extension outputs, if there are any, and their flag.
func (a *authenticator) withExtensions(authData []byte, outputs map[string]any) []byte {
	if len(outputs) == 0 {
		return authData
	}
	authData[32] |= flagED
	return append(authData, a.encode(outputs)...)
}

func is(option *bool) bool { return option != nil && *option }

// short cuts a name to 64 octets, as a key may (CTAP 2.1, 6.1.2; WebAuthn L2,
// 6.4.1), at the end of a character.
func short(name string) string {
	if len(name) <= 64 {
		return name
	}
	cut := 64
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut]
}
