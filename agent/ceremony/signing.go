package ceremony

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/pcsc/piv"
)

// signing is what a card is to sign, and by which key.
type signing struct {
	slot        piv.Slot
	certificate *x509.Certificate
	fingerprint [sha256.Size]byte // of the certificate
	live        bool              // a certificate of the card is of a live issuer
	hash        crypto.Hash
	hashName    string
	signed      []byte // the octets that are hashed; nil where a digest was given
	digest      []byte
}

// signingFacts is what the decision to sign rests on.
type signingFacts struct {
	origin       contract.Origin
	target       string
	certificates []contract.Certificate // of the card, as the inventory read them
	allowed      []SigningCertificate
}

// signingLabel begins what a physical card signs, so that it can be no signature
// for TLS, for a logon or on a prescription (DESIGN 5.4).
const signingLabel = "authbridge sign v1"

// Environments of certificates, as the inventory tells them by their issuers.
const (
	testEnvironment = "test"
	liveEnvironment = "live"
)

// planSigning decides whether a card may sign what is asked for (DESIGN 5.4).
// It knows no card: what it refuses never reaches one.
func planSigning(request contract.CeremonyRequest, facts signingFacts) (*signing, error) {
	s := &signing{}
	if err := s.setRequest(request); err != nil {
		return nil, err
	}
	physical := facts.origin != contract.Virtual
	switch {
	case physical && len(request.Digest) > 0:
		return nil, &failure.Error{Code: failure.SignDigest, Field: "body.digest", Detail: "allowed for a physical card: data"}
	case physical && s.slot == piv.SlotSignature:
		return nil, &failure.Error{Code: failure.SignSlot, Field: "body.slot", Detail: "allowed for a physical card: 9A, 9D, 9E"}
	}
	given, err := s.setCertificate(facts.certificates)
	if err != nil {
		return nil, err
	}
	if physical {
		if err := s.mayBePhysical(given, facts); err != nil {
			return nil, err
		}
		s.signed = slices.Concat([]byte(signingLabel), []byte{0}, []byte(facts.target), []byte{0}, request.Data)
	}
	if s.digest == nil {
		h := s.hash.New()
		h.Write(s.signed)
		s.digest = h.Sum(nil)
	}
	return s, nil
}

// setRequest takes over the request, whose form it checks.
func (s *signing) setRequest(request contract.CeremonyRequest) error {
	s.hashName = request.Hash
	switch request.Hash {
	case "":
		s.hash, s.hashName = crypto.SHA256, "SHA-256"
	case "SHA-256":
		s.hash = crypto.SHA256
	case "SHA-384":
		s.hash = crypto.SHA384
	case "SHA-512":
		s.hash = crypto.SHA512
	default:
		return badSigning("body.hash", "allowed: SHA-256, SHA-384, SHA-512")
	}
	s.slot = piv.SlotAuthentication
	if request.Slot != "" {
		i := slices.IndexFunc(piv.AllSlots(), func(slot piv.Slot) bool { return slot.String() == request.Slot })
		if i < 0 {
			return badSigning("body.slot", "allowed: 9A, 9C, 9D, 9E")
		}
		s.slot = piv.AllSlots()[i]
	}
	switch {
	case len(request.Data) > 0 && len(request.Digest) > 0:
		return badSigning("body.digest", "allowed: data or digest, not both")
	case len(request.Data) == 0 && len(request.Digest) == 0:
		return badSigning("body.data", "there is nothing to sign")
	case len(request.Digest) > 0 && len(request.Digest) != s.hash.Size():
		return badSigning("body.digest", fmt.Sprintf("%d octets; one of %s has %d", len(request.Digest), s.hashName, s.hash.Size()))
	}
	s.signed, s.digest = request.Data, request.Digest
	return nil
}

func badSigning(field, detail string) error {
	return &failure.Error{Code: failure.BadRequest, Field: field, Detail: detail}
}

// setCertificate finds the certificate in the slot, and whether the card is a
// live one.
func (s *signing) setCertificate(certificates []contract.Certificate) (*contract.Certificate, error) {
	var given *contract.Certificate
	for i := range certificates {
		s.live = s.live || certificates[i].Environment == liveEnvironment
		if strings.EqualFold(certificates[i].Slot, s.slot.String()) {
			given = &certificates[i]
		}
	}
	unusable := func(detail string, err error) error {
		return &failure.Error{Code: failure.SignNoCertificate, Field: "body.slot", Detail: s.slot.String() + detail, Err: err}
	}
	if given == nil || len(given.DER) == 0 {
		return nil, unusable(" holds none", nil)
	}
	var err error
	if s.certificate, err = x509.ParseCertificate(given.DER); err != nil {
		return nil, unusable(" holds one that is not as RFC 5280 has it", err)
	}
	if _, err := piv.AlgorithmOf(s.certificate.PublicKey); err != nil {
		return nil, unusable(" holds one of a key that is not used here: "+given.Key, err)
	}
	s.fingerprint = sha256.Sum256(given.DER)
	return given, nil
}

// mayBePhysical is what holds for physical cards only.
func (s *signing) mayBePhysical(given *contract.Certificate, facts signingFacts) error {
	fingerprint := hex.EncodeToString(s.fingerprint[:])
	switch {
	case s.certificate.KeyUsage&x509.KeyUsageContentCommitment != 0:
		return &failure.Error{Code: failure.SignNonRepudiation, Detail: "KeyUsage of the certificate in " + s.slot.String() + " has nonRepudiation"}
	case given.Environment != testEnvironment:
		return &failure.Error{Code: failure.SignIssuer, Detail: "the issuer of the certificate in " + s.slot.String() + " is " + environment(given)}
	case s.live:
		return &failure.Error{Code: failure.SignIssuer, Detail: "another certificate of the card is of a live issuer"}
	case !slices.Contains(facts.allowed, SigningCertificate{SHA256: fingerprint, Target: facts.target}):
		return &failure.Error{Code: failure.SignNotListed, Detail: "SHA-256 " + fingerprint + " for " + facts.target}
	}
	return nil
}

func environment(c *contract.Certificate) string {
	if c.Environment == liveEnvironment {
		return "live"
	}
	return "unknown"
}

// needsPIN is whether the slot's key works only after a PIN, and eachTime whether
// that has to come just before (SP 800-73-4 part 1, table 5).
func (s *signing) needsPIN() bool { return s.slot != piv.SlotCardAuthentication }

func (s *signing) eachTime() bool { return s.slot == piv.SlotSignature }
