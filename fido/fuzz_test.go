package fido_test

import (
	"errors"
	"testing"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

// answers are those that a real virtual key gives in a ceremony, without their
// status, by command.
func answers(f *testing.F) map[byte][][]byte {
	f.Helper()
	v, err := vkey.New(vkey.Config{Name: "seed", PIN: []byte("1234")})
	if err != nil {
		f.Fatal(err)
	}
	b := vkey.NewBus()
	defer b.Close()
	if err := b.Plug(v); err != nil {
		f.Fatal(err)
	}
	all := map[byte][][]byte{}
	var command byte
	spy := &doctored{
		Bus:  b,
		sent: func(_ byte, m []byte) { command = append(m, 0)[0] },
		change: func(_ byte, m []byte) []byte {
			if m[0] == 0 {
				all[command] = append(all[command], append([]byte{}, m[1:]...))
			}
			return m
		},
	}
	k, err := fido.OpenKey(f.Context(), spy, fido.Node{Path: "vkey:1"})
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = k.Close() }()
	must := func(err error) {
		f.Helper()
		if err != nil {
			f.Fatal(err)
		}
	}
	token := func(want fido.Permissions) *fido.Token {
		got, err := k.PINToken(f.Context(), []byte("1234"), want, rp)
		must(err)
		return got
	}
	for _, user := range []string{"alice", "bob"} {
		request := creation(user)
		request.ResidentKey, request.CredProtect = true, 2
		must(second(k.Make(f.Context(), request, token(fido.PermitMakeCredential), nil)))
	}
	must(second(k.Assert(f.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp}, token(fido.PermitGetAssertion), nil)))
	must(second(k.Stored(f.Context(), token(fido.PermitCredentialManagement), rp)))
	return all
}

// seed gives a target the answers to some commands.
func seed(f *testing.F, commands ...byte) {
	all := answers(f)
	for _, c := range commands {
		if len(all[c]) == 0 {
			f.Fatalf("no answer to command %#02x", c)
		}
		for _, a := range all[c] {
			f.Add(a)
		}
	}
	f.Add([]byte{0xa0})
}

// sound says whether a parser either gave something or refused it as malformed.
func sound(t *testing.T, got bool, err error) bool {
	if got == (err != nil) || err != nil && !errors.Is(err, fido.ErrMalformed) {
		t.Errorf("an answer: %v, and %v", got, err)
	}
	return got
}

func FuzzCredential(f *testing.F) {
	seed(f, 0x01)
	f.Fuzz(func(t *testing.T, data []byte) {
		made, err := fido.ParseCredential(data, rp)
		if sound(t, made != nil, err) && (len(made.AuthData) < 55 || len(made.ID) == 0 || len(made.ID) > 1023 || len(made.Statement) == 0 || made.Format == "") {
			t.Errorf("%+v", made)
		}
	})
}

func FuzzAssertion(f *testing.F) {
	seed(f, 0x02, 0x08)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, allow := range [][][]byte{nil, {{1}}, {{1}, {2}}} {
			got, accounts, err := fido.ParseAssertion(data, rp, allow)
			if sound(t, got != nil, err) && (len(got.AuthData) < 37 || len(got.Signature) == 0 || len(got.CredentialID) == 0 || accounts < 1 || accounts > 512) {
				t.Errorf("%+v, %d", got, accounts)
			}
		}
	})
}

func FuzzStored(f *testing.F) {
	seed(f, 0x0a)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, total, err := fido.ParseStored(data, true)
		if sound(t, got != nil, err) && (len(got.ID) == 0 || len(got.User.ID) == 0 || total < 1 || total > 512) {
			t.Errorf("%+v, %d", got, total)
		}
		got, _, err = fido.ParseStored(data, false)
		sound(t, got != nil, err)
	})
}

func FuzzToken(f *testing.F) {
	seed(f, 0x06)
	f.Fuzz(func(t *testing.T, data []byte) {
		point, err := fido.ParseKeyAgreement(data)
		sound(t, point != nil, err)
		if _, err := fido.ParseToken(data); err != nil && !errors.Is(err, fido.ErrMalformed) {
			t.Error(err)
		}
	})
}
