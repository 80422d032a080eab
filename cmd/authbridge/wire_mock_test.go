package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/cis2"
	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/mockcis2"
	"authbridge/agent/store"
	"authbridge/agent/virtual"
)

// running is a daemon of virtual authenticators with its mock, in this process.
type running struct {
	t    *testing.T
	api  *client.Client
	mock MockAddress
	stop func()
	jar  *cookiejar.Jar
}

func runDaemon(t *testing.T, state string, change ...func(*settings)) *running {
	t.Helper()
	s := settings{Config: defaults()}
	s.StateDir, s.Listen, s.Physical, s.Virtual = state, "127.0.0.1:0", "off", "on"
	for _, c := range change {
		c(&s)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(context.Background())
	listening, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- serve(ctx, s, log, func(address string) { listening <- address }) }()
	select {
	case <-listening:
	case err := <-ended:
		t.Fatal(err)
	}
	d := &running{t: t, api: &client.Client{StateDir: state}}
	d.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		d.api.Close()
	}
	var there bool
	if d.mock, there = (&flags{stateDir: state}).mockOf(); !there {
		t.Fatal("the mock is nowhere")
	}
	d.jar, _ = cookiejar.New(nil)
	return d
}

// json asks the mock as a browser that follows nothing, and is where it is sent.
func (d *running) json(v any, method, address string, body io.Reader, kind string) *url.URL {
	d.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = d.mock.URL + address
	}
	request, err := http.NewRequest(method, address, body)
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", kind)
	browser := http.Client{Jar: d.jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	to, _ := answer.Location()
	if v != nil {
		if err := json.Unmarshal(text, v); err != nil || answer.StatusCode != http.StatusOK {
			d.t.Fatalf("%s: %d: %s", address, answer.StatusCode, text)
		}
	}
	return to
}

func (d *running) form(v any, path string, pairs ...string) {
	d.t.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	d.json(v, http.MethodPost, path, strings.NewReader(values.Encode()), "application/x-www-form-urlencoded")
}

// do does a ceremony with the authenticator of a kind, under a lease.
func (d *running) do(kind contract.Kind, request contract.CeremonyRequest) *contract.CeremonyResult {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	v, err := d.api.Ready(ctx, contract.Question{AAL: 3, Target: "mock", Kind: kind}, 30*time.Second)
	if err != nil || v.Outcome != contract.VerdictReady {
		d.t.Fatalf("%+v, %v", v, err)
	}
	if v.Issuer != d.mock.Issuer {
		d.t.Errorf("the verdict's issuer is %q, want %q", v.Issuer, d.mock.Issuer)
	}
	lease, err := d.api.TakeLease(ctx, contract.LeaseRequest{Requirement: contract.Requirement{AAL: 3, Target: "mock", Kind: kind}})
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() {
		if _, err := d.api.ReleaseLease(ctx, lease.ID); err != nil {
			d.t.Error(err)
		}
	}()
	request.Lease, request.Wait, request.PIN = lease.ID, true, &contract.PINSource{Value: contract.Secret(virtual.DefaultPIN)}
	done, err := d.api.Begin(ctx, request)
	if err != nil || done.Result == nil {
		d.t.Fatalf("%+v, %v", done, err)
	}
	return done.Result
}

// signIn begins a sign-in of the demo and chooses.
func (d *running) signIn(user, with string) (step mockcis2.Step) {
	d.t.Helper()
	q := url.Values{
		"response_type": {"code"}, "client_id": {demoID}, "redirect_uri": {demoCallback}, "scope": {"openid"}, "state": {"s"}, "acr_values": {"AAL3_ANY"},
	}
	d.json(&step, http.MethodGet, d.mock.Issuer+"/authorize?"+q.Encode(), nil, "")
	d.form(&step, step.Action, "csrf", step.CSRF, "do", "choose", "user", user, "authenticator", with)
	return step
}

func (d *running) cameBack(step mockcis2.Step) {
	d.t.Helper()
	if step.Continue == "" {
		d.t.Fatalf("it is not over: %+v", step)
	}
	if to := d.json(nil, http.MethodGet, step.Continue, nil, ""); to == nil || !strings.HasPrefix(to.String(), demoCallback) || to.Query().Get("code") == "" {
		d.t.Errorf("sent back to %v", to)
	}
}

const virtualUser = "555200000001"

// TestVirtualAuthenticatorsSignInAtTheDaemonsMock joins what is made apart: the
// mock trusts the authority of the virtual cards and nobody had to tell it, it
// knows their users, and a key registered at it is known after a restart.
func TestVirtualAuthenticatorsSignInAtTheDaemonsMock(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	d := runDaemon(t, state)

	card := d.signIn(virtualUser, "smartcard")
	var challenge mockcis2.Challenge
	d.json(&challenge, http.MethodGet, "/proof/"+card.Reference, nil, "")
	signed := d.do(contract.Smartcard, contract.CeremonyRequest{Type: contract.CeremonySign, Data: challenge.Data})
	proof, err := json.Marshal(mockcis2.Proof{
		Reference: card.Reference, Certificate: signed.Certificate, Signature: signed.Signature, Hash: signed.Hash, Signed: signed.Signed,
	})
	if err != nil {
		t.Fatal(err)
	}
	var accepted map[string]string
	d.json(&accepted, http.MethodPost, "/proof", bytes.NewReader(proof), "application/json")
	d.json(&card, http.MethodGet, card.Action, nil, "")
	d.cameBack(card)

	var e mockcis2.Enrolment
	d.json(&e, http.MethodGet, "/register", nil, "")
	d.form(&e, e.Action, "csrf", e.CSRF, "user", virtualUser, "authenticator", "security-key")
	made := d.do(contract.SecurityKey, contract.CeremonyRequest{Type: contract.CeremonyCreate, Origin: d.mock.URL, Options: e.Options})
	d.form(&e, e.Action, "csrf", e.CSRF, "response", string(made.Credential))
	if e.Done == "" {
		t.Fatalf("%+v", e)
	}
	d.stop()

	d = runDaemon(t, state)
	defer d.stop()
	key := d.signIn(virtualUser, "security-key")
	got := d.do(contract.SecurityKey, contract.CeremonyRequest{Type: contract.CeremonyGet, Origin: d.mock.URL, Options: key.Options})
	d.form(&key, key.Action, "csrf", key.CSRF, "do", "webauthn", "response", string(got.Credential))
	d.cameBack(key)
}

func TestWhatIsRegisteredAtTheMockIsKept(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	kept, err := store.Open(ctx, store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	keys := mockKeys{kept}
	at := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	for _, k := range []mockcis2.Key{
		{ID: []byte{2}, User: "555200000001", Authenticator: cis2.SecurityKey, Record: []byte(`{"n":1}`), Registered: at.Add(time.Hour)},
		{ID: []byte{9}, User: "555200000001", Authenticator: cis2.Passkey, Record: []byte(`{}`), Registered: at},
		{ID: []byte{2}, User: "555200000001", Authenticator: cis2.SecurityKey, Record: []byte(`{"n":2}`), Registered: at.Add(time.Hour), Used: at.Add(2 * time.Hour)},
		{ID: []byte{2}, User: "555200000002", Authenticator: cis2.TOTP, Record: []byte(`{}`), Registered: at},
	} {
		if err := keys.SaveKey(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	got, err := keys.Keys(ctx, "555200000001")
	if err != nil || len(got) != 2 || got[0].ID[0] != 9 || got[1].ID[0] != 2 || string(got[1].Record) != `{"n":2}` || !got[1].Used.Equal(at.Add(2*time.Hour)) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := keys.Keys(ctx, "555200000003"); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTrustTakesAFileOfAuthorities is what the mock alone is told.
func TestTrustTakesAFileOfAuthorities(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	if _, _, err := (mockOrder{state: state}).authorities(); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(state, virtualFolder, "card-ca")
	all := filepath.Join(state, "all.pem")
	var text []byte
	for _, name := range []string{"root.pem", "test.pem"} {
		one, err := os.ReadFile(filepath.Join(ca, name))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, one...)
	}
	if err := os.WriteFile(all, text, 0o600); err != nil {
		t.Fatal(err)
	}
	own, _, err := mockOrder{state: state}.authorities()
	if err != nil {
		t.Fatal(err)
	}
	roots, intermediates, err := mockOrder{trust: all}.authorities()
	if err != nil || !roots.Equal(own) || intermediates.Equal(roots) {
		t.Errorf("%v, %v, %v", roots, intermediates, err)
	}
	for what, file := range map[string]string{"no file": "none", "no root": filepath.Join(ca, "test.pem")} {
		if _, _, err := (mockOrder{trust: file}).authorities(); err == nil || !strings.Contains(err.Error(), "→") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestAUserOfThePublicMockStaysWhoTestsKnow: to bind an authenticator to one is
// not to make somebody else of them.
func TestAUserOfThePublicMockStaysWhoTestsKnow(t *testing.T) {
	t.Parallel()
	const doctor, two = "656005750108", "656005750109" // a doctor; a user of AAL2
	known := func(uuid string, u User) mockcis2.User {
		t.Helper()
		u.UUID = map[string]string{"mock": uuid}
		config, err := mockOrder{state: t.TempDir(), known: []User{u}}.config()
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(config.Users, func(k mockcis2.User) bool { return k.UUID == uuid })
		return config.Users[i]
	}
	if u := known(doctor, User{Name: "ada", AAL: usualAAL}); len(u.Roles) != 1 || u.Roles[0].Job() != "R0260" || u.AAL != 3 {
		t.Errorf("%+v", u)
	}
	if u := known(two, User{Name: "bob", AAL: usualAAL}); u.AAL != 2 {
		t.Errorf("AAL%d", u.AAL)
	}
	if u := known(two, User{Name: "bob", AAL: 3, givenAAL: true, Roles: []string{"R8001"}}); u.AAL != 3 || u.Roles[0].Job() != "R8001" {
		t.Errorf("%+v", u)
	}
	if u := known("656005750999", User{Name: "cyd", AAL: usualAAL}); u.AAL != 3 || u.Roles[0].Job() != "R8015" {
		t.Errorf("%+v", u)
	}
}
