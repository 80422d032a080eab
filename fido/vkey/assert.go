package vkey

import (
	"crypto/sha256"
	"time"
)

type getAssertionRequest struct {
	RPID           string       `cbor:"1,keyasint"`
	ClientDataHash []byte       `cbor:"2,keyasint"`
	AllowList      []descriptor `cbor:"3,keyasint"`
	Extensions     struct {
		HMACSecret *hmacSecretInput `cbor:"hmac-secret"`
	} `cbor:"4,keyasint"`
	Options           options `cbor:"5,keyasint"`
	PinUvAuthParam    []byte  `cbor:"6,keyasint"`
	PinUvAuthProtocol *uint64 `cbor:"7,keyasint"`
}

func (r *getAssertionRequest) complete() status {
	switch {
	case r.RPID == "", r.ClientDataHash == nil:
		return CTAP2_ERR_MISSING_PARAMETER
	case len(r.ClientDataHash) != sha256.Size:
		return CTAP1_ERR_INVALID_LENGTH
	case len(r.AllowList) > maxCredentialCountInList:
		return CTAP2_ERR_LIMIT_EXCEEDED
	}
	return CTAP2_OK
}

// nextAssertion is what a key remembers between authenticatorGetAssertion and
// authenticatorGetNextAssertion.
type nextAssertion struct {
	req   *getAssertionRequest
	flags byte
	rest  []*located
	at    time.Time
}

// getAssertion carries out authenticatorGetAssertion. The steps are those of
// CTAP 2.1, 6.2.2.
func (a *authenticator) getAssertion(now time.Time, params []byte) result {
	var req getAssertionRequest
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
	// Step 4. This key has no user verification of its own.
	if is(req.Options.UV) && p == nil {
		return fails(CTAP2_ERR_INVALID_OPTION)
	}
	if req.Options.RK != nil {
		return fails(CTAP2_ERR_UNSUPPORTED_OPTION)
	}
	// Step 6.
	var flags byte
	if p != nil && a.pinSet() {
		if !p.authorize(permissionGA, req.RPID, req.ClientDataHash, req.PinUvAuthParam) {
			return fails(CTAP2_ERR_PIN_AUTH_INVALID)
		}
		flags |= flagUV
	}
	// Step 7.
	usable := a.applicable(&req, flags&flagUV != 0)
	if len(usable) == 0 {
		return fails(CTAP2_ERR_NO_CREDENTIALS)
	}
	// Step 9.
	if req.Options.UP != nil && !*req.Options.UP {
		if req.Extensions.HMACSecret != nil { // needs a touch (CTAP 2.1, 12.5)
			return fails(CTAP2_ERR_UNSUPPORTED_OPTION)
		}
		return result{reply: a.first(now, &req, usable, flags)}
	}
	return result{touch: func(now time.Time, touched bool) []byte {
		if !touched {
			return []byte{byte(CTAP2_ERR_OPERATION_DENIED)}
		}
		a.consumeTokens()
		return a.first(now, &req, usable, flags|flagUP)
	}}
}

// applicable are the credentials of step 7, latest first.
func (a *authenticator) applicable(req *getAssertionRequest, verified bool) []*located {
	var all []*located
	if len(req.AllowList) > 0 {
		for i := range req.AllowList {
			if l := a.locate(req.RPID, &req.AllowList[i]); l != nil {
				all = append(all, l)
			}
		}
	} else {
		for _, c := range a.mem.find(func(c *credential) bool { return c.RPID == req.RPID }) {
			if l := a.locate(req.RPID, &descriptor{ID: c.ID, Type: publicKey}); l != nil {
				all = append(all, l)
			}
		}
	}
	var usable []*located
	for _, l := range all {
		hidden := l.protect == userVerificationRequired ||
			l.protect == userVerificationOptionalWithCredentialIDList && len(req.AllowList) == 0
		if verified || !hidden {
			usable = append(usable, l)
		}
	}
	return usable
}

// first answers authenticatorGetAssertion (steps 10 to 13).
func (a *authenticator) first(now time.Time, req *getAssertionRequest, usable []*located, flags byte) []byte {
	if len(req.AllowList) > 0 {
		usable = usable[:1]
	}
	out, s := a.assert(req, usable[0], flags, len(usable) > 1)
	if s != CTAP2_OK {
		return []byte{byte(s)}
	}
	if len(usable) > 1 {
		out.NumberOfCredentials = len(usable)
		a.next = &nextAssertion{req, flags, usable[1:], now}
	}
	return a.answer(out)
}

// getNextAssertion carries out authenticatorGetNextAssertion (CTAP 2.1, 6.3).
func (a *authenticator) getNextAssertion(now time.Time) result {
	n := a.next
	if n == nil || len(n.rest) == 0 || now.Sub(n.at) > 30*time.Second {
		a.next = nil
		return fails(CTAP2_ERR_NOT_ALLOWED)
	}
	out, s := a.assert(n.req, n.rest[0], n.flags, true)
	if s != CTAP2_OK {
		a.next = nil
		return fails(s)
	}
	n.rest, n.at = n.rest[1:], now
	return result{reply: a.answer(out)}
}

type assertion struct {
	Credential          descriptor  `cbor:"1,keyasint"`
	AuthData            []byte      `cbor:"2,keyasint"`
	Signature           []byte      `cbor:"3,keyasint"`
	User                *userEntity `cbor:"4,keyasint,omitempty"`
	NumberOfCredentials int         `cbor:"5,keyasint,omitempty"`
}

// assert signs with one credential. Of a discoverable one the user's id is
// told; the names only where the user must choose between several, and was
// verified (CTAP 2.1, 6.2.2 step 12 and the response's user member).
func (a *authenticator) assert(req *getAssertionRequest, l *located, flags byte, several bool) (*assertion, status) {
	extensions := map[string]any{}
	if in := req.Extensions.HMACSecret; in != nil {
		out, s := a.hmacSecret(in, l.id, flags&flagUV != 0)
		if s != CTAP2_OK {
			return nil, s
		}
		extensions["hmac-secret"] = out
	}
	count, err := a.mem.sign()
	if err != nil {
		return nil, CTAP1_ERR_OTHER
	}
	data := a.authData(sha256.Sum256([]byte(req.RPID)), flags, count)
	data = a.withExtensions(data, extensions)
	sig, err := l.sign(data, req.ClientDataHash)
	if err != nil {
		return nil, CTAP1_ERR_OTHER
	}
	out := &assertion{Credential: descriptor{ID: l.id, Type: publicKey}, AuthData: data, Signature: sig}
	if l.stored != nil {
		out.User = &userEntity{ID: l.stored.UserID}
		if several && flags&flagUV != 0 {
			out.User.Name, out.User.DisplayName = l.stored.UserName, l.stored.DisplayName
		}
	}
	return out, CTAP2_OK
}
