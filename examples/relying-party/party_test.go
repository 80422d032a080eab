package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/mockcis2"
	"authbridge/agent/rpcheck"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const user, clientID, secret = "656005750108", "000000000001.apps.national", "demo"

// world is the mock with the application beside it, and a browser.
type world struct {
	t       *testing.T
	mock    *mockcis2.Server
	base    string // of the application
	mockURL string
	ca      *x509.Certificate
	caKey   *ecdsa.PrivateKey
	browser *http.Client
}

func newWorld(t *testing.T, faults ...string) *world {
	t.Helper()
	w := &world{t: t}
	w.caKey, w.ca = authority(t)
	roots := x509.NewCertPool()
	roots.AddCert(w.ca)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	mockAt, appAt := localhost(t), localhost(t)
	w.mockURL, w.base = urlOf(mockAt), urlOf(appAt)
	config := mockcis2.Config{
		Base: w.mockURL, CardRoots: roots, CardIntermediates: x509.NewCertPool(), Key: key,
		Clients: []mockcis2.Client{{
			Registration: cis2.Registration{
				ClientID: clientID, Pattern: cis2.ClientSecret, Redirects: []string{w.base + "/callback"},
				AfterLogout: []string{w.base + "/"}, BackChannelLogout: w.base + "/back-channel-logout",
			},
			Secret: secret,
		}},
	}
	for _, name := range faults {
		f, err := mockcis2.ParseFault(name)
		if err != nil {
			t.Fatal(err)
		}
		config.Faults = append(config.Faults, mockcis2.Faulting{Faults: []mockcis2.Fault{f}})
	}
	transport := &http.Transport{}
	jar, _ := cookiejar.New(nil)
	w.browser = &http.Client{Transport: transport, Jar: jar}
	config.HTTP = &http.Client{Transport: transport}
	if w.mock, err = mockcis2.New(config); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- w.mock.Serve(ctx, mockAt) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		transport.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
	})
	app, err := newParty(context.Background(), w.config())
	if err != nil {
		done <- nil
		t.Fatal(err)
	}
	go func() { done <- serve(ctx, app.handler(), []net.Listener{appAt}) }()
	return w
}

func (w *world) config() config {
	return config{base: w.base, issuer: w.mock.Issuer(), client: clientID, secret: secret, acr: "AAL3_ANY", aal: 3}
}

func localhost(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func urlOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "http://localhost:" + port
}

func authority(t *testing.T) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, certify(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, key, key)
}

// certify signs a certificate, with itself where by is nil.
func certify(t *testing.T, template, by *x509.Certificate, key, with *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if by == nil {
		by = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), with)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// do asks as a browser that follows redirects.
func (w *world) do(method, address string, body io.Reader, kind string) (status int, text []byte) {
	w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = w.mockURL + address
	}
	request, err := http.NewRequest(method, address, body)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json")
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	answer, err := w.browser.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err = io.ReadAll(answer.Body); err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, text
}

func (w *world) json(v any, method, address string, body io.Reader, kind string) {
	w.t.Helper()
	status, text := w.do(method, address, body, kind)
	if err := json.Unmarshal(text, v); err != nil || status != http.StatusOK {
		w.t.Fatalf("%s: %d: %s", address, status, text)
	}
}

// signIn signs the user in by a card of software, and is the page that the
// application ends with.
func (w *world) signIn() (status int, page string) {
	w.t.Helper()
	var step mockcis2.Step
	w.json(&step, http.MethodGet, w.base+"/login", nil, "")
	form := url.Values{"csrf": {step.CSRF}, "do": {"choose"}, "user": {user}, "authenticator": {"smartcard"}}
	w.json(&step, http.MethodPost, step.Action, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
	var challenge mockcis2.Challenge
	w.json(&challenge, http.MethodGet, "/proof/"+step.Reference, nil, "")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	cert := certify(w.t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: user + "_Doctor_Mock"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, w.ca, key, w.caKey)
	sum := sha256.Sum256(challenge.Data)
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		w.t.Fatal(err)
	}
	proof, err := json.Marshal(mockcis2.Proof{Reference: step.Reference, Certificate: cert.Raw, Signature: signature})
	if err != nil {
		w.t.Fatal(err)
	}
	var accepted map[string]string
	w.json(&accepted, http.MethodPost, "/proof", bytes.NewReader(proof), "application/json")
	w.json(&step, http.MethodGet, step.Action, nil, "")
	status, text := w.do(http.MethodGet, step.Continue, nil, "")
	return status, string(text)
}

func TestWhoSignsInSeesTheClaimsUntilLoggedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, page := w.signIn()
	if status != http.StatusOK || !strings.Contains(page, "Signed in") || !strings.Contains(page, user) || !strings.Contains(page, "R0260") {
		t.Fatalf("%d: %s", status, page)
	}
	if _, text := w.do(http.MethodGet, w.base+"/logout", nil, ""); !strings.Contains(string(text), "Nobody is signed in") {
		t.Errorf("after the logout: %s", text)
	}
}

func TestABackChannelLogoutEndsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	_, text := w.do(http.MethodGet, w.base+"/", nil, "")
	if !strings.Contains(string(text), "Signed in") {
		t.Fatalf("%s", text)
	}
	sid := between(string(text), "sid&#34;: &#34;", "&#34;")
	made := func(sid string, wrong ...string) string {
		t.Helper()
		token, err := w.mock.LogoutToken(clientID, user, sid, wrong...)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	post := func(token string) int {
		t.Helper()
		status, _ := w.do(http.MethodPost, w.base+"/back-channel-logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()), "application/x-www-form-urlencoded")
		return status
	}
	for _, wrong := range []string{
		mockcis2.WrongIssuer, mockcis2.WrongAudience, mockcis2.LogoutNonce, mockcis2.LogoutNoSID, mockcis2.LogoutNoEvent, mockcis2.LogoutOld,
		mockcis2.BadSignature, mockcis2.Expired,
	} {
		if got := post(made(sid, wrong)); got != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, got)
		}
	}
	if got := post(made(sid, mockcis2.WrongSubject)); got != http.StatusOK {
		t.Errorf("another user's: %d", got)
	}
	other := made("another-session")
	if first, again := post(other), post(other); first != http.StatusOK || again != http.StatusBadRequest {
		t.Errorf("the same token twice: %d, %d", first, again)
	}
	if _, text := w.do(http.MethodGet, w.base+"/", nil, ""); !strings.Contains(string(text), "Signed in") {
		t.Fatal("a token that is wrong has ended the session")
	}
	n, brought := w.mock.EndSessions(context.Background(), user)
	if n != 1 || len(brought) != 1 {
		t.Errorf("%d sessions, %d logout tokens", n, len(brought))
	}
	for _, d := range brought {
		if d.Status != http.StatusOK {
			t.Errorf("%+v", d)
		}
	}
	if _, text := w.do(http.MethodGet, w.base+"/", nil, ""); !strings.Contains(string(text), "Nobody is signed in") {
		t.Errorf("the session goes on: %s", text)
	}
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	part, _, _ := strings.Cut(rest, after)
	return part
}

// TestWhatIsWrongIsRefused makes the mock do wrong; the application has to see it.
func TestWhatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	for fault, why := range map[string]string{
		mockcis2.LevelTooLow: "below AAL3", mockcis2.NoLevel: "below AAL3", mockcis2.IdentityTooLow: "not proven", mockcis2.NoACR: "AAL3_ANY was asked for",
		mockcis2.WrongAudience: "audience", mockcis2.Expired: "expired", mockcis2.BadSignature: "signature", mockcis2.WrongNonce: "another sign-in",
		mockcis2.OtherUserinfo: "somebody else",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			status, page := newWorld(t, fault).signIn()
			if status != http.StatusForbidden || !strings.Contains(page, why) {
				t.Errorf("%d: %s", status, page)
			}
		})
	}
	for _, fault := range []string{mockcis2.LevelAsNumber, mockcis2.LevelAsText} {
		if status, page := newWorld(t, fault).signIn(); status != http.StatusOK {
			t.Errorf("%s: %d: %s", fault, status, page)
		}
	}
}

func TestACallbackThatNobodyAskedForIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if status, _ := w.do(http.MethodGet, w.base+"/callback?code=1&state=", nil, ""); status != http.StatusForbidden {
		t.Errorf("status %d", status)
	}
}

// TestItPassesEveryCheckOfARelyingParty: it is what people copy.
func TestItPassesEveryCheckOfARelyingParty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	done, err := rpcheck.New(rpcheck.Config{Parties: []rpcheck.Party{{
		Registration: cis2.Registration{
			Environment: cis2.Mock, ClientID: clientID, Pattern: cis2.ClientSecret, Redirects: []string{w.base + "/callback"},
			AfterLogout: []string{w.base + "/"}, BackChannelLogout: w.base + "/back-channel-logout",
		},
		Issuer: w.mock.Issuer(), Tokens: w.mock, Usage: w.mock.Usage,
	}}}).Check(context.Background(), contract.RelyingPartyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range done.Checks {
		if c.State != contract.Pass && c.Name != "discovery-cache" {
			t.Errorf("%+v", c)
		}
	}
	// What was checked has ended nobody's session.
	if _, text := w.do(http.MethodGet, w.base+"/", nil, ""); !strings.Contains(string(text), "Signed in") {
		t.Errorf("the check ends sessions: %s", text)
	}
}
