package fido_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

// upneeded calls f once, when a key says that it waits for a touch.
func upneeded(f func()) func(fido.Keepalive) {
	var once sync.Once
	return func(s fido.Keepalive) {
		if s == fido.STATUS_UPNEEDED {
			once.Do(f)
		}
	}
}

// waiting is a key that waits for touches, with a credential in it.
func waiting(t *testing.T) (*vkey.Key, *vkey.Bus, *fido.Key, *fido.Credential) {
	t.Helper()
	v := newKey(t, vkey.Config{PIN: []byte("1234")})
	b := busOf(t, v)
	k := openKey(t, b)
	made := create(t, k, creation("alice"), nil)
	if err := v.SetTouch(vkey.TouchCommand); err != nil {
		t.Fatal(err)
	}
	return v, b, k, made
}

func TestATouchIsAskedForInCeremonies(t *testing.T) {
	t.Parallel()
	v, _, k, made := waiting(t)
	if _, err := k.Make(t.Context(), creation("bob"), nil, upneeded(func() { v.Touch() })); err != nil {
		t.Error(err)
	}
	if _, err := k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp, Allow: [][]byte{made.ID}}, nil, upneeded(func() { v.Touch() })); err != nil {
		t.Error(err)
	}
}

func TestACeremonyIsCalledOff(t *testing.T) {
	t.Parallel()
	v, _, k, made := waiting(t)
	for name, do := range map[string]func(ctx context.Context, keepalive func(fido.Keepalive)) error{
		"make": func(ctx context.Context, keepalive func(fido.Keepalive)) error {
			made, err := k.Make(ctx, creation("bob"), nil, keepalive)
			if made != nil {
				t.Error("a credential was made without a touch")
			}
			return err
		},
		"assert": func(ctx context.Context, keepalive func(fido.Keepalive)) error {
			got, err := k.Assert(ctx, fido.GetAssertion{ClientDataHash: hash, RPID: rp, Allow: [][]byte{made.ID}}, nil, keepalive)
			if got != nil {
				t.Error("an assertion was made without a touch")
			}
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if err := do(ctx, upneeded(cancel)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if v.Touch() {
			t.Errorf("%s: the key still waits for a touch", name)
		}
		if _, err := k.Info(t.Context()); err != nil {
			t.Errorf("%s: after that: %v", name, err)
		}
	}
}

// The touch came first: what the key did is told though nobody waits any more.
func TestALateSuccessIsReturned(t *testing.T) {
	t.Parallel()
	v, _, k, _ := waiting(t)
	late := func() (context.Context, func(fido.Keepalive)) {
		ctx, cancel := context.WithCancel(t.Context())
		return ctx, upneeded(func() {
			v.Touch()
			cancel()
		})
	}
	for _, user := range []string{"bob", "carol"} {
		request := creation(user)
		request.ResidentKey = true
		permitted := token(t, k, fido.PermitMakeCredential)
		ctx, keepalive := late()
		made, err := k.Make(ctx, request, permitted, keepalive)
		if err != nil || made == nil || ctx.Err() == nil {
			t.Fatalf("%v, %v, %v", made, err, ctx.Err())
		}
		all, err := k.Stored(t.Context(), token(t, k, fido.PermitCredentialManagement), rp)
		if err != nil || len(all) == 0 || !bytes.Equal(all[len(all)-1].ID, made.ID) && !bytes.Equal(all[0].ID, made.ID) {
			t.Fatalf("%+v, %v", all, err)
		}
	}
	permitted := token(t, k, fido.PermitGetAssertion)
	ctx, keepalive := late()
	got, err := k.Assert(ctx, fido.GetAssertion{ClientDataHash: hash, RPID: rp}, permitted, keepalive)
	if err != nil || len(got) != 2 || ctx.Err() == nil {
		t.Errorf("%d accounts, %v, %v", len(got), err, ctx.Err())
	}
	permitted = token(t, k, fido.PermitCredentialManagement)
	if err := k.Delete(t.Context(), permitted, got[0].CredentialID); err != nil {
		t.Error(err)
	}
}

func TestAKeyPulledOutInACeremonyIsGone(t *testing.T) {
	t.Parallel()
	_, b, k, made := waiting(t)
	begin := time.Now()
	if _, err := k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp, Allow: [][]byte{made.ID}}, nil, upneeded(b.Close)); !errors.Is(err, fido.ErrGone) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("it took %v", took)
	}
	for name, err := range map[string]error{
		"make":   second(k.Make(t.Context(), creation("bob"), nil, nil)),
		"stored": second(k.Stored(t.Context(), nil, rp)),
		"delete": k.Delete(t.Context(), nil, made.ID),
		"PIN":    second(k.PINToken(t.Context(), []byte("1234"), fido.PermitGetAssertion, rp)),
	} {
		if !errors.Is(err, fido.ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestKeysThatFallIllBetweenCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault vkey.FaultName
		want  error
	}{
		{vkey.Mute, fido.ErrMute},
		{vkey.Busy, fido.ErrInUse},
		{vkey.Garbage, fido.ErrMalformed},
		{vkey.ForeignChannel, fido.ErrMute},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			t.Parallel()
			v := newKey(t, vkey.Config{PIN: []byte("1234")})
			k := openKey(t, busOf(t, v))
			made := create(t, k, creation("alice"), nil)
			if err := v.SetFaults(vkey.Fault{Name: c.fault}); err != nil {
				t.Fatal(err)
			}
			if _, err := k.PINToken(t.Context(), []byte("1234"), fido.PermitGetAssertion, rp); !errors.Is(err, c.want) {
				t.Errorf("PIN: %v, want %v", err, c.want)
			}
			if got, err := k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp, Allow: [][]byte{made.ID}}, nil, nil); !errors.Is(err, c.want) || got != nil {
				t.Errorf("assert: %v, want %v", err, c.want)
			}
			if n := v.Stats().PINTries; n != 0 {
				t.Errorf("%d PINs were sent", n)
			}
			if err := v.SetFaults(); err != nil {
				t.Fatal(err)
			}
			if _, err := k.PINToken(t.Context(), []byte("1234"), fido.PermitGetAssertion, rp); err != nil {
				t.Errorf("well again: %v", err)
			}
		})
	}
}

// A slow key is alive: it says so every 100 ms.
func TestASlowKeyIsWaitedFor(t *testing.T) {
	t.Parallel()
	v := newKey(t, vkey.Config{PIN: []byte("1234"), Faults: []vkey.Fault{{Name: vkey.Slow, Delay: 300 * time.Millisecond}}})
	k := openKey(t, busOf(t, v))
	create(t, k, creation("alice"), token(t, k, fido.PermitMakeCredential))
}
