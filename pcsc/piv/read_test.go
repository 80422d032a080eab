package piv_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"errors"
	"fmt"
	"slices"
	"testing"

	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
)

func TestACardIsReadWithOneCommandForEachThing(t *testing.T) {
	t.Parallel()
	der := issue(t, newECC(t, elliptic.P256()))
	f := newFake().holding(piv.SlotAuthentication, der).holding(piv.SlotSignature, der)
	card, err := piv.Read(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.commands) != 6 {
		t.Errorf("%d commands: %X", len(f.commands), f.commands)
	}
	if f.tries() != 0 {
		t.Error("a PIN was sent")
	}
	if card.CHUID.GUID.String() != "00112233-4455-6677-8899-aabbccddeeff" || card.CHUID.Expiry.Format("2006-01-02") != "2030-12-31" {
		t.Errorf("CHUID %+v", card.CHUID)
	}
	if card.PIN.Tries() != 3 || card.Application.Label != "ABC" || card.Discovery.Policy != 0x4000 {
		t.Errorf("%+v", card)
	}
	if len(card.Missing)+len(card.Malformed) > 0 || len(card.Certificates) != 2 {
		t.Fatalf("%+v", card)
	}
	for i, slot := range []piv.Slot{piv.SlotAuthentication, piv.SlotSignature} {
		c := card.Certificates[i]
		if c.Slot != slot || c.X509 == nil || !bytes.Equal(c.DER, der) || c.Subject.CommonName != "555212345678_Pond_Amy" ||
			c.Issuer.CommonName != "NHS INT Level 1D" || !c.NotAfter.Equal(notAfter) || c.Key != "EC-P256" {
			t.Errorf("%s: %+v", slot, c)
		}
	}
}

// A card or reader may refuse extended APDUs in any way; it is read all the
// same, and is asked once.
func TestACardWithoutExtendedAPDUsIsReadInParts(t *testing.T) {
	t.Parallel()
	der := issue(t, newECC(t, elliptic.P256()))
	for name, refuse := range map[string]func() ([]byte, error){
		"6700":              func() ([]byte, error) { return octets("67 00"), nil },
		"6D00":              func() ([]byte, error) { return octets("6D 00"), nil },
		"6F00":              func() ([]byte, error) { return octets("6F 00"), nil },
		"the reader fails":  func() ([]byte, error) { return nil, errors.New("not transacted") },
		"an answer cut off": func() ([]byte, error) { return []byte{0x53}, nil },
	} {
		f := newFake().holding(piv.SlotAuthentication, der)
		f.extended = refuse
		card, err := piv.Read(t.Context(), f)
		if err != nil || len(card.Certificates) != 1 || len(card.Missing) != 1 || len(card.Malformed) != 0 || card.CHUID == nil {
			t.Errorf("%s: %+v, %v", name, card, err)
			continue
		}
		asked := 0
		for _, c := range f.commands {
			if len(c) > 6 && c[4] == 0 {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("%s: %d extended commands", name, asked)
		}
	}
	f := newFake().holding(piv.SlotAuthentication, der)
	f.extended = func() ([]byte, error) { return nil, errors.New("must not be tried") }
	if card, err := (piv.Reading{Short: true}).Read(t.Context(), f); err != nil || len(card.Certificates) != 1 {
		t.Errorf("known to be short: %+v, %v", card, err)
	}
}

func TestWhatIsWrongWithAnObjectLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	der := issue(t, newECC(t, elliptic.P256()))
	slots := piv.Reading{Slots: piv.AllSlots()}
	f := newFake().holding(piv.SlotAuthentication, der)
	f.objects[piv.ObjectDiscovery] = octets("7E 02 4F 05")
	f.objects[piv.ObjectCHUID] = container(apdu.EncodeTLV(0x34, []byte{1, 2}))
	f.holding(piv.SlotSignature, der[:len(der)/2])
	f.objects[piv.ObjectCertificateKeyManagement] = octets("53 00")
	f.refused[piv.ObjectCertificateCardAuthentication] = apdu.SWSecurityNotSatisfied
	card, err := slots.Read(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if len(card.Certificates) != 1 || card.CHUID != nil || card.Discovery != nil || !slices.Equal(card.Missing, []piv.Slot{piv.SlotKeyManagement}) {
		t.Errorf("%+v", card)
	}
	var wrong []string
	for _, m := range card.Malformed {
		wrong = append(wrong, fmt.Sprintf("%s %s %v %v", m.Object, m.Slot, errors.Is(m, piv.ErrMalformed), errors.Is(m, apdu.SWSecurityNotSatisfied)))
	}
	if want := []string{"7E 00 true false", "5FC102 00 true false", "5FC10A 9C true false", "5FC101 9E false true"}; !slices.Equal(wrong, want) {
		t.Errorf("%q", wrong)
	}
}

func TestABlankCardIsReadAndHasNothing(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.objects = nil
	card, err := piv.Read(t.Context(), f)
	if err != nil || len(card.Missing) != 2 || card.CHUID != nil || len(card.Malformed) != 0 {
		t.Errorf("%+v, %v", card, err)
	}
}

func TestACardWithoutPIVIsToldApart(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.selected = apdu.Response{SW: apdu.SWNotFound}
	if _, err := piv.Read(t.Context(), f); !errors.Is(err, piv.ErrNoApplication) || !errors.Is(err, apdu.SWNotFound) || len(f.commands) != 1 {
		t.Errorf("%v after %d commands", err, len(f.commands))
	}
	f = newFake()
	f.selected = apdu.Response{SW: apdu.SWUnknown}
	if _, err := piv.Read(t.Context(), f); errors.Is(err, piv.ErrNoApplication) || !errors.Is(err, apdu.SWUnknown) {
		t.Errorf("%v", err)
	}
}

func TestACardThatGoesIsAnErrorWhereverItGoes(t *testing.T) {
	t.Parallel()
	der := issue(t, newECC(t, elliptic.P256()))
	// The third command is the discovery object, the fourth the first that is
	// extended; there a failure may be the reader's, and it is asked again.
	for at := 1; at <= 6; at++ {
		f := newFake().holding(piv.SlotAuthentication, der).holding(piv.SlotSignature, der)
		f.dies = at
		_, err := piv.Read(t.Context(), f)
		if at == 4 {
			if err != nil {
				t.Errorf("a reader that fails with extended APDUs: %v", err)
			}
			continue
		}
		if !errors.Is(err, errGone) || len(f.commands) != at {
			t.Errorf("at %d: %v, %d commands", at, err, len(f.commands))
		}
	}
}

func TestNothingIsAskedAgainOnceTheTimeIsUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake()
	f.extended = func() ([]byte, error) {
		cancel()
		return nil, context.Canceled
	}
	if _, err := piv.Read(ctx, f); !errors.Is(err, context.Canceled) || len(f.commands) != 4 {
		t.Errorf("%v, %d commands", err, len(f.commands))
	}
}
