package piv_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"authbridge/pcsc"
	"authbridge/pcsc/piv"
	"authbridge/pcsc/vcard"
)

// What a PIN was verified for is over when it is unverified, on cards of all
// ages but those that keep it open until a reset.
func TestAPINIsUnverifiedByAllThatACardOffers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profile vcard.Profile
		faults  []vcard.Fault
		kept    bool
		apdus   uint64
	}{
		"SP 800-73-4":            {apdus: 4},
		"older":                  {profile: vcard.Profile{Older: true}, apdus: 7},
		"older, T=0":             {profile: vcard.Profile{Older: true, Protocol: pcsc.ProtocolT0}, apdus: 10},
		"no logout":              {faults: []vcard.Fault{{Name: vcard.FaultNoLogout}}, apdus: 7},
		"another application no": {faults: []vcard.Fault{{Name: vcard.FaultPINKept}}, apdus: 4},
		"neither":                {faults: []vcard.Fault{{Name: vcard.FaultNoLogout}, {Name: vcard.FaultPINKept}}, kept: true, apdus: 13},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.profile.Keys = vcard.ECCP256
			card, through := newCard(t, c.profile)
			if err := card.SetFaults(c.faults...); err != nil {
				t.Fatal(err)
			}
			if state, err := piv.Unverify(t.Context(), through); err != nil || state.Tries() != 3 {
				t.Fatalf("not verified: %s, %v", state, err)
			}
			for _, e := range card.Log() {
				if bytes.HasPrefix(e.Command, []byte{0x00, 0x20, 0xFF}) {
					t.Errorf("a PIN that is not verified was left alone by %X", e.Command)
				}
			}
			if err := piv.Verify(t.Context(), through, []byte(vcard.DefaultPIN), piv.PINState{SW: 0x63C3}, piv.Floor); err != nil {
				t.Fatal(err)
			}
			before := card.APDUs()
			state, err := piv.Unverify(t.Context(), through)
			if err != nil || state.Verified() != c.kept || card.Verified() != c.kept {
				t.Errorf("%s, %v, the card says %v", state, err, card.Verified())
			}
			if sent := card.APDUs() - before; sent != c.apdus {
				t.Errorf("%d APDUs", sent)
			}
			if card.PINTries() != 1 {
				t.Errorf("%d PIN tries", card.PINTries())
			}
		})
	}
}

func TestUnverifyingSaysThatTheCardIsGone(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 4; at++ {
		f := newFake()
		f.pin = 0x9000
		f.dies = at
		if _, err := piv.Unverify(t.Context(), f); !errors.Is(err, errGone) {
			t.Errorf("at command %d: %v", at, err)
		}
	}
}

func TestOneCertificateIsRead(t *testing.T) {
	t.Parallel()
	for _, reading := range []piv.Reading{{}, {Short: true}} {
		t.Run(fmt.Sprint(reading.Short), func(t *testing.T) {
			t.Parallel()
			card, through := newCard(t, vcard.Profile{Keys: vcard.ECCP256})
			if _, err := piv.Select(t.Context(), through); err != nil {
				t.Fatal(err)
			}
			got, err := reading.Certificate(t.Context(), through, piv.SlotSignature)
			if err != nil || got.Slot != piv.SlotSignature || !got.X509.Equal(card.Certificate(vcard.SlotSignature)) {
				t.Errorf("%+v, %v", got, err)
			}
			if _, err := reading.Certificate(t.Context(), through, piv.SlotKeyManagement); !errors.Is(err, piv.ErrMissing) {
				t.Errorf("an empty slot: %v", err)
			}
		})
	}
}
