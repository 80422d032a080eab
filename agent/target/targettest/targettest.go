// Package targettest serves CIS2's integration environment as far as it is
// publicly known, by TLS, under its real host name, on a loopback listener of the
// test's own.
package targettest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
)

// document is INT's discovery document; its README says how sure it is.
//
//go:embed int/openid-configuration.json
var document []byte

// KeyID is that of the key in the JWKS that is the test's.
const KeyID = "test-1"

// INT is the environment on a loopback listener. Its fields may be changed before
// it is started.
type INT struct {
	Environment cis2.Environment
	// Document is the discovery document.
	Document map[string]any
	// Discovery answers for it where it is not nil.
	Discovery http.HandlerFunc
	// Host and Until are of the certificate.
	Host  string
	Until time.Time
	// MaxTLS is the newest version that is spoken; 0: any.
	MaxTLS uint16
	// Key is the private half of the newest key in the JWKS.
	Key *rsa.PrivateKey

	asked  atomic.Int32
	server *httptest.Server
	roots  *x509.CertPool
}

// New starts INT, after changes to it.
func New(t testing.TB, change ...func(*INT)) *INT {
	t.Helper()
	environment, _ := cis2.FindEnvironment(cis2.INT)
	issuer, err := url.Parse(environment.Issuer)
	must(t, err)
	s := &INT{Environment: environment, Host: issuer.Hostname(), Until: time.Now().Add(time.Hour)}
	must(t, json.Unmarshal(document, &s.Document))
	s.Key = keys().newest
	for _, c := range change {
		c(s)
	}
	s.start(t, issuer.Path)
	return s
}

// keys take long to make and are made once.
var keys = sync.OnceValue(func() (pair struct{ old, newest *rsa.PrivateKey }) {
	pair.old, _ = rsa.GenerateKey(rand.Reader, 2048) // fails for want of randomness alone, which crashes
	pair.newest, _ = rsa.GenerateKey(rand.Reader, 2048)
	return pair
})

func (s *INT) start(t testing.TB, path string) {
	mux := http.NewServeMux()
	discovery := s.Discovery
	if discovery == nil {
		discovery = func(w http.ResponseWriter, _ *http.Request) { Answer(w, s.Document) }
	}
	mux.HandleFunc("GET "+path+"/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		discovery(w, r)
	})
	mux.HandleFunc("GET "+path+"/connect/jwk_uri", func(w http.ResponseWriter, _ *http.Request) {
		Answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: &keys().old.PublicKey, KeyID: "test-0", Use: "sig", Algorithm: "RS256"},
			{Key: &s.Key.PublicKey, KeyID: KeyID, Use: "sig", Algorithm: "RS256"},
		}})
	})
	s.server = httptest.NewUnstartedServer(mux)
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)                                                                             // clients that do not trust it are what is tested
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{s.certificate(t)}, MinVersion: tls.VersionTLS10, MaxVersion: s.MaxTLS} //nolint:gosec // bad ones are what is tested
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
}

// Answer writes JSON as INT does.
func Answer(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_ = json.NewEncoder(w).Encode(what)
}

// certificate is of the host, by an authority that Transport trusts.
func (s *INT) certificate(t testing.TB) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	from := time.Now().Add(-48 * time.Hour)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, NotBefore: from, NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: s.Host}, DNSNames: []string{s.Host}, NotBefore: from, NotAfter: s.Until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	must(t, err)
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	s.roots = x509.NewCertPool()
	s.roots.AddCert(parsed)
	der, err = x509.CreateCertificate(rand.Reader, leaf, parsed, &key.PublicKey, key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Transport reaches it under its real name and port, and nothing else: no test
// ever calls a real host. It trusts the test's authority alone.
func (s *INT) Transport(t testing.TB) *http.Transport {
	t.Helper()
	return s.Reach(t, &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}})
}

// Reach has a transport of the product reach it as Transport does.
func (s *INT) Reach(t testing.TB, transport *http.Transport) *http.Transport {
	t.Helper()
	at, _ := url.Parse(s.Environment.Issuer)
	name, loopback := at.Host, s.server.Listener.Addr().String()
	transport.Proxy = nil
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != name {
			return nil, &net.DNSError{Err: "no such host", Name: strings.Split(address, ":")[0], IsNotFound: true}
		}
		return new(net.Dialer).DialContext(ctx, network, loopback)
	}
	transport.TLSClientConfig.RootCAs = s.roots
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// Asked is how many times discovery was asked for.
func (s *INT) Asked() int { return int(s.asked.Load()) }

// Sign makes an ID token of claims with the newest key.
func (s *INT) Sign(t testing.TB, claims map[string]any) []byte {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: s.Key, KeyID: KeyID}}, nil)
	must(t, err)
	payload, err := json.Marshal(claims)
	must(t, err)
	signed, err := signer.Sign(payload)
	must(t, err)
	token, err := signed.CompactSerialize()
	must(t, err)
	return []byte(token)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
