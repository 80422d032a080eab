package mockcis2

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"authbridge/agent/cis2"
)

// challengeLabel begins the octets of a challenge.
const challengeLabel = "authbridge proof v1"

// signingLabel begins what a physical card signs (DESIGN 5.4).
const signingLabel = "authbridge sign v1"

// Challenge is what the holder of a smartcard has signed.
type Challenge struct {
	Reference string    `json:"reference"`
	Issuer    string    `json:"issuer"`
	ClientID  string    `json:"client_id"`
	Data      []byte    `json:"data"` // the octets to be signed, base64
	Expires   time.Time `json:"expires"`
}

// Proof is a smartcard's signature on a challenge, with the fields that the
// result of a sign ceremony has.
type Proof struct {
	Reference   string `json:"reference"`
	Certificate []byte `json:"certificate"` // DER, base64
	Signature   []byte `json:"signature"`   // base64
	Hash        string `json:"hash"`        // SHA-256, SHA-384 or SHA-512; empty: SHA-256
	// Signed are the octets that were hashed; empty: the challenge's own. A
	// physical card's are others.
	Signed []byte `json:"signed,omitempty"`
}

// Why a proof is refused.
const (
	proofReference   = "unknown_reference"
	proofCertificate = "bad_certificate"
	proofChain       = "untrusted_certificate"
	proofExpired     = "expired_certificate"
	proofUser        = "wrong_user"
	proofSigned      = "wrong_challenge"
	proofSignature   = "bad_signature"
	proofTooMany     = "too_many"
	proofForm        = "bad_request"
)

// A reference can be guessed, if hardly: all guess at most 3,000 of the 2.8e11
// while one is good, and a guess that is right still needs the card. The limit
// is for all together, so it is far above what runs of tests get wrong.
const (
	proofTries    = 600
	proofTriesFor = time.Minute
)

var (
	errProofTries  = refuse(proofTooMany, "too many references that are none")
	errNoReference = refuse(proofReference, "there is no such reference; one is good once, for five minutes")
)

// challengeData is what a challenge binds, in the order that the package's
// documentation names.
func challengeData(issuer, client, nonce, reference string, at time.Time) []byte {
	return bytes.Join([][]byte{
		[]byte(challengeLabel), []byte(issuer), []byte(client), []byte(nonce), []byte(reference),
		[]byte(at.UTC().Format(time.RFC3339)),
	}, []byte{0})
}

func (s *Server) challengeOf(l *login) []byte {
	return challengeData(s.issuer, l.client.ClientID, l.request.nonce, l.reference, l.referenceMade)
}

// refer gives a login a reference. The mutex is held.
func (b *book) refer(l *login, now time.Time) {
	l.reference, l.referenceMade = newReference(), now.UTC().Truncate(time.Second)
	b.references.put(l.reference, l.id, now, now.Add(referenceFor))
}

// referred finds the login that waits under a reference. The mutex is held.
func (b *book) referred(reference string, now time.Time) (*login, bool) {
	id, ok := b.references.get(reference, now)
	if !ok {
		return nil, false
	}
	l, ok := b.logins.get(id, now)
	if !ok || l.stage != stageSmartcard || l.reference != reference {
		return nil, false
	}
	return l, true
}

// asReference takes what a person may have typed.
func asReference(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(s))
}

// challenge answers who holds the card.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request) {
	now := s.config.Now()
	reference := asReference(r.PathValue("reference"))
	var c Challenge
	s.book.mu.Lock()
	may := s.book.mayTry("proof", proofTries, now)
	l, ok := s.book.referred(reference, now)
	switch {
	case !may:
	case ok:
		c = Challenge{
			Reference: reference, Issuer: s.issuer, ClientID: l.client.ClientID, Data: s.challengeOf(l),
			Expires: l.referenceMade.Add(referenceFor),
		}
	default:
		s.book.failed("proof", proofTriesFor, now)
	}
	s.book.mu.Unlock()
	switch {
	case !may:
		writeJSON(w, http.StatusTooManyRequests, errProofTries)
	case !ok:
		writeJSON(w, http.StatusNotFound, errNoReference)
	default:
		writeJSON(w, http.StatusOK, c)
	}
}

// proof takes a signature. Whatever it says, the reference is used up; so is
// that of a signature that is refused.
func (s *Server) proof(w http.ResponseWriter, r *http.Request) {
	var p Proof
	if err := readJSON(r, &p); err != nil {
		writeJSON(w, http.StatusBadRequest, refuse(proofForm, err.Error()))
		return
	}
	now := s.config.Now()
	p.Reference = asReference(p.Reference)
	s.book.mu.Lock()
	may := s.book.mayTry("proof", proofTries, now)
	var l *login
	ok := false
	if may {
		if l, ok = s.book.referred(p.Reference, now); !ok {
			s.book.failed("proof", proofTriesFor, now)
		}
	}
	var data []byte
	var user *User
	var any bool
	if ok {
		s.book.references.take(p.Reference, now)
		data, user = s.challengeOf(l), s.book.users[l.user]
		any = s.book.faultsOf(l.client.ClientID, l.request.state, now).has(AcceptAnyProof)
	}
	s.book.mu.Unlock()
	switch {
	case !may:
		writeJSON(w, http.StatusTooManyRequests, errProofTries)
		return
	case !ok || user == nil:
		writeJSON(w, http.StatusNotFound, errNoReference)
		return
	}
	refused := checkProof(p, data, s.config.Target, user.UUID, s.verifyOptions(now))
	if any {
		refused = nil
	}
	s.at(l, stageSmartcard, func() {
		switch {
		case l.reference != p.Reference: // somebody chose again meanwhile
			refused = refuse(proofReference, "the sign-in has gone on without it")
		case refused != nil:
			l.restart("The smartcard was refused: " + refused.Description + ".")
		default:
			l.authenticated(user, cis2.Smartcard, now)
		}
	})
	if refused != nil {
		s.config.Log.WithField("client", l.client.ClientID).WithField("error", refused.Code).Info("mock: a proof is refused")
		writeJSON(w, http.StatusForbidden, refused)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "accepted"})
}

// mostCertificate is more than any card's has, in octets.
const mostCertificate = 8 << 10

// checkProof is whether a card of the user has signed a challenge.
func checkProof(p Proof, data []byte, target, user string, options x509.VerifyOptions) *oauthError {
	if len(p.Certificate) == 0 || len(p.Certificate) > mostCertificate {
		return refuse(proofCertificate, "there is no certificate of a usual size")
	}
	cert, err := x509.ParseCertificate(p.Certificate)
	if err != nil {
		return refuse(proofCertificate, "the certificate is not as RFC 5280 has it")
	}
	if options.CurrentTime.Before(cert.NotBefore) || options.CurrentTime.After(cert.NotAfter) {
		return refuse(proofExpired, "the certificate is not valid now")
	}
	if _, err := cert.Verify(options); err != nil {
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			return refuse(proofExpired, "a certificate of the chain is not valid now")
		}
		return refuse(proofChain, "the certificate is not of the test authority, or not for signing in")
	}
	if cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return refuse(proofChain, "the certificate is not for signing in")
	}
	if uuid, ok := cis2.UserOf(cert.Subject.CommonName); !ok || uuid != user {
		return refuse(proofUser, "the card is another user's")
	}
	physical := slices.Concat([]byte(signingLabel), []byte{0}, []byte(target), []byte{0}, data)
	signed := p.Signed
	if len(signed) == 0 {
		signed = data
	}
	if !bytes.Equal(signed, data) && !bytes.Equal(signed, physical) {
		return refuse(proofSigned, "it is not this challenge that was signed")
	}
	if !verifySignature(cert.PublicKey, p.Hash, signed, p.Signature) {
		return refuse(proofSignature, "the signature is not that of the card")
	}
	return nil
}

func verifySignature(public any, hashName string, signed, signature []byte) bool {
	hash, ok := map[string]crypto.Hash{"": crypto.SHA256, "SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}[hashName]
	if !ok {
		return false
	}
	h := hash.New()
	h.Write(signed)
	sum := h.Sum(nil)
	switch key := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, sum, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum, signature)
	}
	return false
}
