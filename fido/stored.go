package fido

import (
	"context"
	"crypto/sha256"
	"fmt"
)

// management is authenticatorCredentialManagement as the key has it: keys from
// before CTAP 2.1, of which many are in use, have the prototype only, with the
// same parameters.
func management(info *Info, token *Token) (manageCredentials, error) {
	switch {
	case info.Has("credMgmt"):
		return manageCredentials{authenticatorCredentialManagement, token}, nil
	case info.Has("credentialMgmtPreview"):
		return manageCredentials{prototypeCredentialManagement, token}, nil
	}
	return manageCredentials{}, fmt.Errorf("%w: credMgmt", ErrUnsupported)
}

// Stored implements [Session]. It fails with ErrUnsupported where the key
// cannot tell.
func (k *Key) Stored(ctx context.Context, token *Token, rpID string) ([]Stored, error) {
	var all []Stored
	err := k.ceremony(ctx, func(ctx context.Context, c *channel, info *Info) error {
		manage, err := management(info, token)
		if err != nil {
			return err
		}
		all, err = enumerate(ctx, c, manage, rpID)
		return err
	})
	return all, err
}

func enumerate(ctx context.Context, c *channel, manage manageCredentials, rpID string) ([]Stored, error) {
	command, err := manage.begin(sha256.Sum256([]byte(rpID)))
	if err != nil {
		return nil, err
	}
	data, err := c.send(ctx, quick, nil, command)
	if noCredentials(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	first, total, err := parseStored(data, true)
	if err != nil {
		return nil, err
	}
	if command, err = manage.next(); err != nil {
		return nil, err
	}
	t := quick
	t.repeat = false // each brings the next
	all := []Stored{*first}
	for len(all) < total {
		if data, err = c.send(ctx, t, nil, command); err != nil {
			return nil, err
		}
		next, _, err := parseStored(data, false)
		if err != nil {
			return nil, err
		}
		all = append(all, *next)
	}
	return all, nil
}

// Delete implements [Session]. It fails with ErrUnsupported where the key
// cannot delete, and with a StatusError of CTAP2_ERR_NO_CREDENTIALS where it
// has no such credential.
func (k *Key) Delete(ctx context.Context, token *Token, credentialID []byte) error {
	return k.ceremony(ctx, func(ctx context.Context, c *channel, info *Info) error {
		manage, err := management(info, token)
		if err != nil {
			return err
		}
		command, err := manage.remove(credentialID)
		if err != nil {
			return err
		}
		t := quick
		t.repeat = false // a second one would be refused
		_, err = c.send(ctx, t, nil, command)
		return err
	})
}

// parseStored reads the answer to enumerateCredentialsBegin, which says how many
// there are, or to enumerateCredentialsGetNextCredential.
func parseStored(data []byte, begin bool) (*Stored, int, error) {
	const command = authenticatorCredentialManagement
	var raw struct {
		User       rawUser `cbor:"6,keyasint"`
		Credential struct {
			ID []byte `cbor:"id"`
		} `cbor:"7,keyasint"`
		Total uint64 `cbor:"9,keyasint"`
	}
	if err := lenient().Unmarshal(data, &raw); err != nil {
		return nil, 0, badCBOR(commandName(command), err)
	}
	id := raw.Credential.ID
	if len(id) == 0 || len(id) > maxID {
		return nil, 0, malformed(command, "credentialID (0x07) of %d octets", len(id))
	}
	if begin && (raw.Total == 0 || raw.Total > maxStored) {
		return nil, 0, malformed(command, "totalCredentials (0x09) is %d", raw.Total)
	}
	user, err := raw.User.user(command)
	if err != nil {
		return nil, 0, err
	}
	return &Stored{ID: id, User: *user}, int(raw.Total), nil
}
