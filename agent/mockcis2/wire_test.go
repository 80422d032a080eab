package mockcis2_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"net/http"
	"slices"
	"testing"
	"time"

	"authbridge/agent/mockcis2"
	"authbridge/pcsc/piv"
	"authbridge/pcsc/vcard"
)

// TestAVirtualCardSignsIn has the project's own card sign, over its wire, what
// the bridge has a card sign: the data of a virtual card, the labelled data of a
// physical one.
func TestAVirtualCardSignsIn(t *testing.T) {
	t.Parallel()
	ca, err := vcard.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	roots, intermediates := ca.Pools()
	r := newRig(t, func(c *mockcis2.Config) { c.CardRoots, c.CardIntermediates = roots, intermediates })
	r.clock.pass(time.Since(r.clock.now())) // its certificates are of today
	ctx := context.Background()
	for _, keys := range []vcard.KeyType{vcard.ECCP256, vcard.RSA2048} {
		chip, err := vcard.NewCard(vcard.Profile{User: aal3User, Surname: "Bloggs", Forename: "Jo", Keys: keys}, ca)
		if err != nil {
			t.Fatal(err)
		}
		sign := func(slot piv.Slot, data []byte) (certificate, signature []byte) {
			t.Helper()
			chip.PowerOn()
			if _, err := piv.Select(ctx, chip); err != nil {
				t.Fatal(err)
			}
			state, err := piv.ReadPINState(ctx, chip)
			if err != nil {
				t.Fatal(err)
			}
			if err := piv.Verify(ctx, chip, []byte(vcard.DefaultPIN), state, 2); err != nil {
				t.Fatal(err)
			}
			cert := chip.Certificate(vcard.Slot(slot))
			sum := sha256.Sum256(data)
			if signature, err = piv.Sign(ctx, chip, slot, cert.PublicKey, sum[:], crypto.SHA256); err != nil {
				t.Fatal(err)
			}
			return cert.Raw, signature
		}
		for name, row := range map[string]struct {
			slot  piv.Slot
			label []byte
			ok    bool
		}{
			"the card's data":              {piv.SlotAuthentication, nil, true},
			"as a physical card":           {piv.SlotAuthentication, []byte("authbridge sign v1\x00mock\x00"), true},
			"by the key of its signatures": {piv.SlotSignature, nil, false},
		} {
			b := r.browser()
			s := b.waiting(aal3User)
			c, _ := b.challenge(s.Reference)
			signed := slices.Concat(row.label, c.Data)
			certificate, signature := sign(row.slot, signed)
			a := b.postProof(mockcis2.Proof{Reference: s.Reference, Certificate: certificate, Signature: signature, Hash: "SHA-256", Signed: signed})
			if (a.status == http.StatusOK) != row.ok || !row.ok && !bytes.Contains(a.body, []byte("untrusted")) {
				t.Errorf("%v, %s: %d %s", keys, name, a.status, a.body)
			}
			if row.ok {
				if got := r.claimsOf(b.finish(b.get(s.Action).step(t))); got.Subject != aal3User || got.AuthLevel.Value != 3 {
					t.Errorf("%+v", got)
				}
			}
		}
	}
}
