package fido_test

import (
	"bytes"
	"testing"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

// strangers are ids of credentials of no key of ours.
func strangers(n, size int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = bytes.Repeat([]byte{byte(i)}, size)
	}
	return all
}

// A virtual key takes 8 ids of 128 octets in messages of 1200.
func TestListsLongerThanAKeyTakes(t *testing.T) {
	t.Parallel()
	v := newKey(t, vkey.Config{PIN: []byte("1234")})
	refused := 0
	k := openKey(t, &doctored{Bus: busOf(t, v), change: func(_ byte, answer []byte) []byte {
		if len(answer) == 1 && (answer[0] == 0x15 || answer[0] == 0x39) {
			refused++
		}
		return answer
	}})
	first := create(t, k, creation("alice"), nil)
	if err := v.SetTouch(vkey.TouchCommand); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		list  [][]byte
		found bool
	}{
		"one":               {[][]byte{first.ID}, true},
		"short, at the end": {append(strangers(7, 60), first.ID), true},
		"many, first":       {append([][]byte{first.ID}, strangers(30, 60)...), true},
		"many, at the end":  {append(strangers(30, 60), first.ID), true},
		"long, at the end":  {append(strangers(8, 128), first.ID), true},
		"too long ones":     {append(strangers(20, 129), first.ID), true},
		"none":              {strangers(30, 60), false},
		"all too long":      {strangers(3, 129), false},
	} {
		for _, verified := range []bool{false, true} {
			touches := 0
			touch := func(s fido.Keepalive) {
				if s == fido.STATUS_UPNEEDED && v.Touch() {
					touches++
				}
			}
			var get, set *fido.Token
			if verified {
				get = token(t, k, fido.PermitGetAssertion)
			}
			got, err := k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp, Allow: c.list}, get, touch)
			if !c.found {
				wantStatus(t, err, fido.CTAP2_ERR_NO_CREDENTIALS)
			} else if err != nil || touches != 1 || !bytes.Equal(got[0].CredentialID, first.ID) {
				t.Errorf("allow, %s: %+v, %v, %d touches", name, got, err, touches)
			}
			if verified {
				set = token(t, k, fido.PermitMakeCredential)
			}
			touches = 0
			request := creation("bob")
			request.Exclude = c.list
			made, err := k.Make(t.Context(), request, set, touch)
			if c.found {
				wantStatus(t, err, fido.CTAP2_ERR_CREDENTIAL_EXCLUDED)
			} else if err != nil || made == nil {
				t.Errorf("exclude, %s: %v", name, err)
			}
			if touches != 1 {
				t.Errorf("exclude, %s: %d touches", name, touches)
			}
		}
	}
	if refused != 0 {
		t.Errorf("%d messages were too much for the key", refused)
	}
}
