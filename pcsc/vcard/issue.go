package vcard

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// newKeys makes the keys of a card, RSA ones side by side.
func (w *world) newKeys(p Profile) (map[Slot]crypto.Signer, error) {
	made := make([]crypto.Signer, len(p.Slots))
	var g errgroup.Group
	for i := range p.Slots {
		if p.Keys == ECCP256 {
			key, err := w.newECC()
			if err != nil {
				return nil, err
			}
			made[i] = key
			continue
		}
		g.Go(func() error {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			made[i] = key
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	keys := make(map[Slot]crypto.Signer, len(made))
	for i, slot := range p.Slots {
		keys[slot] = made[i]
	}
	return keys, nil
}

// order says what certificate is wanted: a card has one of each kind that a
// fault asked for, beside its own.
type order struct {
	live     bool
	notAfter time.Time // zero: two years
}

// certify issues the certificate of a card's key.
func (ca *CA) certify(p Profile, slot Slot, public crypto.PublicKey, o order) (*x509.Certificate, error) {
	by := ca.test
	if o.live {
		by = ca.live
	}
	from := ca.notBefore()
	to := from.AddDate(validityYears, 0, 0)
	if !o.notAfter.IsZero() {
		to = o.notAfter.UTC().Truncate(time.Second)
		from = to.AddDate(-validityYears, 0, 0)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{
			Organization:       []string{"nhs"},
			OrganizationalUnit: []string{"People"},
			CommonName:         p.commonName(),
		},
		NotBefore:             from,
		NotAfter:              to,
		BasicConstraintsValid: true,
		ExtraExtensions:       []pkix.Extension{policy},
	}
	switch slot {
	case SlotSignature:
		// Critical, as on the NHS samples; x509 always makes it so.
		template.KeyUsage = x509.KeyUsageContentCommitment
	case SlotKeyManagement:
		template.KeyUsage = x509.KeyUsageKeyEncipherment
		if _, ok := public.(*ecdsa.PublicKey); ok {
			template.KeyUsage = x509.KeyUsageKeyAgreement
		}
	default:
		template.KeyUsage = x509.KeyUsageDigitalSignature
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	cert, err := ca.issue(template, by, public)
	if err != nil {
		return nil, fmt.Errorf("slot %s: %w", slot, err)
	}
	return cert, nil
}

// policyID is an identifier of our own, below the arc for UUIDs (ITU-T X.667),
// which takes no registration.
const policyID = "2.25.21003030950191131767559749528100295914"

const policyNotice = "authbridge test CA: a virtual card for tests, it identifies nobody"

// policy marks every certificate as ours where a person or a program looks,
// without touching the names (RFC 5280, 4.2.1.4).
var policy = mustPolicy()

func mustPolicy() pkix.Extension {
	id, err := x509.ParseOID(policyID)
	if err != nil {
		panic(err)
	}
	idDER, err := id.MarshalBinary()
	if err != nil {
		panic(err)
	}
	type userNotice struct {
		Text string `asn1:"utf8"`
	}
	type qualifier struct {
		ID     asn1.ObjectIdentifier
		Notice userNotice
	}
	type information struct {
		ID         asn1.RawValue
		Qualifiers []qualifier
	}
	value, err := asn1.Marshal([]information{{
		ID:         asn1.RawValue{Tag: asn1.TagOID, Bytes: idDER},
		Qualifiers: []qualifier{{ID: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}, Notice: userNotice{policyNotice}}},
	}})
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 32}, Value: value}
}
