package login_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/login"
	"authbridge/agent/mockcis2"
)

// wiretap learns every secret of the logins that go through it.
type wiretap struct {
	http.RoundTripper
	mu      sync.Mutex
	secrets map[string]string // value to name
	spoil   func(path string, sent url.Values) *http.Response
}

func (w *wiretap) learn(name string, values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range values {
		if v != "" {
			w.secrets[v] = name
		}
	}
}

func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	w.learn("an access token", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	var sent url.Values
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		sent, _ = url.ParseQuery(string(body))
	}
	for _, name := range []string{"code_verifier", "client_secret", "client_assertion", "id_token_hint", "csrf"} {
		w.learn(name, sent.Get(name))
	}
	if len(sent.Get("code")) > 6 { // that of an app is found in times
		w.learn("a code", sent.Get("code"))
	}
	if w.spoil != nil {
		if instead := w.spoil(r.URL.Path, sent); instead != nil {
			return instead, nil
		}
	}
	response, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if to, err := response.Location(); err == nil {
		w.learn("a code", to.Query().Get("code"))
	}
	for _, c := range response.Cookies() {
		w.learn("a cookie", c.Value)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	var got struct {
		ID     string `json:"id_token"`
		Access string `json:"access_token"`
	}
	_ = json.Unmarshal(body, &got)
	w.learn("an ID token", got.ID)
	w.learn("an access token", got.Access)
	if parts := strings.Split(got.ID, "."); len(parts) == 3 {
		w.learn("the claims of an ID token", parts[1])
	}
	return response, nil
}

// lends tells of the secrets that the mock lends.
type lends struct {
	login.Mock
	tap *wiretap
}

func (l lends) LendTOTP(user string) ([]byte, func(), error) {
	secret, takeBack, err := l.Mock.LendTOTP(user)
	l.tap.learn("the secret of an app", string(secret))
	return secret, takeBack, err
}

// formsOf are the ways in which a secret may have been written.
func formsOf(secret string) (all [][]byte) {
	sum := sha256.Sum256([]byte(secret))
	for _, octets := range [][]byte{[]byte(secret), sum[:]} {
		all = append(all, octets, []byte(hex.EncodeToString(octets)), bytes.Trim(fmt.Append(nil, octets), "[]"))
		for before := range 3 {
			text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), octets...))
			text = text[(before*8+5)/6 : (before+len(octets))*8/6] // without what neighbours have a part in
			all = append(all, []byte(text), []byte(strings.NewReplacer("+", "-", "/", "_").Replace(text)))
		}
	}
	return all
}

// TestSecretsOfLoginsAreFoundNowhere (rule 2) has runs of all kinds, whose every
// secret a tap on the wire learns, and searches what the runs have left: the
// database, the events, the log, the runs and their reports.
func TestSecretsOfLoginsAreFoundNowhere(t *testing.T) {
	t.Parallel()
	tap := &wiretap{secrets: map[string]string{}}
	var log bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&log)
	logger.SetLevel(logrus.TraceLevel)
	w := newWorld(t, func(w *world) {
		tap.RoundTripper = w.config.Transport
		w.config.Transport, w.config.Log, w.config.Mock = tap, logger, lends{w.config.Mock, tap}
		must(w.t, w.mock.SetClient(mockcis2.Client{Registration: cis2.Registration{
			ClientID: "jwt", Redirects: []string{redirect}, Pattern: cis2.PrivateKeyJWT, JWKS: jwksOf(w.t, desk().key),
		}}))
		jwt := w.config.Targets[0]
		jwt.Name, jwt.ClientID, jwt.Client = "dep", "jwt", login.ClientAuth{Key: desk().key, KeyID: "one"}
		w.config.Targets = append(w.config.Targets, jwt)
	})
	tap.learn("the private key of the mock and of a client", string(desk().key.D.Bytes()), string(desk().key.Primes[0].Bytes()))

	requests := []contract.LoginRequest{
		{Kind: contract.Smartcard, PIN: &contract.PINSource{Value: []byte("123456")}},
		{Kind: contract.SecurityKey},
		{Kind: contract.SecurityKey, PIN: &contract.PINSource{Value: []byte("canary-wrong-pin")}},
		{Kind: contract.Smartcard, Timeout: "1s", PIN: &contract.PINSource{Ask: true}},
	}
	tap.learn("a wrong PIN", "canary-wrong-pin")
	for _, s := range contract.LoginScenarios {
		requests = append(requests, contract.LoginRequest{Scenario: s})
	}
	for _, request := range requests {
		if l := w.run(request); l.State == contract.LoginAborted {
			t.Errorf("%s\n%s", l.Summary, story(l))
		}
	}
	// Whose code, verifier and client secret come back in an error.
	for _, path := range []string{"/access_token", "/userinfo", "/authorize"} {
		tap.spoil = func(at string, sent url.Values) *http.Response {
			if !strings.HasSuffix(at, path) {
				return nil
			}
			response, _ := says(400, "application/json", `{"error":"invalid_grant","error_description":"`+sent.Encode()+`"}`)(nil)
			return response
		}
		w.run(contract.LoginRequest{Kind: contract.Smartcard})
	}
	tap.spoil = nil
	// Tokens of others: all that went over the wire so far, the wrong ones too.
	tokens := slices.Collect(func(yield func(string) bool) {
		for value, name := range tap.secrets {
			if name == "an ID token" && !yield(value) {
				return
			}
		}
	})
	for i, token := range tokens {
		given := &contract.LoginTokens{IDToken: []byte(token), AccessToken: []byte(tokens[(i+1)%len(tokens)])}
		w.run(contract.LoginRequest{Mode: contract.DriveTokens, Tokens: given})
	}

	places := map[string][]byte{"the log": log.Bytes()}
	w.mu.Lock()
	places["the events"], _ = json.Marshal(w.events)
	w.mu.Unlock()
	all, err := w.runner.Logins(soon(t))
	must(t, err)
	for _, l := range all {
		for _, form := range []contract.LoginReportForm{contract.LoginReportJSON, contract.LoginReportJUnit, contract.LoginReportHTML} {
			report, _, err := w.runner.Report(soon(t), l.ID, form)
			must(t, err)
			places[string(l.Scenario)+" "+l.ID+" as "+string(form)] = report
		}
		places[l.ID], _ = json.Marshal(l)
	}
	must(t, filepath.WalkDir(w.dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), "authbridge.db") {
			return err // a virtual device is a file that knows its PIN
		}
		places[d.Name()], err = os.ReadFile(file)
		return err
	}))
	if len(places["authbridge.db"]) == 0 || len(tap.secrets) < 50 || len(all) != len(requests)+3+len(tokens) {
		t.Fatalf("%d secrets, %d runs, %d octets of database", len(tap.secrets), len(all), len(places["authbridge.db"]))
	}
	type needle struct {
		name string
		form []byte
	}
	needles := map[uint64][]needle{} // by how they begin
	for secret, name := range tap.secrets {
		for _, form := range formsOf(secret) {
			head := binary.BigEndian.Uint64(form)
			needles[head] = append(needles[head], needle{name, form})
		}
	}
	for place, text := range places {
		for ; len(text) >= 8; text = text[1:] {
			for _, n := range needles[binary.BigEndian.Uint64(text)] {
				if bytes.HasPrefix(text, n.form) {
					t.Errorf("%s is in %s: %q", n.name, place, n.form)
				}
			}
		}
	}
	t.Logf("%d secrets, %d places", len(tap.secrets), len(places))
}
