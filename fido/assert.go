package fido

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// maxStored bounds the accounts that a key may tell of; such as are sold have
// room for 25 to 300 in all.
const maxStored = 512

// Assert implements [Session]. Where Allow is longer than the key takes at
// once, the part is used in which it knows a credential; ids that are too long
// for the key are none of its own.
func (k *Key) Assert(ctx context.Context, request GetAssertion, token *Token, keepalive func(Keepalive)) ([]Assertion, error) {
	var made []Assertion
	err := k.ceremony(ctx, func(ctx context.Context, c *channel, info *Info) error {
		p := token.authenticate(request.ClientDataHash[:])
		if len(request.Allow) > 0 {
			var err error
			if request.Allow, err = allowed(ctx, c, info, request, token); err != nil {
				return err
			}
		}
		command, err := getAssertion(request, p)
		if err != nil {
			return err
		}
		data, err := c.send(ctx, personal, keepalive, command)
		if err != nil {
			return err
		}
		first, accounts, err := parseAssertion(data, request.RPID, request.Allow)
		if err != nil {
			return err
		}
		made, err = others(ctx, c, *first, accounts, request.RPID)
		return err
	})
	return made, err
}

// allowed is the part of Allow to ask the key for in earnest. It is never
// empty: without a list a key offers every account it has.
func allowed(ctx context.Context, c *channel, info *Info, request GetAssertion, token *Token) ([][]byte, error) {
	ids := request.Allow
	request.Allow = nil
	command, err := getAssertion(request, token.authenticate(request.ClientDataHash[:]))
	if err != nil {
		return nil, err
	}
	all := lists(ids, info, len(command))
	switch len(all) {
	case 0:
		return nil, &StatusError{authenticatorGetAssertion, CTAP2_ERR_NO_CREDENTIALS}
	case 1:
		return all[0], nil
	}
	found, err := silent(ctx, c, all, request.RPID, token)
	if found == nil {
		found = all[0] // let the key itself say so
	}
	return found, err
}

// others adds the assertions of the further accounts (authenticatorGetNextAssertion,
// CTAP 2.1, 6.3). They need no person any more, so the end of ctx cuts them off
// a little later than all else.
func others(ctx context.Context, c *channel, first Assertion, accounts int, rpID string) ([]Assertion, error) {
	all := []Assertion{first}
	if accounts == 1 {
		return all, nil
	}
	ctx, cancel := graced(ctx)
	defer cancel()
	t := quick
	t.repeat = false // each brings the next
	for range accounts - 1 {
		data, err := c.send(ctx, t, nil, []byte{authenticatorGetNextAssertion})
		if err != nil {
			return nil, err
		}
		next, _, err := parseAssertion(data, rpID, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, *next)
	}
	return all, nil
}

// graced is a context that ends when ctx does, but for the time of grace.
func graced(ctx context.Context) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return late, func() {
		stop()
		cancel()
	}
}

type rawUser struct {
	ID          []byte `cbor:"id"`
	Name        string `cbor:"name"`
	DisplayName string `cbor:"displayName"`
}

// user is who the key says has a credential. Names are for people to read, and
// cut where the key had no more room.
func (r *rawUser) user(command byte) (*User, error) {
	const longest = 64 // a user handle (WebAuthn L3, 5.4.3)
	if len(r.ID) == 0 || len(r.ID) > longest {
		return nil, malformed(command, "a user's id of %d octets", len(r.ID))
	}
	return &User{ID: r.ID, Name: printable(r.Name), DisplayName: printable(r.DisplayName)}, nil
}

// lenient is strict but for names that were cut within a character, as keys may
// (WebAuthn L3, 6.4.1).
var lenient = sync.OnceValue(func() cbor.DecMode {
	options := strict().DecOptions()
	options.UTF8 = cbor.UTF8DecodeInvalid
	mode, err := options.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
})

// parseAssertion reads the answer to authenticatorGetAssertion or, with no
// allow list, authenticatorGetNextAssertion, and how many accounts there are to
// tell of: 1 where the request or the person named one.
func parseAssertion(data []byte, rpID string, allow [][]byte) (*Assertion, int, error) {
	const command = authenticatorGetAssertion
	const maxSignature = 4096 // octets
	var raw struct {
		Credential *struct {
			ID []byte `cbor:"id"`
		} `cbor:"1,keyasint"`
		AuthData  []byte   `cbor:"2,keyasint"`
		Signature []byte   `cbor:"3,keyasint"`
		User      *rawUser `cbor:"4,keyasint"`
		Accounts  *uint64  `cbor:"5,keyasint"`
		Selected  bool     `cbor:"6,keyasint"`
	}
	if err := lenient().Unmarshal(data, &raw); err != nil {
		return nil, 0, badCBOR(commandName(command), err)
	}
	if err := checkAuthData(command, raw.AuthData, rpID); err != nil {
		return nil, 0, err
	}
	if n := len(raw.Signature); n == 0 || n > maxSignature {
		return nil, 0, malformed(command, "signature (0x03) of %d octets", n)
	}
	a := &Assertion{AuthData: raw.AuthData, Signature: raw.Signature, UserSelected: raw.Selected}
	switch {
	case raw.Credential != nil:
		a.CredentialID = raw.Credential.ID
	case len(allow) == 1:
		a.CredentialID = allow[0]
	}
	known := len(allow) == 0 || slices.ContainsFunc(allow, func(id []byte) bool { return bytes.Equal(id, a.CredentialID) })
	if n := len(a.CredentialID); n == 0 || n > maxID || !known {
		return nil, 0, malformed(command, "credential (0x01) with an id of %d octets, which was not asked for", n)
	}
	if raw.User != nil {
		var err error
		if a.User, err = raw.User.user(command); err != nil {
			return nil, 0, err
		}
	}
	accounts := 1
	if raw.Accounts != nil && !raw.Selected && len(allow) == 0 {
		if *raw.Accounts == 0 || *raw.Accounts > maxStored {
			return nil, 0, malformed(command, "numberOfCredentials (0x05) is %d", *raw.Accounts)
		}
		accounts = int(*raw.Accounts)
	}
	return a, accounts, nil
}
