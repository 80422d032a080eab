package fido

import (
	"context"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/go-ctap/ctaphid/pkg/ctaphid"
	"github.com/go-ctap/ctaphid/pkg/ctaptypes"
	"github.com/go-ctap/ctaphid/pkg/webauthntypes"
)

// The messages of ceremonies are made of the library's types and not by its
// client, which hashes client data itself, wants the PIN as a string and makes
// a copy in hexadecimal digits of each message for its log.

// canonical writes CTAP2 canonical CBOR (CTAP 2.1, 8).
var canonical = sync.OnceValue(func() cbor.EncMode {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
})

// encode is a command with its parameters.
func encode(command byte, params any) ([]byte, error) {
	data, err := canonical().Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("fido: %s: %w", commandName(command), err)
	}
	return append([]byte{command}, data...), nil
}

// send sends a command and returns the CBOR of its answer.
func (c *channel) send(ctx context.Context, t tempo, keepalive func(Keepalive), command []byte) ([]byte, error) {
	w := c.library(ctx, t, keepalive)
	_, err := ctaphid.CBOR(w, w.id, command)
	return w.result(err)
}

// getKeyAgreement sends authenticatorClientPIN getKeyAgreement (CTAP 2.1,
// 6.5.5.4).
func (c *channel) getKeyAgreement(ctx context.Context, protocol uint) ([]byte, error) {
	command, err := encode(authenticatorClientPIN, ctaptypes.AuthenticatorClientPINRequest{
		PinUvAuthProtocol: ctaptypes.PinUvAuthProtocol(protocol),
		SubCommand:        ctaptypes.ClientPINSubCommandGetKeyAgreement,
	})
	if err != nil {
		return nil, err
	}
	return c.send(ctx, quick, nil, command)
}

// getToken sends authenticatorClientPIN getPinUvAuthTokenUsingPinWithPermissions,
// getPinUvAuthTokenUsingUvWithPermissions or, with a PIN and without
// permissions, getPinToken (CTAP 2.1, 6.5.5.7).
func (c *channel) getToken(ctx context.Context, t tempo, keepalive func(Keepalive), a *agreement, r tokenRequest) ([]byte, error) {
	sub := ctaptypes.ClientPINSubCommandGetPinUvAuthTokenUsingPinWithPermissions
	switch {
	case r.pinHashEnc == nil:
		sub = ctaptypes.ClientPINSubCommandGetPinUvAuthTokenUsingUvWithPermissions
	case r.permissions == 0:
		sub = ctaptypes.ClientPINSubCommandGetPinToken
	}
	command, err := encode(authenticatorClientPIN, ctaptypes.AuthenticatorClientPINRequest{
		PinUvAuthProtocol: ctaptypes.PinUvAuthProtocol(a.protocol),
		SubCommand:        sub,
		KeyAgreement:      map[any]any{1: coseEC2, 3: coseECDH, -1: coseP256, -2: a.x, -3: a.y},
		PinHashEnc:        r.pinHashEnc,
		Permissions:       ctaptypes.Permission(r.permissions),
		RPID:              r.rpID,
	})
	if err != nil {
		return nil, err
	}
	return c.send(ctx, t, keepalive, command)
}

func descriptors(ids [][]byte) []webauthntypes.PublicKeyCredentialDescriptor {
	var all []webauthntypes.PublicKeyCredentialDescriptor
	for _, id := range ids {
		all = append(all, webauthntypes.PublicKeyCredentialDescriptor{Type: webauthntypes.PublicKeyCredentialTypePublicKey, ID: id})
	}
	return all
}

// short cuts a name to the 64 octets that each key takes, at the end of a
// character. Keys may do so themselves, but some refuse longer ones, so the
// client does (WebAuthn L3, 6.4.1).
func short(name string) string {
	cut := 64
	if len(name) <= cut {
		return name
	}
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut]
}

// assign sets a number of a type that is not the library's own, but of a
// module behind it.
func assign[T ~int](to *T, n int64) { *to = T(n) }

// makeCredential is authenticatorMakeCredential (CTAP 2.1, 6.1).
func makeCredential(r MakeCredential, p proof) ([]byte, error) {
	params := make([]webauthntypes.PublicKeyCredentialParameters, len(r.Algorithms))
	for i, a := range r.Algorithms {
		params[i].Type = webauthntypes.PublicKeyCredentialTypePublicKey
		assign(&params[i].Algorithm, a)
	}
	request := ctaptypes.AuthenticatorMakeCredentialRequest{
		ClientDataHash:    r.ClientDataHash[:],
		RP:                webauthntypes.PublicKeyCredentialRpEntity{ID: r.RP.ID, Name: short(r.RP.Name)},
		User:              webauthntypes.PublicKeyCredentialUserEntity{ID: r.User.ID, Name: short(r.User.Name), DisplayName: short(r.User.DisplayName)},
		PubKeyCredParams:  params,
		ExcludeList:       descriptors(r.Exclude),
		Options:           map[ctaptypes.Option]bool{},
		PinUvAuthParam:    p.param,
		PinUvAuthProtocol: ctaptypes.PinUvAuthProtocol(p.protocol),
	}
	if r.CredProtect != 0 {
		request.Extensions = &ctaptypes.CreateExtensionInputs{CreateCredProtectInput: &ctaptypes.CreateCredProtectInput{CredProtect: r.CredProtect}}
	}
	if r.ResidentKey {
		request.Options[ctaptypes.OptionResidentKeys] = true
	}
	if r.UV && p.param == nil { // with a token it must not be there
		request.Options[ctaptypes.OptionUserVerification] = true
	}
	return encode(authenticatorMakeCredential, request)
}

// getAssertion is authenticatorGetAssertion (CTAP 2.1, 6.2).
func getAssertion(r GetAssertion, p proof) ([]byte, error) {
	request := ctaptypes.AuthenticatorGetAssertionRequest{
		RPID:              r.RPID,
		ClientDataHash:    r.ClientDataHash[:],
		AllowList:         descriptors(r.Allow),
		Options:           map[ctaptypes.Option]bool{},
		PinUvAuthParam:    p.param,
		PinUvAuthProtocol: ctaptypes.PinUvAuthProtocol(p.protocol),
	}
	if r.NoUP {
		request.Options[ctaptypes.OptionUserPresence] = false
	}
	if r.UV && p.param == nil {
		request.Options[ctaptypes.OptionUserVerification] = true
	}
	return encode(authenticatorGetAssertion, request)
}

// manageCredentials is authenticatorCredentialManagement with one of the
// subcommands that this package uses, or the command that came before it
// (CTAP 2.1, 6.8).
type manageCredentials struct {
	command byte
	token   *Token
}

// begin is enumerateCredentialsBegin, for the relying party of that hash.
func (m manageCredentials) begin(rpIDHash [32]byte) ([]byte, error) {
	return m.encode(ctaptypes.CredentialManagementSubCommandEnumerateCredentialsBegin, ctaptypes.CredentialManagementSubCommandParams{RPIDHash: rpIDHash[:]})
}

// next is enumerateCredentialsGetNextCredential, which needs no token.
func (m manageCredentials) next() ([]byte, error) {
	return encode(m.command, ctaptypes.AuthenticatorCredentialManagementRequest{SubCommand: ctaptypes.CredentialManagementSubCommandEnumerateCredentialsGetNextCredential})
}

// remove is deleteCredential.
func (m manageCredentials) remove(id []byte) ([]byte, error) {
	return m.encode(ctaptypes.CredentialManagementSubCommandDeleteCredential, ctaptypes.CredentialManagementSubCommandParams{CredentialID: descriptors([][]byte{id})[0]})
}

// encode has the token vouch for subcommand and parameters.
func (m manageCredentials) encode(sub ctaptypes.CredentialManagementSubCommand, params ctaptypes.CredentialManagementSubCommandParams) ([]byte, error) {
	octets, err := canonical().Marshal(params)
	if err != nil {
		return nil, err
	}
	p := m.token.authenticate([]byte{byte(sub)}, octets)
	return encode(m.command, ctaptypes.AuthenticatorCredentialManagementRequest{
		SubCommand:        sub,
		SubCommandParams:  params,
		PinUvAuthProtocol: ctaptypes.PinUvAuthProtocol(p.protocol),
		PinUvAuthParam:    p.param,
	})
}
