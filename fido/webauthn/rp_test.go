package webauthn

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	rp "github.com/go-webauthn/webauthn/webauthn"
)

// account is a user of the relying party.
type account struct{ credentials []rp.Credential }

func (a *account) WebAuthnID() []byte                   { return []byte("account-1") }
func (a *account) WebAuthnName() string                 { return "jo" }
func (a *account) WebAuthnDisplayName() string          { return "Jo Bloggs" }
func (a *account) WebAuthnCredentials() []rp.Credential { return a.credentials }

// TestRelyingPartyAccepts registers and signs in at a relying party that is not
// ours, whose own options are used.
func TestRelyingPartyAccepts(t *testing.T) {
	t.Parallel()
	local := Page{Origin: "http://localhost:8080", Target: "mock"}
	framed := Page{Origin: "http://localhost:8080", Top: "https://portal.example", Target: "mock"}
	list := []Party{{ID: "localhost", Origins: []string{"http://localhost:*"}, Targets: []string{"mock"}}}
	model := [16]byte{1, 2, 3}
	for _, row := range []struct {
		name        string
		alg         int64
		page        Page
		attestation protocol.ConveyancePreference
		aaguid      [16]byte
		format      string // that the relying party is to get
	}{
		{"none", ES256, local, protocol.PreferNoAttestation, model, "none"},
		{"none from a key without a model", ES256, local, protocol.PreferNoAttestation, [16]byte{}, "packed"},
		{"packed", ES256, local, protocol.PreferDirectAttestation, model, "packed"},
		{"indirect", ES384, local, protocol.PreferIndirectAttestation, model, "packed"},
		{"Ed25519", EdDSA, local, protocol.PreferDirectAttestation, model, "packed"},
		{"RSA", RS256, local, protocol.PreferDirectAttestation, model, "packed"},
		{"in a frame", ES256, framed, protocol.PreferNoAttestation, model, "none"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			site, err := rp.New(&rp.Config{
				RPID: "localhost", RPDisplayName: "Mock", RPOrigins: []string{"http://localhost:8080"},
				RPTopOrigins: []string{"https://portal.example"}, RPAllowCrossOrigin: true,
				AttestationPreference: row.attestation,
				AuthenticatorSelection: protocol.AuthenticatorSelection{
					UserVerification: protocol.VerificationRequired,
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			user := &account{}
			creation, session, err := site.BeginRegistration(user)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ParseCreation(options(t, creation.Response), row.page, list)
			if err != nil {
				t.Fatal(err)
			}
			if c.UV != Required || string(c.UserID) != "account-1" || c.Attestation != string(row.attestation) {
				t.Errorf("the relying party's options read as %+v", c)
			}
			key := newSoftKey(t, row.alg)
			key.aaguid = row.aaguid
			response, err := c.Respond(key.make(t, c, UserPresent|UserVerified))
			if err != nil {
				t.Fatal(err)
			}
			registration, err := protocol.ParseCredentialCreationResponseBytes(response)
			if err != nil {
				t.Fatalf("%s: %v", response, refusal(err))
			}
			stored, err := site.CreateCredential(user, *session, registration)
			if err != nil {
				t.Fatalf("the relying party refuses the registration: %v", refusal(err))
			}
			if stored.AttestationFormat != row.format || [16]byte(stored.Authenticator.AAGUID) != row.aaguid ||
				stored.Authenticator.Attachment != protocol.CrossPlatform || len(stored.Transport) != 2 {
				t.Errorf("the relying party has %+v", stored)
			}
			user.credentials = []rp.Credential{*stored}

			login, session, err := site.BeginLogin(user, rp.WithUserVerification(protocol.VerificationRequired))
			if err != nil {
				t.Fatal(err)
			}
			signIn(t, key, options(t, login.Response), row.page, list, nil, func(a *protocol.ParsedCredentialAssertionData) error {
				_, err := site.ValidateLogin(user, *session, a)
				return err
			})
			// And with a credential that only the key knows of.
			login, session, err = site.BeginDiscoverableLogin(rp.WithUserVerification(protocol.VerificationRequired))
			if err != nil {
				t.Fatal(err)
			}
			signIn(t, key, options(t, login.Response), row.page, list, key.user, func(a *protocol.ParsedCredentialAssertionData) error {
				_, err := site.ValidateDiscoverableLogin(func(id, handle []byte) (rp.User, error) {
					if string(handle) != "account-1" {
						return nil, fmt.Errorf("user handle %q", handle)
					}
					return user, nil
				}, *session, a)
				return err
			})
		})
	}
}

func signIn(t *testing.T, key *softKey, options []byte, page Page, list []Party, handle []byte, validate func(*protocol.ParsedCredentialAssertionData) error) {
	t.Helper()
	r, err := ParseRequest(options, page, list)
	if err != nil {
		t.Fatal(err)
	}
	asserted := key.assert(t, r, UserPresent|UserVerified)
	asserted.UserHandle = handle
	response, err := r.Respond(asserted)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		t.Fatalf("%s: %v", response, refusal(err))
	}
	if err := validate(parsed); err != nil {
		t.Errorf("the relying party refuses the login: %v", refusal(err))
	}
}

func options(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// refusal has the half of go-webauthn's errors that says something.
func refusal(err error) string {
	if e, ok := err.(*protocol.Error); ok { //nolint:errorlint // it wraps nothing
		return e.Details + ": " + e.DevInfo
	}
	return err.Error()
}
