package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/login"
)

// TestAClientsProofIsReadWhenItIsNeeded: from a file that is the user's alone,
// and no error tells of what is in it.
func TestAClientsProofIsReadWhenItIsNeeded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, mode os.FileMode, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	in := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	secret, err := TargetConfig{SecretFile: file("secret", 0o600, []byte("canary\n"))}.readClient()
	if err != nil || string(secret.Secret) != "canary" || secret.Key != nil {
		t.Errorf("the secret: %v", err)
	}
	for name, text := range map[string][]byte{"8.pem": in("PRIVATE KEY", pkcs8), "1.pem": in("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))} {
		got, err := TargetConfig{KeyFile: file(name, 0o400, text), KeyID: "k1", SigningAlgorithm: "RS256"}.readClient()
		if err != nil || got.Key == nil || !key.PublicKey.Equal(got.Key.Public()) || got.KeyID != "k1" || got.Algorithm != "RS256" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, config := range map[string]TargetConfig{
		"open to all":  {KeyFile: file("open.pem", 0o644, in("PRIVATE KEY", pkcs8))},
		"open secret":  {SecretFile: file("open", 0o644, []byte("canary"))},
		"no PEM":       {KeyFile: file("text.pem", 0o600, []byte("canary canary"))},
		"no key in it": {KeyFile: file("other.pem", 0o600, in("PRIVATE KEY", []byte("canary")))},
		"too long":     {KeyFile: file("long.pem", 0o600, []byte(strings.Repeat("canary ", 4000)))},
		"not there":    {KeyFile: filepath.Join(dir, "none.pem")},
	} {
		got, err := config.readClient()
		if err == nil || strings.Contains(err.Error(), "canary") || got.Key != nil || len(got.Secret) > 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestTheConfigurationAddsTargets to those that are shipped.
func TestTheConfigurationAddsTargets(t *testing.T) {
	t.Parallel()
	s := settings{}
	s.Targets = []TargetConfig{{Name: "ours", Issuer: "https://ours.test/oidc"}, {Name: "int", ClientID: "123456789012.apps.national", MaxAge: "15m"}}
	if got := s.targets(); !slices.Equal(got, []string{"mock", "int", "dep", "prod", "ours"}) {
		t.Errorf("targets are %v", got)
	}
	names := map[string]login.Target{}
	for _, one := range s.realTargets() {
		names[one.Name] = one
	}
	if len(names) != 3 || names["int"].ClientID == "" || names["int"].Issuer == "" || names["int"].MaxAge.Minutes() != 15 || names["prod"].Issuer == "" || names["ours"].Headless {
		t.Errorf("login runs know %+v", names)
	}
}
