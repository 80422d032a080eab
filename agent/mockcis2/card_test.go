package mockcis2_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"authbridge/agent/mockcis2"
)

// authority issues the certificates of cards.
type authority struct {
	key                  *ecdsa.PrivateKey
	cert                 *x509.Certificate
	roots, intermediates *x509.CertPool
}

var testAuthority = sync.OnceValue(func() *authority { return newAuthority("Test authority") })

func newAuthority(name string) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	a := &authority{key: key, cert: cert, roots: x509.NewCertPool(), intermediates: x509.NewCertPool()}
	a.roots.AddCert(cert)
	return a
}

// card is the key and certificate of one.
type card struct {
	key crypto.Signer
	der []byte
}

// card issues a user's card, with changes to its certificate.
func (a *authority) card(t *testing.T, user string, change ...func(*x509.Certificate)) card {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return a.certify(t, key, user, change...)
}

func (a *authority) certify(t *testing.T, key crypto.Signer, user string, change ...func(*x509.Certificate)) card {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{Organization: []string{"nhs"}, CommonName: user + "_Bloggs_Jo"},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range change {
		c(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return card{key, der}
}

func (c card) sign(t *testing.T, data []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(data)
	signature, err := c.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func (b *browser) challenge(reference string) (c mockcis2.Challenge, status int) {
	b.t.Helper()
	a := b.rig.browser().get("/proof/" + reference)
	if a.status == http.StatusOK {
		if err := json.Unmarshal(a.body, &c); err != nil {
			b.t.Fatal(err)
		}
	}
	return c, a.status
}

// prove does what the holder of a virtual card does.
func (b *browser) prove(reference string, with card) answer {
	b.t.Helper()
	c, status := b.challenge(reference)
	if status != http.StatusOK {
		b.t.Fatalf("no challenge: %d", status)
	}
	return b.postProof(mockcis2.Proof{Reference: reference, Certificate: with.der, Signature: with.sign(b.t, c.Data), Hash: "SHA-256", Signed: c.Data})
}

func (b *browser) postProof(p mockcis2.Proof, header ...string) answer {
	b.t.Helper()
	body, err := json.Marshal(p)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.rig.browser().do(http.MethodPost, "/proof", bytes.NewReader(body), append([]string{"Content-Type", asJSON}, header...)...)
}
