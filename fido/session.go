package fido

import (
	"context"
	"fmt"
	"io"
)

// MakeCredential is authenticatorMakeCredential (CTAP 2.1, 6.1).
type MakeCredential struct {
	ClientDataHash [32]byte
	RP             RelyingParty
	User           User
	Algorithms     []int64 // COSE algorithm numbers, the best first
	Exclude        [][]byte
	// ResidentKey asks for a discoverable credential (option rk).
	ResidentKey bool
	// UV asks the key's own user verification (option uv) where there is no
	// token.
	UV bool
	// CredProtect is the level of the extension, 1 to 3; 0: not asked for.
	CredProtect int
	// EnterpriseAttestation is not asked for, ever.
}

// RelyingParty is a PublicKeyCredentialRpEntity.
type RelyingParty struct{ ID, Name string }

// User is a PublicKeyCredentialUserEntity.
type User struct {
	ID                []byte
	Name, DisplayName string
}

// Credential is what a key made.
type Credential struct {
	Format   string // attestation statement format
	AuthData []byte // as it is signed (WebAuthn L3, 6.1)
	// Statement is the attestation statement in CTAP2 canonical CBOR.
	Statement []byte
	ID        []byte // the credential's
}

// GetAssertion is authenticatorGetAssertion (CTAP 2.1, 6.2).
type GetAssertion struct {
	ClientDataHash [32]byte
	RPID           string
	Allow          [][]byte // none: discoverable credentials
	// UP is asked for unless NoUP; UV as in MakeCredential.
	NoUP, UV bool
}

// Assertion is one answer of a key; one for each account.
type Assertion struct {
	CredentialID []byte // of the only one in Allow, where the key left it out
	AuthData     []byte
	Signature    []byte
	// User is what the key tells of the account; nil where it tells none.
	User *User
	// UserSelected: the key had the person choose.
	UserSelected bool
}

// Permissions of a token (CTAP 2.1, 6.5.5.7).
type Permissions byte

// The permissions.
const (
	PermitMakeCredential       Permissions = 0x01
	PermitGetAssertion         Permissions = 0x02
	PermitCredentialManagement Permissions = 0x04
)

// Token is a pinUvAuthToken. It is secret: Forget wipes it.
type Token struct {
	protocol uint
	permits  Permissions
	secret   []byte
}

// Forget wipes the token. It may be called on nil, and more than once.
func (t *Token) Forget() {
	if t != nil {
		clear(t.secret)
		t.secret = nil
	}
}

// Format prints a token without its secret, whatever the verb.
func (t *Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "a pinUvAuthToken") }

// Stored is a discoverable credential in a key.
type Stored struct {
	ID   []byte
	User User
}

var _ Session = (*Key)(nil)

// Session is what a ceremony does with an open key; [Key] has it. Each call
// ends soon after its context does, and what the key did all the same is in
// the answer, not lost: a success that was on its way when the context ended
// is returned with a nil error, so who ended it looks at the answer first.
type Session interface {
	Info(ctx context.Context) (*Info, error)
	// Retries asks how many tries are left; it costs none.
	Retries(ctx context.Context) (*Retries, error)
	// PINToken sends a PIN, once, and wipes it. It is UTF-8, in any form. A wrong one is a StatusError of
	// CTAP2_ERR_PIN_INVALID, PIN_BLOCKED or PIN_AUTH_BLOCKED, even where ctx
	// ended meanwhile. None was compared where it fails with ErrNoPIN,
	// ErrUnsupported or ErrInUse; where no answer came (ErrMute, ErrGone,
	// ErrMalformed, ctx's error) Retries tells. Who calls it has read Retries in
	// the same session just before (DESIGN rule 1).
	PINToken(ctx context.Context, pin []byte, want Permissions, rpID string) (*Token, error)
	// UVToken has the key verify its user itself, by a finger for example.
	UVToken(ctx context.Context, want Permissions, rpID string, keepalive func(Keepalive)) (*Token, error)
	// Make and Assert take a token, or nil for none.
	Make(ctx context.Context, request MakeCredential, token *Token, keepalive func(Keepalive)) (*Credential, error)
	Assert(ctx context.Context, request GetAssertion, token *Token, keepalive func(Keepalive)) ([]Assertion, error)
	// Stored lists the discoverable credentials of a relying party, and Delete
	// deletes one (CTAP 2.1, 6.8).
	Stored(ctx context.Context, token *Token, rpID string) ([]Stored, error)
	Delete(ctx context.Context, token *Token, credentialID []byte) error
}
