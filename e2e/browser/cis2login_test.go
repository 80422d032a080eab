//go:build linux && e2e

package browser_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/contract"
)

// tokens are what an application got for one sign-in.
type tokens struct{ IDToken, AccessToken string }

// startOpenIDClient starts the application of others and a daemon whose mock
// knows it; gone is an address of the application at which nobody listens.
func startOpenIDClient(t *testing.T) (w *world, env []string, app string) {
	t.Helper()
	app, tell := startProcess(t, client, []string{"CLIENT_ID=" + openidClientID}, "node", "e2e/openid-client.mjs")
	gone := "http://localhost:" + freePort(t) + "/"
	config := filepath.Join(t.TempDir(), "config.toml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `
[[mock.client]]
id = %q
redirects = ["%[2]s/callback", "%[2]s/silence", %[3]q]
pattern = "private_key_jwt"
jwks_uri = "%[2]s/jwks"
`, openidClientID, app, gone), 0o600))
	w = newWorld(t, "--config", config)
	var mock struct{ URL, Issuer string }
	must(t, json.Unmarshal(must2(os.ReadFile(filepath.Join(w.state, "mock.json")))(t), &mock))
	_, err := fmt.Fprintln(tell, mock.Issuer)
	must(t, err)
	return w, []string{
		"AUTHBRIDGE_URL=unix://" + filepath.Join(w.state, "authbridge.sock"), "APP_URL=" + app, "MOCK_URL=" + mock.URL, "GONE_URL=" + gone,
	}, app
}

// TestSignInsInAnApplicationsOwnFlow is cis2Login and verifyLogin, as they come
// to their end and as they must not, and that no token of theirs is left
// anywhere, a trace of all that happened included.
func TestSignInsInAnApplicationsOwnFlow(t *testing.T) {
	w, env, app := startOpenIDClient(t)
	output := t.TempDir()
	results := w.play(env, append(w.command("cis2login"), "--trace", "on", "--output", output)...)
	const atINT = "a virtual key is not lent"
	if r := results[atINT]; r.Status != "failed" || !strings.Contains(r.wrong(), "VIRTUAL_NOT_COUNTED") {
		t.Errorf("%s: %s\n%s", atINT, r.Status, r.wrong())
	}
	delete(results, atINT)
	wantPassed(t, results, 11)

	issued := issuedBy(t, app)
	if len(issued) < 8 {
		t.Fatalf("%d sign-ins", len(issued))
	}
	left := leftIn(t, output)
	if !bytes.Contains(left, []byte("verifyLogin")) || !bytes.Contains(left, []byte("TOK_SIG")) {
		t.Error("neither the steps nor the reports were found, so that no token would be")
	}
	for _, result := range results {
		text, err := json.Marshal(result)
		must(t, err)
		left = append(left, text...)
	}
	for _, got := range issued {
		// The signature is in what was made of the token too.
		signature := got.IDToken[strings.LastIndexByte(got.IDToken, '.')+1:]
		for what, secret := range map[string]string{"an ID token": signature, "an access token": got.AccessToken} {
			if len(secret) < 20 {
				t.Errorf("%s is %q", what, secret)
			} else if bytes.Contains(left, []byte(secret)) {
				t.Errorf("%s is left in what the tests wrote", what)
			}
		}
	}
}

// TestTheExampleOfASignIn is what the package's README shows.
func TestTheExampleOfASignIn(t *testing.T) {
	w, env, _ := startOpenIDClient(t)
	results := w.play(env, w.command("login")...)
	wantPassed(t, results, 2)
	for title, r := range results {
		kinds := map[string]bool{}
		for _, a := range r.Attachments {
			kinds[filepath.Ext(a.Name)] = true
		}
		if !kinds[".html"] || !kinds[".xml"] {
			t.Errorf("%s: attached are %v", title, kinds)
		}
	}
}

// TestAKeyThatIsNewToTheUserIsRegistered is a user who has another one already.
func TestAKeyThatIsNewToTheUserIsRegistered(t *testing.T) {
	w, env, _ := startOpenIDClient(t)
	const title = "signs in at AAL3 with a security key"
	signIn := append(w.command("login"), "-g", title)
	wantPassed(t, w.play(env, signIn...), 1)
	w.keyIs("")
	must2(w.PlugKey(t.Context(), contract.VirtualPlug{Name: "another"}))(t)
	results := w.play(env, signIn...)
	wantPassed(t, results, 1)
	var got records
	results[title].attachment(t, "authbridge-ceremonies", &got)
	var did []string
	for _, c := range got.Ceremonies {
		did = append(did, string(c.Type)+" "+string(c.Ceremony.State))
	}
	if want := []string{"get failed", "create done", "get done"}; !slices.Equal(did, want) {
		t.Errorf("it did %q, want %q", did, want)
	}
}

// TestACardSignsInByATokenThatMayKnowItsHolder is over TCP, with a token; the
// card's certificate names its holder.
func TestACardSignsInByATokenThatMayKnowItsHolder(t *testing.T) {
	w, env, _ := startOpenIDClient(t)
	rights := []contract.Right{contract.RightRead, contract.RightLease}
	play := func(name string, rights ...contract.Right) map[string]result {
		token := must2(w.CreateToken(t.Context(), contract.TokenRequest{Name: name, Rights: rights}))(t)
		return w.play(append(env, "AUTHBRIDGE_URL="+w.url, "AUTHBRIDGE_TOKEN="+token.Secret), append(w.command("cis2login"), "-g", "with a card")...)
	}
	blind := play("blind", rights...)
	for title, want := range map[string]string{
		"of the card holder": "nobody says who signs in", "for somebody else": "leaves out the card's certificate",
	} {
		if r := blind[title]; r.Status != "failed" || !strings.Contains(r.wrong(), want) || !strings.Contains(r.wrong(), "the right identity") {
			t.Errorf("%s: %s\n%s", title, r.Status, r.wrong())
		}
	}
	wantPassed(t, play("seeing", append(rights, contract.RightIdentity)...), 2)
}

func issuedBy(t *testing.T, app string) (all []tokens) {
	t.Helper()
	answer, err := http.Get(app + "/all-logins") //nolint:noctx // it is a process of this test
	must(t, err)
	defer answer.Body.Close()
	must(t, json.NewDecoder(answer.Body).Decode(&all))
	return all
}

// leftIn is all that is in the files of a folder, those in archives included.
func leftIn(t *testing.T, folder string) (all []byte) {
	t.Helper()
	must(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all = append(all, text...)
		if filepath.Ext(path) != ".zip" {
			return nil
		}
		archive, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			return err
		}
		for _, f := range archive.File {
			r, err := f.Open()
			if err != nil {
				return err
			}
			text, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			all = append(all, text...)
		}
		return nil
	}))
	return all
}
