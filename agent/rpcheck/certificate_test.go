package rpcheck_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/rpcheck"
)

// issued is a certificate with its key.
type issued struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// issue makes one by an authority, or by itself where that is nil.
func issue(t *testing.T, name string, by *issued, change func(*x509.Certificate)) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	change(c)
	signer := by
	if by == nil {
		signer = &issued{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, signer.Certificate, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{parsed, key}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

const host = "app.example.nhs.uk"

func server(c *x509.Certificate) {
	c.DNSNames, c.ExtKeyUsage = []string{host}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

// TestEachThingWrongWithACertificateIsRedOnItsRow also holds that the endpoint
// behind it is judged all the same.
func TestEachThingWrongWithACertificateIsRedOnItsRow(t *testing.T) {
	t.Parallel()
	root := issue(t, "Public root", nil, authority)
	between := issue(t, "Public issuer", root, authority)
	private := issue(t, "Private root", nil, authority)
	privateBetween := issue(t, "Private issuer", private, authority)
	roots := x509.NewCertPool()
	roots.AddCert(root.Certificate)
	with := func(change func(*x509.Certificate)) *issued {
		return issue(t, host, between, func(c *x509.Certificate) { server(c); change(c) })
	}
	good := with(func(*x509.Certificate) {})
	for name, c := range map[string]struct {
		leaf      *issued
		sent      []*issued // beside it
		min, max  uint16
		red, warn []string
	}{
		"good":            {leaf: good, sent: []*issued{between}},
		"with its root":   {leaf: good, sent: []*issued{between, root}},
		"out of order":    {leaf: good, sent: []*issued{root, private, between}},
		"incomplete":      {leaf: good, red: []string{"certificate-chain"}},
		"expired":         {leaf: with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }), sent: []*issued{between}, red: []string{"certificate-dates"}},
		"not yet":         {leaf: with(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), sent: []*issued{between}, red: []string{"certificate-dates"}},
		"soon":            {leaf: with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(72 * time.Hour) }), sent: []*issued{between}, warn: []string{"certificate-dates"}},
		"other name":      {leaf: with(func(c *x509.Certificate) { c.DNSNames = []string{"other.example.nhs.uk"} }), sent: []*issued{between}, red: []string{"certificate-name"}},
		"common name":     {leaf: with(func(c *x509.Certificate) { c.DNSNames = nil }), sent: []*issued{between}, red: []string{"certificate-name"}},
		"private":         {leaf: issue(t, host, privateBetween, server), sent: []*issued{privateBetween, private}, red: []string{"certificate-root"}},
		"private, no end": {leaf: issue(t, host, privateBetween, server), sent: []*issued{privateBetween}, red: []string{"certificate-root"}},
		"self-signed":     {leaf: issue(t, host, nil, server), red: []string{"certificate-root"}},
		"for clients": {
			leaf: with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), sent: []*issued{between},
			red: []string{"certificate-chain"},
		},
		"TLS 1.1": {leaf: good, sent: []*issued{between}, min: tls.VersionTLS10, max: tls.VersionTLS11, red: []string{"tls-version"}},
		"TLS 1.3": {leaf: good, sent: []*issued{between}, min: tls.VersionTLS13, warn: []string{"tls-version"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain := [][]byte{c.leaf.Raw}
			for _, s := range c.sent {
				chain = append(chain, s.Raw)
			}
			web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
			web.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: c.leaf.key}}, MinVersion: c.min, MaxVersion: c.max}
			web.Config.ErrorLog = log.New(io.Discard, "", 0)
			web.StartTLS()
			t.Cleanup(web.Close)
			done := checked(t, rpcheck.Party{Registration: cis2.Registration{
				Environment: cis2.INT, ClientID: client, Pattern: cis2.ClientSecret,
				Redirects: []string{"https://" + host + "/callback"}, BackChannelLogout: "https://" + host + "/logout",
			}, Tokens: noTokens{}}, func(config *rpcheck.Config) {
				config.Roots = roots
				config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					if address != host+":443" {
						t.Errorf("it calls %s", address)
					}
					return (&net.Dialer{}).DialContext(ctx, network, web.Listener.Addr().String())
				}
			})
			if got := inState(done, contract.Fail); !slices.Equal(got, c.red) && len(got)+len(c.red) > 0 {
				t.Errorf("red: %q, want %q", got, c.red)
			}
			// It is on this machine, which the internet does not reach.
			if got := inState(done, contract.Warn); !slices.Contains(got, "public-address") {
				t.Errorf("%q", got)
			} else if got = slices.DeleteFunc(got, func(n string) bool { return n == "public-address" || n == "logout-no-store" }); !slices.Equal(got, c.warn) && len(got)+len(c.warn) > 0 {
				t.Errorf("warned of: %q, want %q", got, c.warn)
			}
			if r := rowOf(t, done, "logout-forged"); r.State != contract.Pass {
				t.Errorf("the endpoint is not judged: %+v", r)
			}
		})
	}
}

// noTokens makes what is no token.
type noTokens struct{}

func (noTokens) LogoutToken(string, string, string, ...string) (string, error) { return "a.b.c", nil }

func TestAServerWithoutTLSIsSaidToHaveNone(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	done := checked(t, rpcheck.Party{Registration: cis2.Registration{
		Environment: cis2.INT, ClientID: client, Pattern: cis2.ClientSecret, Redirects: []string{"https://" + host + "/callback"}, BackChannelLogout: "https://" + host + "/logout",
	}}, func(config *rpcheck.Config) {
		config.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, web.Listener.Addr().String())
		}
	})
	if r := rowOf(t, done, "tls-version"); r.State != contract.Fail || !strings.Contains(r.Got, "TLS") {
		t.Errorf("%+v", r)
	}
}
