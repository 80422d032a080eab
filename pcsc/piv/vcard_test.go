package piv_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"testing"

	"authbridge/pcsc"
	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
	"authbridge/pcsc/vcard"
)

// peers is what other programs need for a card with four certificates, counted
// by the card: pkcs15-tool, the nearest.
const peers = 29

// newCard is a virtual card with power, and all that T=0 asks of a reader.
func newCard(t *testing.T, profile vcard.Profile) (*vcard.Card, apdu.Transmitter) {
	t.Helper()
	ca, err := vcard.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	profile.User, profile.Surname, profile.Forename = "555212345678", "Pond", "Amy"
	card, err := vcard.NewCard(profile, ca)
	if err != nil {
		t.Fatal(err)
	}
	card.PowerOn()
	if profile.Protocol != pcsc.ProtocolT0 {
		return card, card
	}
	return card, transmitter(func(ctx context.Context, command []byte) ([]byte, error) {
		return card.Transmit(ctx, apdu.ForT0(command))
	})
}

type transmitter func(context.Context, []byte) ([]byte, error)

func (f transmitter) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return f(ctx, command)
}

func TestTheVirtualCardIsRead(t *testing.T) {
	t.Parallel()
	four := []vcard.Slot{vcard.SlotAuthentication, vcard.SlotSignature, vcard.SlotKeyManagement, vcard.SlotCardAuthentication}
	for name, c := range map[string]struct {
		profile vcard.Profile
		reading piv.Reading
		found   int
		most    uint64
	}{
		"as NHS cards are":       {vcard.Profile{}, piv.Reading{}, 2, 6},
		"four certificates":      {vcard.Profile{Slots: four}, piv.Reading{Slots: piv.AllSlots()}, 4, 8},
		"four, in short APDUs":   {vcard.Profile{Slots: four}, piv.Reading{Slots: piv.AllSlots(), Short: true}, 4, peers - 1},
		"four, elliptic, T=0":    {vcard.Profile{Slots: four, Keys: vcard.ECCP256, Protocol: pcsc.ProtocolT0}, piv.Reading{Slots: piv.AllSlots(), Short: true}, 4, peers - 1},
		"one that is older":      {vcard.Profile{Older: true}, piv.Reading{}, 2, 6},
		"two of four looked for": {vcard.Profile{}, piv.Reading{Slots: piv.AllSlots()}, 2, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			card, through := newCard(t, c.profile)
			got, err := c.reading.Read(t.Context(), through)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d APDUs", card.APDUs())
			if card.APDUs() > c.most || card.PINTries() != 0 {
				t.Errorf("%d APDUs, %d PIN tries", card.APDUs(), card.PINTries())
			}
			if len(got.Certificates) != c.found || len(got.Malformed) != 0 || got.CHUID == nil || got.Discovery == nil || got.PIN.Tries() != 3 {
				t.Errorf("%+v", got)
			}
			for _, certificate := range got.Certificates {
				if certificate.X509 == nil || !certificate.X509.Equal(card.Certificate(vcard.Slot(certificate.Slot))) {
					t.Errorf("%s is another certificate", certificate.Slot)
				}
			}
		})
	}
}

func TestTheVirtualCardSignsAfterItsPIN(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string]vcard.Profile{
		"RSA, T=1":      {},
		"RSA, T=0":      {Protocol: pcsc.ProtocolT0},
		"elliptic, T=1": {Keys: vcard.ECCP256},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			card, through := newCard(t, profile)
			got, err := piv.Reading{Short: true}.Read(t.Context(), through)
			if err != nil {
				t.Fatal(err)
			}
			digest := sha256.Sum256([]byte("data"))
			sign := func() error {
				c := got.Certificates[0]
				_, err := piv.Sign(t.Context(), through, c.Slot, c.X509.PublicKey, digest[:], crypto.SHA256)
				return err
			}
			if err := sign(); !errors.Is(err, apdu.SWSecurityNotSatisfied) {
				t.Errorf("without PIN: %v", err)
			}
			if err := piv.Verify(t.Context(), through, []byte(vcard.DefaultPIN), got.PIN, piv.Floor); err != nil {
				t.Fatal(err)
			}
			if err := sign(); err != nil {
				t.Error(err)
			}
			state, err := piv.ReadPINState(t.Context(), through)
			if err != nil || !state.Verified() || state.Tries() != piv.TriesUnknown {
				t.Errorf("left verified: %s, %v", state, err)
			}
			if err := piv.Logout(t.Context(), through); err != nil || card.Verified() {
				t.Errorf("logout: %v, verified %v", err, card.Verified())
			}
			if card.PINTries() != 1 {
				t.Errorf("%d PIN tries", card.PINTries())
			}
		})
	}
}

func TestTriesOfTheVirtualCardAreKept(t *testing.T) {
	t.Parallel()
	card, through := newCard(t, vcard.Profile{Keys: vcard.ECCP256})
	got, err := piv.Read(t.Context(), through)
	if err != nil {
		t.Fatal(err)
	}
	var refused *piv.RefusedError
	if err := piv.Verify(t.Context(), through, []byte("000000"), got.PIN, piv.Floor); !errors.As(err, &refused) || refused.Tries != 2 {
		t.Fatal(err)
	}
	for range 10 {
		state, err := piv.ReadPINState(t.Context(), through)
		if err != nil {
			t.Fatal(err)
		}
		if err := piv.Verify(t.Context(), through, []byte(vcard.DefaultPIN), state, piv.Floor); !errors.Is(err, piv.ErrTooFewTries) {
			t.Errorf("with two left: %v", err)
		}
	}
	if card.PINTries() != 1 || card.PINTriesLeft() != 2 {
		t.Errorf("%d tries sent, %d left", card.PINTries(), card.PINTriesLeft())
	}
}

func TestFaultsOfTheVirtualCardAreErrorsWithAName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault vcard.Fault
		want  error
	}{
		"empty answers": {vcard.Fault{Name: vcard.FaultEmpty}, apdu.ErrTruncated},
		"a status word": {vcard.Fault{Name: vcard.FaultSW, SW: 0x6F00}, apdu.SWUnknown},
		"truncated":     {vcard.Fault{Name: vcard.FaultTruncated}, nil},
		"garbage":       {vcard.Fault{Name: vcard.FaultGarbage}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			card, through := newCard(t, vcard.Profile{Keys: vcard.ECCP256})
			if err := card.SetFaults(c.fault); err != nil {
				t.Fatal(err)
			}
			_, err := piv.Read(t.Context(), through)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Error(err)
			}
			if card.PINTries() != 0 {
				t.Errorf("%d PIN tries", card.PINTries())
			}
		})
	}
}
