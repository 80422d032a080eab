package fido_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

const (
	flagUP, flagUV = 0x01, 0x04
	es256          = -7
)

var hash = sha256.Sum256([]byte("client data"))

func creation(user string) fido.MakeCredential {
	return fido.MakeCredential{
		ClientDataHash: hash, RP: fido.RelyingParty{ID: rp, Name: "Login"},
		User:       fido.User{ID: []byte(user), Name: user, DisplayName: "The user " + user},
		Algorithms: []int64{-8, es256},
	}
}

func create(t *testing.T, k *fido.Key, request fido.MakeCredential, token *fido.Token) *fido.Credential {
	t.Helper()
	made, err := k.Make(t.Context(), request, token, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// verify checks what a key signed with a credential that it made.
func verify(t *testing.T, made *fido.Credential, authData, signature []byte) {
	t.Helper()
	var public struct {
		X []byte `cbor:"-2,keyasint"`
		Y []byte `cbor:"-3,keyasint"`
	}
	const at = 37 + 16 + 2
	if _, err := cbor.UnmarshalFirst(made.AuthData[at+int(binary.BigEndian.Uint16(made.AuthData[at-2:])):], &public); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, public.X, public.Y))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(append(bytes.Clone(authData), hash[:]...))
	if !ecdsa.VerifyASN1(key, digest[:], signature) {
		t.Error("the signature does not verify")
	}
}

func TestACredentialIsMadeAndUsed(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := openKey(t, kind(busOf(t, newKey(t, vkey.Config{PIN: []byte("1234")}))))
			for _, verified := range []bool{false, true} {
				var flags byte = flagUP
				var allowed *fido.Token
				if verified {
					flags |= flagUV
					allowed = token(t, k, fido.PermitMakeCredential)
				}
				made := create(t, k, creation("alice"), allowed)
				if made.Format != "packed" || made.AuthData[32]&^0x40 != flags || !bytes.Contains(made.AuthData, made.ID) {
					t.Errorf("%+v", made)
				}
				var statement struct {
					Sig []byte `cbor:"sig"`
				}
				if err := cbor.Unmarshal(made.Statement, &statement); err != nil {
					t.Fatal(err)
				}
				verify(t, made, made.AuthData, statement.Sig)
				if verified {
					allowed = token(t, k, fido.PermitGetAssertion)
				}
				got, err := k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp, Allow: [][]byte{make([]byte, 20), made.ID}}, allowed, nil)
				if err != nil || len(got) != 1 || !bytes.Equal(got[0].CredentialID, made.ID) || got[0].AuthData[32] != flags || got[0].User != nil {
					t.Fatalf("%+v, %v", got, err)
				}
				verify(t, made, got[0].AuthData, got[0].Signature)
				got, err = k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp, Allow: [][]byte{made.ID}, NoUP: true}, nil, nil)
				if err != nil || got[0].AuthData[32] != 0 {
					t.Errorf("no user presence: %+v, %v", got, err)
				}
			}
		})
	}
}

func TestAccountsInAKey(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := openKey(t, kind(busOf(t, newKey(t, vkey.Config{PIN: []byte("1234")}))))
			var made []*fido.Credential
			users := []string{"alice", "bob", "carol"}
			for _, user := range users {
				request := creation(user)
				request.ResidentKey = true
				made = append(made, create(t, k, request, token(t, k, fido.PermitMakeCredential)))
			}
			got, err := k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp}, token(t, k, fido.PermitGetAssertion), nil)
			if err != nil || len(got) != len(users) {
				t.Fatalf("%d accounts, %v", len(got), err)
			}
			for i, a := range got { // latest first
				of := len(users) - 1 - i
				if !bytes.Equal(a.CredentialID, made[of].ID) || a.User == nil || string(a.User.ID) != users[of] || a.User.Name != users[of] {
					t.Errorf("account %d: %+v", i, a)
				}
				verify(t, made[of], a.AuthData, a.Signature)
			}
			if _, err = k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: "other.example"}, nil, nil); err == nil {
				t.Error("accounts at another relying party")
			}
			wantStatus(t, err, fido.CTAP2_ERR_NO_CREDENTIALS)
		})
	}
}

func TestStoredCredentialsAreListedAndDeleted(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]func(fido.Bus) fido.Bus{
		"credMgmt":  kinds["protocol 2"],
		"prototype": func(b fido.Bus) fido.Bus { return older(b, "credMgmt") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newKey(t, vkey.Config{PIN: []byte("1234")})
			commands := map[byte]int{}
			spy := &doctored{Bus: kind(busOf(t, v)), sent: func(_ byte, m []byte) {
				if len(m) > 0 {
					commands[m[0]]++
				}
			}}
			k := openKey(t, spy)
			stored := func() []fido.Stored {
				t.Helper()
				all, err := k.Stored(t.Context(), token(t, k, fido.PermitCredentialManagement), rp)
				if err != nil {
					t.Fatal(err)
				}
				return all
			}
			if all := stored(); len(all) != 0 {
				t.Errorf("%+v", all)
			}
			var ids [][]byte
			for i := range 3 {
				request := creation(fmt.Sprint("user ", i))
				request.ResidentKey = true
				ids = append(ids, create(t, k, request, token(t, k, fido.PermitMakeCredential)).ID)
			}
			all := stored()
			if len(all) != 3 {
				t.Fatalf("%d are stored", len(all))
			}
			for _, s := range all {
				if !slices.ContainsFunc(ids, func(id []byte) bool { return bytes.Equal(id, s.ID) }) || s.User.Name != string(s.User.ID) || s.User.DisplayName != "The user "+s.User.Name {
					t.Errorf("%+v", s)
				}
			}
			manage := token(t, k, fido.PermitCredentialManagement)
			if err := k.Delete(t.Context(), manage, ids[1]); err != nil {
				t.Fatal(err)
			}
			wantStatus(t, k.Delete(t.Context(), manage, ids[1]), fido.CTAP2_ERR_NO_CREDENTIALS)
			if all := stored(); len(all) != 2 || bytes.Equal(all[0].ID, ids[1]) || bytes.Equal(all[1].ID, ids[1]) {
				t.Errorf("after that: %+v", all)
			}
			if used := commands[0x41] > 0; used != (name == "prototype") || used == (commands[0x0a] > 0) {
				t.Errorf("commands %v", commands)
			}
		})
	}
	neither := openKey(t, older(busOf(t, newKey(t, vkey.Config{})), "credMgmt", "credentialMgmtPreview"))
	if _, err := neither.Stored(t.Context(), nil, rp); !errors.Is(err, fido.ErrUnsupported) {
		t.Errorf("neither: %v", err)
	}
	if err := neither.Delete(t.Context(), nil, []byte{1}); !errors.Is(err, fido.ErrUnsupported) {
		t.Errorf("neither: %v", err)
	}
}

func TestCredProtectIsAskedFor(t *testing.T) {
	t.Parallel()
	k := openKey(t, busOf(t, newKey(t, vkey.Config{PIN: []byte("1234")})))
	request := creation("alice")
	request.CredProtect = 3
	made := create(t, k, request, token(t, k, fido.PermitMakeCredential))
	if made.AuthData[32]&0x80 == 0 || !bytes.HasSuffix(made.AuthData, append([]byte("\xa1\x6bcredProtect"), 3)) {
		t.Errorf("%x", made.AuthData)
	}
	_, err := k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp, Allow: [][]byte{made.ID}}, nil, nil)
	wantStatus(t, err, fido.CTAP2_ERR_NO_CREDENTIALS)
	if _, err := k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp, Allow: [][]byte{made.ID}}, token(t, k, fido.PermitGetAssertion), nil); err != nil {
		t.Error(err)
	}
}
