package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The local authority for TLS (DESIGN section 8). Nothing installs it in a trust
// store; whoever trusts it by hand trusts it for this machine's own names only.
const (
	authorityYears = 10
	leafDays       = 397 // the most that browsers take
)

// localTLS is the configuration of a server on localhost, and the authority, in
// a pool and as a file with its certificate, for clients. The authority is made
// on first use; the server's own key lives in memory alone. The server shows the
// authority's certificate too: so a browser can be told to trust it, for the
// time of a test, by its key (docs/configuration.md).
func localTLS(dir string, now time.Time) (config *tls.Config, trusted *x509.CertPool, authority string, err error) {
	home, err := keepFolder(dir, "tls-ca", func(dir string) error { return newLocalAuthority(dir, now) })
	if err != nil {
		return nil, nil, "", err
	}
	key, err := loadKey(home)
	if err != nil {
		return nil, nil, "", err
	}
	authority = filepath.Join(home, certificateFile)
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, nil, "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil, "", fmt.Errorf("%s: is no PEM", authority)
	}
	by, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, "", fmt.Errorf("%s: %w", authority, err)
	}
	leaf, err := newLeaf(by, key, now)
	if err != nil {
		return nil, nil, "", err
	}
	leaf.Certificate = append(leaf.Certificate, by.Raw)
	trusted = x509.NewCertPool()
	trusted.AddCert(by)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*leaf}}, trusted, authority, nil
}

// newLocalAuthority makes an authority that can certify nothing but localhost
// and the loopback addresses (RFC 5280, 4.2.1.10), and no authority below it.
func newLocalAuthority(dir string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	from := now.Add(-time.Hour)
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"authbridge"}, CommonName: "authbridge local TLS, for localhost only"},
		NotBefore:             from,
		NotAfter:              from.AddDate(authorityYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"localhost"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	der, err := issueLocal(template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if err := saveKey(dir, key); err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return os.WriteFile(filepath.Join(dir, certificateFile), text, 0o600)
}

// newLeaf certifies a fresh key for localhost.
func newLeaf(by *x509.Certificate, with crypto.Signer, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	from := now.Add(-time.Hour)
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "localhost"},
		NotBefore:             from,
		NotAfter:              from.AddDate(0, 0, leafDays),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := issueLocal(template, by, key.Public(), with)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func issueLocal(template, by *x509.Certificate, public crypto.PublicKey, with crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial.Add(serial, big.NewInt(1)) // never 0
	der, err := x509.CreateCertificate(rand.Reader, template, by, public, with)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", template.Subject, err)
	}
	return der, nil
}
