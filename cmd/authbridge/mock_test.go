package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheMockIsNextToTheAPIWhereVirtualAuthenticatorsAre(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		mock, api, virtual string
		found              bool // the configuration file
		port               string
		on                 bool
	}{
		{"auto", defaultListen, "auto", false, "17824", true},
		{"auto", "127.0.0.1:17900", "on", true, "17901", true},
		{"auto", "127.0.0.1:0", "on", true, "0", true},
		{"auto", "127.0.0.1:43484", "on", true, "43486", true},
		{"auto", "127.0.0.1:65535", "on", true, "0", true},
		{"auto", defaultListen, "auto", true, "", false},
		{"auto", defaultListen, "off", false, "", false},
		{"off", defaultListen, "on", false, "", false},
		{"localhost:9000", defaultListen, "off", true, "9000", true},
		{"[::1]:9000", defaultListen, "off", true, "9000", true},
	} {
		s := settings{Config: Config{Listen: row.api, Virtual: row.virtual, Mock: MockConfig{Listen: row.mock}}, Found: row.found}
		if port, on := s.mockPort(); on != row.on || on && port != row.port {
			t.Errorf("%+v: %s, %v", row, port, on)
		}
	}
	if what, remedy := badListen(defaultMock); what != "" {
		t.Error(what, remedy)
	}
}

func TestABadUserOrApplicationSaysItsPlace(t *testing.T) {
	t.Parallel()
	_, _, err := parseConfig("c.toml", []byte(`listen = "127.0.0.1:9000"

[[user]]
name = "ada"
uuid = { mock = "656005750108", int = "555250000001" }

[[user]]
name = "ada"
uuid = { mock = "656005750108", mars = "555250000001" }
aal = 4
roles = ["GP"]

[[user]]
authenticators = "key-1"

[[user]]
name = "bob"
[user.uuid]
int = "12"

[[user]]
name = "eve"
aal = "high"
uuid = 656005750108

[mock]
listen = "localhost:9000"

[[mock.client]]
id = "good"
redirects = ["http://localhost:3000/cb"]
pattern = "private_key_jwt"
jwks_uri = "http://localhost:3000/jwks"
faults = ["slow:5s"]

[[mock.client]]
id = "good"
redirects = ["http://localhost:3000/cb"]
pattern = "client_secret_post"
secret = "canary-1"

[[mock.client]]
id = "bad"
redirects = ["http://localhost:3000/cb"]
pattern = "client_secret_basic"

[[mock.client]]
id = "worse"
redirects = ["http://localhost:3000/cb"]
pattern = "client_secret_post"
faults = ["bananas"]
secret = 7531902
basic = "yes"
colour = "red"

[[mock.client]]
id = "faulty"
redirects = ["http://localhost:3000/cb"]
pattern = "client_secret_post"
faults = ["bananas"]
secret = "canary-2"

[[user]]
name = "ada again"
uuid = { mock = "656005750108" }
`))
	if err == nil {
		t.Fatal("it passed")
	}
	for _, want := range []string{
		`c.toml:8:1: name is "ada"`, `c.toml:9:1: uuid has "mars"`, "c.toml:65:1: uuid of mock is that of another user",
		"c.toml:10:1: aal is 4", `c.toml:11:1: roles has "GP"`, "c.toml:13:1: a user has no name", "c.toml:13:1: a user has no uuid",
		"c.toml:14:1: authenticators is no list of texts", `c.toml:18:1: uuid of int is "12"`, "c.toml:23:1: aal is high",
		"c.toml:24:1: uuid is no table of texts", "c.toml:27:1: mock.listen has the port of the API",
		"c.toml:37:1: id is that of another client", "c.toml:45:1: pattern: allowed:", "c.toml:52:1: secret is no text", "c.toml:53:1: basic is yes",
		"c.toml:54:1: unknown key mock.client", `c.toml:60:1: faults has "bananas"`, "no-acr",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in\n%s", want, err)
		}
	}
	for _, never := range []string{"canary", "7531902", "c.toml:4:", "c.toml:5:", "c.toml:30:"} {
		if strings.Contains(err.Error(), never) {
			t.Errorf("%q in\n%s", never, err)
		}
	}
}

// TestTheLocalAuthorityIsForThisMachineAlone holds DESIGN section 8: whoever
// steals its key cannot certify anybody else's name with it.
func TestTheLocalAuthorityIsForThisMachineAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mock")
	config, _, file, err := localTLS(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "PRIVATE") {
		t.Error("the file for clients has the key")
	}
	for _, path := range []string{file, filepath.Join(filepath.Dir(file), keyFile)} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	for version, good := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		if err := shake(config, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: version, MaxVersion: version}); (err == nil) != good {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}

	by, key := authorityIn(t, filepath.Dir(file))
	issue := func(change func(*x509.Certificate)) *x509.Certificate {
		t.Helper()
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
		}
		change(template)
		der, err := issueLocal(template, by, own.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	for what, change := range map[string]func(*x509.Certificate){
		"another name":    func(c *x509.Certificate) { c.DNSNames = []string{"example.org"} },
		"a name like it":  func(c *x509.Certificate) { c.DNSNames = []string{"localhost.example.org"} },
		"another address": func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)} },
		"an IPv6 address": func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:db8::1")} },
	} {
		if _, err := issue(change).Verify(x509.VerifyOptions{Roots: roots}); err == nil {
			t.Errorf("%s can be certified", what)
		}
	}
	client := issue(func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} })
	if _, err := client.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err == nil {
		t.Error("clients can be certified")
	}
	if by.MaxPathLen != 0 || !by.MaxPathLenZero {
		t.Error("it can have authorities below it")
	}
}

// shake is a TLS handshake between two of them.
func shake(server, client *tls.Config) error {
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(a, server).Handshake()
		_ = a.Close()
	}()
	err := tls.Client(b, client).Handshake()
	_ = b.Close()
	return errors.Join(err, <-done)
}

// authorityIn reads an authority's folder.
func authorityIn(t *testing.T, dir string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, certificateFile))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := loadKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key.(*ecdsa.PrivateKey)
}

// TestSeveralMocksUseOneKey is several programs that are the first.
func TestSeveralMocksUseOneKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mock")
	const several = 4
	var got [several]string
	var all sync.WaitGroup
	for i := range several {
		all.Go(func() {
			key, err := signingKey(dir)
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = key.N.String()
		})
	}
	all.Wait()
	for _, n := range got {
		if n != got[0] {
			t.Error("the keys differ")
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v is left, %v", entries, err)
	}
}

func TestLocalhostIsBothAddresses(t *testing.T) {
	t.Parallel()
	listeners, port, err := listenLocalhost("0")
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(listeners)
	for _, l := range listeners {
		if _, at, _ := net.SplitHostPort(l.Addr().String()); at != port {
			t.Errorf("%s listens, port %s was told", l.Addr(), port)
		}
	}
	if _, _, err := listenLocalhost(port); err == nil {
		t.Error("it listens twice on one port")
	}
	half, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no ::1")
	}
	if len(listeners) != 2 {
		t.Errorf("%d listeners", len(listeners))
	}
	// Whoever has one of the two would get what is meant for the other.
	defer func() { _ = half.Close() }()
	_, port, _ = net.SplitHostPort(half.Addr().String())
	if listeners, _, err := listenLocalhost(port); err == nil {
		closeAll(listeners)
		t.Error("it listens on 127.0.0.1 where another has ::1")
	}
	free, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		t.Fatalf("a listener was left behind: %v", err)
	}
	_ = free.Close()
}
