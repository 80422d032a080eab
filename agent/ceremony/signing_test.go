package ceremony

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/pcsc/vcard"
)

var allSlots = []vcard.Slot{vcard.SlotAuthentication, vcard.SlotSignature, vcard.SlotKeyManagement, vcard.SlotCardAuthentication}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// listed names all certificates of the card, for a target.
func listed(d *table, target string) Policy {
	var p Policy
	for _, slot := range allSlots {
		if c := d.card.Certificate(slot); c != nil {
			p.Signing = append(p.Signing, SigningCertificate{SHA256: fingerprint(c), Target: target})
		}
	}
	return p
}

// DESIGN 5.4: each refusal is a row, and the card counts 0 APDUs.
func TestWhatAPhysicalCardDoesNotSignReachesNoCard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		with func(d *table, r *contract.CeremonyRequest)
		code failure.Code
	}{
		"its certificate is not named": {func(d *table, _ *contract.CeremonyRequest) {
			d.c.config.Policy.Signing = nil
		}, failure.SignNotListed},
		"its certificate is named for another target": {func(d *table, _ *contract.CeremonyRequest) {
			d.c.config.Policy = listed(d, "int")
		}, failure.SignNotListed},
		"another certificate is named": {func(d *table, _ *contract.CeremonyRequest) {
			d.c.config.Policy.Signing = d.c.config.Policy.Signing[1:]
		}, failure.SignNotListed},
		"slot 9C": {func(_ *table, r *contract.CeremonyRequest) { r.Slot = "9C" }, failure.SignSlot},
		"its certificate has nonRepudiation": {func(d *table, _ *contract.CeremonyRequest) {
			moveSigner(d)
		}, failure.SignNonRepudiation},
		"a live issuer": {func(d *table, _ *contract.CeremonyRequest) {
			d.environment = map[string]string{"9A": "live"}
		}, failure.SignIssuer},
		"a live issuer of another certificate": {func(d *table, _ *contract.CeremonyRequest) {
			d.environment = map[string]string{"9C": "live"}
		}, failure.SignIssuer},
		"an unknown issuer": {func(d *table, _ *contract.CeremonyRequest) {
			d.environment = map[string]string{"9A": "unknown"}
		}, failure.SignIssuer},
		"an issuer of which nothing is said": {func(d *table, _ *contract.CeremonyRequest) {
			d.environment = map[string]string{"9A": "?"}
		}, failure.SignIssuer},
		"a live issuer, overridden": {func(d *table, r *contract.CeremonyRequest) {
			d.environment = map[string]string{"9A": "live"}
			r.Override = true
		}, failure.SignIssuer},
		"a digest": {func(_ *table, r *contract.CeremonyRequest) {
			r.Data, r.Digest = nil, make([]byte, sha256.Size)
		}, failure.SignDigest},
		"no certificate in the slot": {func(_ *table, r *contract.CeremonyRequest) { r.Slot = "9E" }, failure.SignNoCertificate},
		"nothing to sign":            {func(_ *table, r *contract.CeremonyRequest) { r.Data = nil }, failure.BadRequest},
		"data and a digest":          {func(_ *table, r *contract.CeremonyRequest) { r.Digest = make([]byte, sha256.Size) }, failure.BadRequest},
		"a slot that is none":        {func(_ *table, r *contract.CeremonyRequest) { r.Slot = "9B" }, failure.BadRequest},
		"a hash that is none":        {func(_ *table, r *contract.CeremonyRequest) { r.Hash = "SHA-1" }, failure.BadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newTable(t, tableConfig{profile: vcard.Profile{Keys: vcard.ECCP256, Slots: allSlots[:3]}, origin: contract.Physical})
			d.c.config.Policy = listed(d, "mock")
			request := d.request(rightPIN)
			c.with(d, &request)
			if d.refuses(request, c.code) == "" {
				t.Error("it does not say what is wrong")
			}
			if d.card.APDUs() != 0 || d.connected != 0 {
				t.Errorf("the card counts %d APDUs", d.card.APDUs())
			}
		})
	}
}

// moveSigner has the inventory show the certificate of 9C, which has
// nonRepudiation, as that of 9A.
func moveSigner(d *table) {
	d.shownIn = map[string]vcard.Slot{"9A": vcard.SlotSignature}
}

func TestACertificateIsNamedForATarget(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	certificates, _ := d.Certificates(card1, true)
	for target, code := range map[string]failure.Code{"int": "", "mock": failure.SignNotListed, "": failure.SignNotListed} {
		s, err := planSigning(d.request(""), signingFacts{
			origin: contract.Physical, target: target, certificates: certificates, allowed: listed(d, "int").Signing,
		})
		wants(t, err, code)
		if err == nil && string(s.signed) != "authbridge sign v1\x00int\x00something" {
			t.Errorf("signed is %q", s.signed)
		}
	}
}

// A card is physical unless it is known to be virtual (DESIGN rule 4).
func TestACardOfUnknownOriginCountsAsPhysical(t *testing.T) {
	t.Parallel()
	if _, err := planSigning(
		contract.CeremonyRequest{Digest: make([]byte, sha256.Size)}, signingFacts{target: "mock"},
	); failure.CodeOf(err) != failure.SignDigest {
		t.Error(err)
	}
}

func TestADigestHasTheLengthOfItsHash(t *testing.T) {
	t.Parallel()
	for hash, size := range map[string]int{"": 32, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64} {
		for _, n := range []int{1, 20, 32, 48, 64, 65} {
			_, err := planSigning(
				contract.CeremonyRequest{Digest: make([]byte, n), Hash: hash}, signingFacts{origin: contract.Virtual},
			)
			want := failure.BadRequest
			if n == size {
				want = failure.SignNoCertificate
			}
			wants(t, err, want)
		}
	}
}

// verifies checks a signature with what the result says, and nothing else.
func verifies(t *testing.T, r *contract.CeremonyResult, digest []byte) {
	t.Helper()
	certificate, err := x509.ParseCertificate(r.Certificate)
	must(t, err)
	hash := map[string]crypto.Hash{"SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}[r.Hash]
	if digest == nil {
		h := hash.New()
		h.Write(r.Signed)
		digest = h.Sum(nil)
	}
	valid := false
	switch key := certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		valid = rsa.VerifyPKCS1v15(key, hash, digest, r.Signature) == nil
	case *ecdsa.PublicKey:
		valid = ecdsa.VerifyASN1(key, digest, r.Signature)
	}
	if !valid {
		t.Errorf("the signature by %s is not valid", certificate.Subject)
	}
}

func TestAVirtualCardSignsDataAndDigestsWithAnySlot(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string]vcard.Profile{
		"RSA":      {Slots: allSlots},
		"elliptic": {Slots: allSlots, Keys: vcard.ECCP256},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newTable(t, tableConfig{profile: profile})
			for _, slot := range []string{"", "9A", "9C", "9D", "9E"} {
				if slot == "9D" && profile.Keys == vcard.ECCP256 {
					continue // a key for agreement signs nothing
				}
				for hash, size := range map[string]int{"": 32, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64} {
					request := d.request(rightPIN)
					request.Slot, request.Hash = slot, hash
					r := d.signs(request)
					if string(r.Signed) != "something" || hash != "" && r.Hash != hash {
						t.Errorf("%s %s: signed is %q, by %s", slot, hash, r.Signed, r.Hash)
					}
					verifies(t, r, nil)

					digest := make([]byte, size)
					digest[0] = 0xD1
					request = d.request(rightPIN)
					request.Slot, request.Hash, request.Data, request.Digest = slot, hash, nil, digest
					r = d.signs(request)
					if r.Signed != nil {
						t.Errorf("%s %s: signed is %q", slot, hash, r.Signed)
					}
					verifies(t, r, digest)
				}
			}
			// 9A and 9D once, 9C each of 8 times, 9E never.
			d.holdsPINs(9)
		})
	}
}

// DESIGN 5.4: what a physical card signs can be no other signature.
func TestAPhysicalCardSignsUnderALabel(t *testing.T) {
	t.Parallel()
	d := newTable(t, tableConfig{profile: vcard.Profile{}, origin: contract.Physical})
	d.c.config.Policy = listed(d, "mock")
	r := d.signs(d.request(rightPIN))
	if want := "authbridge sign v1\x00mock\x00something"; string(r.Signed) != want {
		t.Errorf("signed is %q, want %q", r.Signed, want)
	}
	if !slices.Equal(r.Certificate, d.card.Certificate(vcard.SlotAuthentication).Raw) {
		t.Error("the certificate is another")
	}
	verifies(t, r, nil)
}

func TestAKeyForAgreementSignsNothing(t *testing.T) {
	t.Parallel()
	d := newTable(t, tableConfig{profile: vcard.Profile{Keys: vcard.ECCP256, Slots: allSlots}})
	request := d.request(rightPIN)
	request.Slot = "9D"
	if detail := d.refuses(request, failure.SignRefused); detail != "GENERAL AUTHENTICATE: 6A80 (incorrect parameters in the data)" {
		t.Errorf("it says %q", detail)
	}
}
