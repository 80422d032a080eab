//go:build linux && e2e

package installer_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAGivenCertificateSigns signs a program and the MSI with it in, with a
// certificate that was made for this: what was signed is believed by who believes
// the certificate, until an octet of it changes. Without a certificate it stays as it is.
func TestAGivenCertificateSigns(t *testing.T) {
	here, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program, msi := filepath.Join(dir, "authbridge.exe"), filepath.Join(dir, "authbridge.msi")
	t.Setenv("GOOS", "windows")
	t.Setenv("CGO_ENABLED", "0")
	does(t, here, "go", "build", "-o", program, "./cmd/authbridge-tray")
	before := read(t, program)
	does(t, here, "installer/windows/sign", program)
	if !bytes.Equal(before, read(t, program)) {
		t.Error("it is changed though no certificate is given")
	}

	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	does(t, dir, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
		"-days", "2", "-subj", "/CN=nobody", "-addext", "extendedKeyUsage=codeSigning")
	t.Setenv("SIGN_CERT", cert)
	t.Setenv("SIGN_KEY", key)
	does(t, here, "installer/windows/sign", program)
	for _, file := range []string{"authbridge-tray.exe", "README.md", "CHANGELOG.md", "COPYRIGHT"} {
		if err := os.Link(program, filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	does(t, here, "installer/windows/build", dir, msi, "0.1.2")
	does(t, here, "installer/windows/sign", msi)
	for _, file := range []string{program, msi} {
		does(t, dir, "osslsigncode", "verify", "-CAfile", cert, "-in", file)
		changed := read(t, file)
		changed[len(changed)/2] ^= 1
		other := file + ".changed"
		if err := os.WriteFile(other, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("osslsigncode", "verify", "-CAfile", cert, "-in", other).CombinedOutput(); err == nil {
			t.Errorf("%s is believed though it was changed:\n%s", filepath.Base(other), out)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
