//go:build linux && e2e

package browser_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"authbridge/agent/contract"
)

// TestTheMocksPages has each looked at by axe at two sizes and in both colour
// schemes, and used without a mouse and without JavaScript.
func TestTheMocksPages(t *testing.T) {
	w, env, _ := newPages(t, false)
	wantPassed(t, w.play(env, w.command("mock-pages")...), 6)
}

// TestTheMocksPagesOverTLS goes through them by key, app and card in a browser
// that trusts the local authority and no other, as docs/configuration.md says;
// one that does not trust it comes to no page.
func TestTheMocksPagesOverTLS(t *testing.T) {
	w, env, authority := newPages(t, true)
	env = append(env, "NODE_EXTRA_CA_CERTS="+authority)
	command := append(w.command("mock-pages"), "-g", "phone, dark|without JavaScript")
	for title, r := range w.play(env, command...) {
		if r.Status == "passed" {
			t.Errorf("without the authority: %s passed", title)
		}
	}
	wantPassed(t, w.play(append(env, "TRUSTED_KEY="+keyDigest(t, authority)), command...), 2)
}

// newPages is a daemon whose mock lets any proof of a card pass, for the
// application "ward", and what its specs are told.
func newPages(t *testing.T, tls bool) (w *world, env []string, authority string) {
	t.Helper()
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		html(w, []byte("<!doctype html><title>Back</title>"))
	}))
	t.Cleanup(back.Close)
	config := filepath.Join(t.TempDir(), "config.toml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `
[mock]
tls = %t

[[mock.client]]
id = "ward"
name = "Ward round"
redirects = ["%s/callback"]
pattern = "client_secret_post"
secret = "none"
`, tls, back.URL), 0o600))
	w = newWorld(t, "--config", config)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must2(w.SetMockFaults(ctx, contract.MockFaults{Faults: []string{"accept-any-proof"}}))(t)
	var mock struct{ URL, Authority string }
	must(t, json.Unmarshal(must2(os.ReadFile(filepath.Join(w.state, "mock.json")))(t), &mock))
	return w, []string{
		"AUTHBRIDGE_URL=unix://" + filepath.Join(w.state, "authbridge.sock"), "MOCK_URL=" + mock.URL, "CALLBACK_URL=" + back.URL + "/callback",
	}, mock.Authority
}

// keyDigest is that of the key of a certificate's owner, as Chromium wants it.
func keyDigest(t *testing.T, file string) string {
	t.Helper()
	block, _ := pem.Decode(must2(os.ReadFile(file))(t))
	digest := sha256.Sum256(must2(x509.ParseCertificate(block.Bytes))(t).RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(digest[:])
}
