package vcard

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"sync"
	"time"
)

// CA is the test authority that issues the certificates of virtual cards: one
// root of ours, and below it an issuer whose name looks like the NHS's for test
// cards and another whose name looks like the one for live cards.
type CA struct {
	world
	root, test, live *authority
}

// world is what a test replaces: the clock and the source of random numbers.
type world struct {
	now    func() time.Time
	random io.Reader
}

// Option changes how a [CA], and the cards it issues for, are made.
type Option func(*world)

// WithClock sets where dates come from.
func WithClock(now func() time.Time) Option { return func(w *world) { w.now = now } }

// WithRandom sets where serial numbers, identifiers and elliptic-curve keys
// come from, so that the same stream makes the same authority and card. RSA
// keys always come from the system's generator.
func WithRandom(source io.Reader) Option {
	return func(w *world) { w.random = &oneAtATime{source: source} }
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// The names of the issuers. The test one is that of NHS INT cards, the live
// one that of NHS cards in use; only the root betrays (and must betray) that
// both are ours.
var (
	rootName = pkix.Name{Organization: []string{"authbridge"}, OrganizationalUnit: []string{"virtual cards only, not the NHS"}, CommonName: "authbridge test CA"}
	testName = pkix.Name{Organization: []string{"nhs"}, OrganizationalUnit: []string{"CA"}, CommonName: "NHS INT Level 1D"}
	liveName = pkix.Name{Organization: []string{"nhs"}, OrganizationalUnit: []string{"CA"}, CommonName: "NHS Authentication G2"}
)

const (
	rootYears   = 20
	issuerYears = 10
)

// NewCA makes an authority that is kept nowhere.
func NewCA(options ...Option) (*CA, error) {
	ca := &CA{world: newWorld(options)}
	var err error
	if ca.root, err = ca.newAuthority(rootName, nil, rootYears); err != nil {
		return nil, err
	}
	if ca.test, err = ca.newAuthority(testName, ca.root, issuerYears); err != nil {
		return nil, err
	}
	if ca.live, err = ca.newAuthority(liveName, ca.root, issuerYears); err != nil {
		return nil, err
	}
	return ca, nil
}

func newWorld(options []Option) world {
	w := world{now: time.Now, random: rand.Reader}
	for _, option := range options {
		option(&w)
	}
	return w
}

// oneAtATime lets several cards of an authority draw from one source.
type oneAtATime struct {
	mu     sync.Mutex
	source io.Reader
}

func (r *oneAtATime) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}

// Root is the certificate that the others are below.
func (ca *CA) Root() *x509.Certificate { return ca.root.cert }

// Issuers are the certificates between the root and a card's.
func (ca *CA) Issuers() []*x509.Certificate {
	return []*x509.Certificate{ca.test.cert, ca.live.cert}
}

// Pools are the root and the issuers, ready for [x509.VerifyOptions].
func (ca *CA) Pools() (roots, intermediates *x509.CertPool) {
	roots, intermediates = x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(ca.root.cert)
	for _, issuer := range ca.Issuers() {
		intermediates.AddCert(issuer)
	}
	return roots, intermediates
}

func (w *world) newAuthority(name pkix.Name, parent *authority, years int) (*authority, error) {
	key, err := w.newECC()
	if err != nil {
		return nil, err
	}
	from := w.notBefore()
	template := &x509.Certificate{
		Subject:               name,
		NotBefore:             from,
		NotAfter:              from.AddDate(years, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	a := &authority{key: key}
	if parent == nil {
		template.MaxPathLen = 1
		parent = &authority{cert: template, key: key}
	} else {
		template.MaxPathLenZero = true
	}
	a.cert, err = w.issue(template, parent, key.Public())
	return a, err
}

// issue signs a certificate. The serial number and key identifier are added.
func (w *world) issue(template *x509.Certificate, by *authority, public crypto.PublicKey) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	if _, err := io.ReadFull(w.random, serial); err != nil {
		return nil, err
	}
	serial[0] = serial[0]&0x3F | 0x40 // positive, and always of one length
	template.SerialNumber = new(big.Int).SetBytes(serial)
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	id := sha1.Sum(spki) //nolint:gosec // RFC 5280, 4.2.1.2: a name, not a protection
	template.SubjectKeyId = id[:]
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, public, repeatable{by.key})
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", template.Subject, err)
	}
	return x509.ParseCertificate(der)
}

// notBefore is an hour ago: a program that just started elsewhere on the
// machine may read an earlier clock.
func (w *world) notBefore() time.Time {
	return w.now().UTC().Truncate(time.Second).Add(-time.Hour)
}

// newECC makes a P-256 key from the world's random source.
func (w *world) newECC() (*ecdsa.PrivateKey, error) {
	if w.random == rand.Reader {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	scalar := make([]byte, 32)
	for {
		if _, err := io.ReadFull(w.random, scalar); err != nil {
			return nil, err
		}
		// Fails for 0 and for what is not below the order, about never.
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar); err == nil {
			return key, nil
		}
	}
}

// repeatable makes ECDSA signatures by RFC 6979: the same input gives the same
// signature.
type repeatable struct{ *ecdsa.PrivateKey }

func (s repeatable) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.PrivateKey.Sign(nil, digest, opts)
}
