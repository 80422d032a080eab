//go:build linux && e2e

package browser_test

import (
	"context"
	"encoding/json"
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
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		html(w, []byte("<!doctype html><title>Back</title>"))
	}))
	t.Cleanup(back.Close)
	config := filepath.Join(t.TempDir(), "config.toml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `
[[mock.client]]
id = "ward"
name = "Ward round"
redirects = ["%s/callback"]
pattern = "client_secret_post"
secret = "none"
`, back.URL), 0o600))
	w := newWorld(t, "--config", config)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must2(w.SetMockFaults(ctx, contract.MockFaults{Faults: []string{"accept-any-proof"}}))(t)
	var mock struct{ URL string }
	must(t, json.Unmarshal(must2(os.ReadFile(filepath.Join(w.state, "mock.json")))(t), &mock))
	results := w.play([]string{"AUTHBRIDGE_URL=unix://" + filepath.Join(w.state, "authbridge.sock"), "MOCK_URL=" + mock.URL, "CALLBACK_URL=" + back.URL + "/callback"}, w.command("mock-pages")...)
	wantPassed(t, results, 6)
}
