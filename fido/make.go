package fido

import (
	"context"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// Make implements [Session]. Where Exclude is longer than the key takes at
// once, it is looked through beforehand, and the key is given the part in which
// it knows a credential.
func (k *Key) Make(ctx context.Context, request MakeCredential, token *Token, keepalive func(Keepalive)) (*Credential, error) {
	var made *Credential
	err := k.ceremony(ctx, func(ctx context.Context, c *channel, info *Info) error {
		if !slices.Contains(info.Extensions, "credProtect") {
			request.CredProtect = 0
		}
		p := token.authenticate(request.ClientDataHash[:])
		exclude := request.Exclude
		request.Exclude = nil
		command, err := makeCredential(request, p)
		if err != nil {
			return err
		}
		switch all := lists(exclude, info, len(command)); len(all) {
		case 0:
		case 1:
			request.Exclude = all[0]
		default:
			if request.Exclude, err = silent(ctx, c, all, request.RP.ID, token); err != nil {
				return err
			}
		}
		if command, err = makeCredential(request, p); err != nil {
			return err
		}
		data, err := c.send(ctx, personal, keepalive, command)
		if err != nil {
			return err
		}
		made, err = parseCredential(data, request.RP.ID)
		return err
	})
	return made, err
}

// parseCredential reads the answer to authenticatorMakeCredential.
func parseCredential(data []byte, rpID string) (*Credential, error) {
	const command = authenticatorMakeCredential
	var raw struct {
		Format    string          `cbor:"1,keyasint"`
		AuthData  []byte          `cbor:"2,keyasint"`
		Statement cbor.RawMessage `cbor:"3,keyasint"`
	}
	if err := strict().Unmarshal(data, &raw); err != nil {
		return nil, badCBOR(commandName(command), err)
	}
	if raw.Format == "" || len(raw.Format) > maxString || raw.Format != printable(raw.Format) {
		return nil, malformed(command, "fmt (0x01) is %.*q", maxString, raw.Format)
	}
	if len(raw.Statement) == 0 && raw.Format == "none" {
		raw.Statement = cbor.RawMessage{0xa0} // some leave out what is empty
	}
	const major, aMap = 0xe0, 0xa0
	if len(raw.Statement) == 0 || raw.Statement[0]&major != aMap {
		return nil, malformed(command, "attStmt (0x03) is no map")
	}
	if err := checkAuthData(command, raw.AuthData, rpID); err != nil {
		return nil, err
	}
	id, err := attestedID(raw.AuthData)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: authData (0x02): %w", ErrMalformed, commandName(command), err)
	}
	return &Credential{Format: raw.Format, AuthData: raw.AuthData, Statement: raw.Statement, ID: id}, nil
}
