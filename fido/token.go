package fido

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"fmt"
)

// PINToken implements [Session]. It sends the PIN as [NormalPIN] has it, and
// wipes it whatever happens. The key's
// first PIN/UV auth protocol is used, and permissions where it knows them
// (option pinUvAuthToken); the tokens of an older key are good for all.
func (k *Key) PINToken(ctx context.Context, pin []byte, want Permissions, rpID string) (*Token, error) {
	defer clear(pin)
	normal, err := NormalPIN(pin)
	if err != nil {
		return nil, err
	}
	defer clear(normal)
	var token *Token
	err = k.ceremony(ctx, func(ctx context.Context, c *channel, info *Info) error {
		switch set := info.Option("clientPin"); {
		case set == nil:
			return fmt.Errorf("%w: clientPin", ErrUnsupported)
		case !*set:
			return &StatusError{authenticatorClientPIN, CTAP2_ERR_PIN_NOT_SET}
		}
		request := tokenRequest{permissions: want, rpID: rpID}
		if !info.Has("pinUvAuthToken") {
			request = tokenRequest{}
			want = PermitMakeCredential | PermitGetAssertion | PermitCredentialManagement
		}
		var err error
		token, err = c.token(ctx, info, want, func(a *agreement) ([]byte, error) {
			sum := sha256.Sum256(normal)
			defer clear(sum[:])
			var err error
			if request.pinHashEnc, err = a.encrypt(sum[:16]); err != nil {
				return nil, err
			}
			return c.getToken(ctx, pinTempo, nil, a, request)
		})
		return err
	})
	return token, err
}

// UVToken implements [Session].
func (k *Key) UVToken(ctx context.Context, want Permissions, rpID string, keepalive func(Keepalive)) (*Token, error) {
	var token *Token
	err := k.ceremony(ctx, func(ctx context.Context, c *channel, info *Info) error {
		if !info.Has("uv") || !info.Has("pinUvAuthToken") {
			return fmt.Errorf("%w: uv with pinUvAuthToken", ErrUnsupported)
		}
		var err error
		token, err = c.token(ctx, info, want, func(a *agreement) ([]byte, error) {
			return c.getToken(ctx, uvTempo, keepalive, a, tokenRequest{permissions: want, rpID: rpID})
		})
		return err
	})
	return token, err
}

var (
	// A PIN is compared at once, an eye or finger when it is shown. Both cost
	// tries, so both are asked for once.
	pinTempo = tempo{patience: quick.patience, limit: quick.limit, single: true}
	uvTempo  = tempo{patience: personal.patience, limit: personal.limit, single: true}
)

// tokenRequest is what a token is asked for with: the PIN where there is one,
// else the key's own user verification; permissions where there are any.
type tokenRequest struct {
	pinHashEnc  []byte
	permissions Permissions
	rpID        string
}

// token agrees on a secret with the key, has ask get a token under it and
// decrypts that.
func (c *channel) token(ctx context.Context, info *Info, permits Permissions, ask func(*agreement) ([]byte, error)) (*Token, error) {
	protocol := info.pinProtocol()
	data, err := c.getKeyAgreement(ctx, protocol)
	if err != nil {
		return nil, err
	}
	peer, err := parseKeyAgreement(data)
	if err != nil {
		return nil, err
	}
	a, err := agree(protocol, peer)
	if err != nil {
		return nil, err
	}
	defer a.forget()
	if data, err = ask(a); err != nil {
		return nil, err
	}
	encrypted, err := parseToken(data)
	if err != nil {
		return nil, err
	}
	secret, err := a.token(encrypted)
	if err != nil {
		return nil, err
	}
	return &Token{protocol: protocol, permits: permits, secret: secret}, nil
}

// parseKeyAgreement reads the answer to getKeyAgreement (CTAP 2.1, 6.5.5.4): a
// point on P-256 as a COSE_Key.
func parseKeyAgreement(data []byte) (*ecdh.PublicKey, error) {
	var raw struct {
		Key *struct {
			Kty int    `cbor:"1,keyasint"`
			Alg int    `cbor:"3,keyasint"`
			Crv int    `cbor:"-1,keyasint"`
			X   []byte `cbor:"-2,keyasint"`
			Y   []byte `cbor:"-3,keyasint"`
		} `cbor:"1,keyasint"`
	}
	if err := strict().Unmarshal(data, &raw); err != nil {
		return nil, badCBOR("authenticatorClientPIN", err)
	}
	p := raw.Key
	if p == nil || p.Kty != coseEC2 || p.Alg != coseECDH || p.Crv != coseP256 || len(p.X) != 32 || len(p.Y) != 32 {
		return nil, malformed(authenticatorClientPIN, "keyAgreement (0x01) is no key on P-256")
	}
	point, err := ecdh.P256().NewPublicKey(bytes.Join([][]byte{{4}, p.X, p.Y}, nil))
	if err != nil {
		return nil, malformed(authenticatorClientPIN, "keyAgreement (0x01) is no point on P-256")
	}
	return point, nil
}

// parseToken reads a pinUvAuthToken as it is sent, encrypted.
func parseToken(data []byte) ([]byte, error) {
	var raw struct {
		Token []byte `cbor:"2,keyasint"`
	}
	if err := strict().Unmarshal(data, &raw); err != nil {
		return nil, badCBOR("authenticatorClientPIN", err)
	}
	return raw.Token, nil
}

// malformed is an answer to a command that is CBOR, but not the right one.
func malformed(command byte, what string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrMalformed, commandName(command), fmt.Sprintf(what, args...))
}
