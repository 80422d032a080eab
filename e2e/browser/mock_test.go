//go:build linux && e2e

package browser_test

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/virtual"
)

//go:embed testdata/hostile.html
var hostilePage []byte

// Clients of the mock. The last is the hostile page's own, to see that it would
// notice a code.
const (
	openidClientID = "000000000002.apps.national"
	goOIDCID       = "000000000003.apps.national"
	goOIDCSecret   = "not a real one"
	carelessID     = "000000000004.apps.national"
)

// TestRelyingPartiesOfOthersSignInAtTheMock is two of them, each with a virtual
// smartcard and a virtual key, and then a page that is none of theirs.
func TestRelyingPartiesOfOthersSignInAtTheMock(t *testing.T) {
	npm, tell := startProcess(t, client, []string{"CLIENT_ID=" + openidClientID}, "node", "e2e/openid-client.mjs")
	port := freePort(t)
	goOIDC := "http://localhost:" + port
	evil := startHostile(t)
	config := filepath.Join(t.TempDir(), "config.toml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `
[[mock.client]]
id = %q
redirects = ["%[2]s/callback"]
pattern = "private_key_jwt"
jwks_uri = "%[2]s/jwks"

[[mock.client]]
id = %[3]q
redirects = ["%[4]s/callback"]
pattern = "client_secret_post"
secret = %[5]q

[[mock.client]]
id = %[6]q
redirects = ["%[7]s/caught", "%[8]s/caught"]
pattern = "client_secret_post"
secret = "none"
`, openidClientID, npm, goOIDCID, goOIDC, goOIDCSecret, carelessID, evil.urls[0], evil.urls[1]), 0o600))
	w := newWorld(t, "--config", config)
	var mock struct{ URL, Issuer string }
	must(t, json.Unmarshal(must2(os.ReadFile(filepath.Join(w.state, "mock.json")))(t), &mock))
	_, err := fmt.Fprintln(tell, mock.Issuer)
	must(t, err)
	program := filepath.Join(t.TempDir(), "relying-party")
	must(t, run(".", "go", "build", "-o", program, "../../examples/relying-party"))
	startProcess(t, ".", []string{"CLIENT_SECRET=" + goOIDCSecret}, program, "-port", port, "-issuer", mock.Issuer, "-client", goOIDCID)

	results := w.play([]string{
		"AUTHBRIDGE_URL=unix://" + filepath.Join(w.state, "authbridge.sock"), "MOCK_URL=" + mock.URL, "CARD_URL=" + w.startHolder(mock.URL),
		"OPENID_CLIENT_URL=" + npm, "GO_OIDC_URL=" + goOIDC, "GO_OIDC_ID=" + goOIDCID, "CARELESS_ID=" + carelessID,
		"HOSTILE_URLS=" + strings.Join(evil.urls, " "),
	}, w.command("mock")...)
	wantPassed(t, results, 5+len(evil.urls))
	for title, r := range results {
		t.Logf("%s: %d ms", title, r.Duration)
	}
	evil.wantOnlyItsOwnCodes(t)
}

// freePort is one that nobody listens on now.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	return port
}

// startProcess starts a server that says where it listens, and ends it with the
// test.
func startProcess(t *testing.T, dir string, env []string, name string, args ...string) (url string, stdin io.Writer) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var log bytes.Buffer
	cmd.Stderr = &log
	stdin, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() && log.Len() > 0 {
			t.Logf("%s said:\n%s", name, &log)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	url, says := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !says {
		t.Fatalf("%s said %q, %v", name, line, err)
	}
	return url, stdin
}

// startHolder serves the holder of the virtual smartcard: who posts a reference
// has the card sign for it.
func (w *world) startHolder(mock string) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	serve(w.t, l, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		reference, err := io.ReadAll(r.Body)
		if err == nil {
			err = w.signFor(r, mock, string(reference))
		}
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
		}
	}))
	return "http://" + l.Addr().String()
}

// signFor takes a lease of the card, has it sign the mock's challenge and brings
// what came out to the mock.
func (w *world) signFor(r *http.Request, mock, reference string) error {
	ctx := r.Context()
	lease, err := w.TakeLease(ctx, contract.LeaseRequest{
		Requirement: contract.Requirement{AAL: 3, Target: "mock", Kind: contract.Smartcard}, Wait: patience.String(), Purpose: "mock",
	})
	if err != nil {
		return err
	}
	defer w.ReleaseLease(ctx, lease.ID) //nolint:errcheck // the next one waits in vain if it fails
	var challenge struct {
		Data []byte `json:"data"`
	}
	if err := exchange(ctx, http.MethodGet, mock+"/proof/"+reference, nil, &challenge); err != nil {
		return err
	}
	ceremony, err := w.RunCeremony(ctx, contract.CeremonyRequest{
		Lease: lease.ID, Type: contract.CeremonySign, Data: challenge.Data, PIN: &contract.PINSource{Value: []byte(virtual.DefaultPIN)},
	}, nil)
	if err != nil {
		return err
	}
	if ceremony.State != contract.CeremonyDone {
		return fmt.Errorf("the ceremony is %s: %w", ceremony.State, ceremony.Problem)
	}
	result := ceremony.Result
	return exchange(ctx, http.MethodPost, mock+"/proof", map[string]any{
		"reference": reference, "certificate": result.Certificate, "signature": result.Signature, "hash": result.Hash, "signed": result.Signed,
	}, &struct{}{})
}
