package fido_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

const rp = "login.example"

// wantStatus says whether err is a status of the key's.
func wantStatus(t *testing.T, err error, want fido.Status) {
	t.Helper()
	var refused *fido.StatusError
	if !errors.As(err, &refused) || refused.Status != want {
		t.Errorf("%v, want %v", err, want)
	}
}

// token is what PINToken gives for 1234.
func token(t *testing.T, k *fido.Key, want fido.Permissions) *fido.Token {
	t.Helper()
	got, err := k.PINToken(t.Context(), []byte("1234"), want, rp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(got.Forget)
	return got
}

// protocolOne has keys like PIN/UV auth protocol 1 best.
func protocolOne(b fido.Bus) *doctored {
	return &doctored{Bus: b, change: func(_ byte, answer []byte) []byte {
		return bytes.Replace(answer, []byte{6, 0x82, 2, 1}, []byte{6, 0x82, 1, 2}, 1)
	}}
}

// kinds are buses on which a key of ours passes for one of that kind.
var kinds = map[string]func(fido.Bus) fido.Bus{
	"protocol 2": func(b fido.Bus) fido.Bus { return b },
	"protocol 1": func(b fido.Bus) fido.Bus { return protocolOne(b) },
	"no permissions": func(b fido.Bus) fido.Bus {
		return older(b, "pinUvAuthToken")
	},
	"no permissions, protocol 1": func(b fido.Bus) fido.Bus {
		return older(protocolOne(b), "pinUvAuthToken")
	},
}

func TestAPINIsSentOnceAndWiped(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newKey(t, vkey.Config{PIN: []byte("1234")})
			protocols := map[byte]int{}
			spy := &doctored{Bus: kind(busOf(t, v)), sent: func(cmd byte, m []byte) {
				if cmd == byte(fido.CTAPHID_CBOR) && len(m) > 3 && m[0] == 6 { // no nonce
					protocols[m[3]]++
				}
			}}
			k := openKey(t, spy)
			for i, c := range []struct {
				pin   string
				want  fido.Status
				tries int
			}{
				{"0000", fido.CTAP2_ERR_PIN_INVALID, 7},
				{"9999", fido.CTAP2_ERR_PIN_INVALID, 6},
				{"1234", fido.CTAP2_OK, 8},
				{"0000", fido.CTAP2_ERR_PIN_INVALID, 7},
				{"0000", fido.CTAP2_ERR_PIN_INVALID, 6},
				{"0000", fido.CTAP2_ERR_PIN_AUTH_BLOCKED, 5},
				{"1234", fido.CTAP2_ERR_PIN_AUTH_BLOCKED, 5},
			} {
				pin := []byte(c.pin)
				token, err := k.PINToken(t.Context(), pin, fido.PermitGetAssertion, rp)
				if c.want == fido.CTAP2_OK && err != nil {
					t.Errorf("%s: %v", c.pin, err)
				} else if c.want != fido.CTAP2_OK {
					wantStatus(t, err, c.want)
				}
				if (token != nil) != (c.want == fido.CTAP2_OK) {
					t.Errorf("%s: the token is %v", c.pin, token)
				}
				if !bytes.Equal(pin, make([]byte, 4)) {
					t.Errorf("%s: the PIN was left behind", c.pin)
				}
				if n := v.Stats().PINTries; n != uint64(i+1) {
					t.Fatalf("%d messages with a PIN were sent for %d", n, i+1)
				}
				if r, err := k.Retries(t.Context()); err != nil || *r.PIN != c.tries {
					t.Errorf("%s: %+v, %v, want %d tries", c.pin, r, err, c.tries)
				}
			}
			if len(protocols) != 1 {
				t.Errorf("clientPIN messages by protocol: %v", protocols)
			}
		})
	}
}

func TestAPINThatCanBeNoneIsNotSent(t *testing.T) {
	t.Parallel()
	v := newKey(t, vkey.Config{PIN: []byte("1234")})
	k := openKey(t, busOf(t, v))
	for _, p := range []string{"", "123", "ééé", "e\u0301e\u0301e\u0301", "12\xff45", "1234\x00", string(bytes.Repeat([]byte("1"), 64))} {
		pin := []byte(p)
		if _, err := k.PINToken(t.Context(), pin, fido.PermitGetAssertion, rp); !errors.Is(err, fido.ErrNoPIN) {
			t.Errorf("%q: %v", p, err)
		}
		if !bytes.Equal(pin, make([]byte, len(pin))) {
			t.Errorf("%q was left behind", p)
		}
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	pin := []byte("1234")
	if _, err := k.PINToken(t.Context(), pin, fido.PermitGetAssertion, rp); !errors.Is(err, fido.ErrClosed) || pin[0] != 0 {
		t.Errorf("closed: %v, %q", err, pin)
	}
	if n := v.Stats().PINTries; n != 0 {
		t.Errorf("%d PINs were sent", n)
	}
}

// A key has the hash of one form of a PIN; keyboards and files have others (CTAP
// 2.1, 6.5.1). How long it may be is said of that form.
func TestAPINIsSentInNormalizationFormC(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kept, typed string }{
		"composed":         {"p\u00e4ss", "p\u00e4ss"},
		"decomposed":       {"p\u00e4ss", "pa\u0308ss"},
		"no longer whole":  {"\u0958\u0958", "\u0958\u0958"}, // which form C takes apart
		"longest":          {strings.Repeat("\u00e9", 31), strings.Repeat("e\u0301", 31)},
		"another ordering": {"a\u0323\u0302bcd", "a\u0302\u0323bcd"},
	} {
		v := newKey(t, vkey.Config{PIN: norm.NFC.Bytes([]byte(c.kept))})
		typed := []byte(c.typed)
		if _, err := openKey(t, busOf(t, v)).PINToken(t.Context(), typed, fido.PermitGetAssertion, rp); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(typed, make([]byte, len(typed))) {
			t.Errorf("%s: the PIN was left behind", name)
		}
	}
	given := []byte("1234")
	normal, err := fido.NormalPIN(given)
	if clear(given); err != nil || string(normal) != "1234" {
		t.Errorf("%q, %v: no copy", normal, err)
	}
}

func TestKeysThatTakeNoPIN(t *testing.T) {
	t.Parallel()
	pin := func() []byte { return []byte("1234") }
	none := newKey(t, vkey.Config{})
	_, err := openKey(t, busOf(t, none)).PINToken(t.Context(), pin(), fido.PermitGetAssertion, rp)
	wantStatus(t, err, fido.CTAP2_ERR_PIN_NOT_SET)
	u2f := openKey(t, busOf(t, newKey(t, vkey.Config{Faults: []vkey.Fault{{Name: vkey.U2FOnly}}})))
	if _, err := u2f.PINToken(t.Context(), pin(), fido.PermitGetAssertion, rp); !errors.Is(err, fido.ErrUnsupported) {
		t.Errorf("U2F only: %v", err)
	}
	if _, err := u2f.Make(t.Context(), fido.MakeCredential{}, nil, nil); !errors.Is(err, fido.ErrUnsupported) {
		t.Errorf("U2F only: %v", err)
	}
	plain := openKey(t, older(busOf(t, newKey(t, vkey.Config{})), "clientPin"))
	if _, err := plain.PINToken(t.Context(), pin(), fido.PermitGetAssertion, rp); !errors.Is(err, fido.ErrUnsupported) {
		t.Errorf("no clientPin: %v", err)
	}
	if _, err := plain.UVToken(t.Context(), fido.PermitGetAssertion, rp, nil); !errors.Is(err, fido.ErrUnsupported) {
		t.Errorf("no uv: %v", err)
	}
	blocked := newKey(t, vkey.Config{PIN: pin(), Faults: []vkey.Fault{{Name: vkey.PINBlocked}}})
	_, err = openKey(t, busOf(t, blocked)).PINToken(t.Context(), pin(), fido.PermitGetAssertion, rp)
	wantStatus(t, err, fido.CTAP2_ERR_PIN_BLOCKED)
}
