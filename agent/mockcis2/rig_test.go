package mockcis2_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
)

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// serverKey is one for all tests: making it takes a while.
var serverKey = sync.OnceValue(newRSA)

func newRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

const (
	aal3User  = "656005750108"
	otherUser = "656005750107"
	manyRoles = "656005750104"
	aal2User  = "656005750111"
	aal1User  = "656005750110"
	appUser   = "555250000001" // has an authenticator app
	callback  = "http://localhost:3000/callback?from=mock"
	appSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// rig is a server on loopback with its clock, and the authority of its cards.
type rig struct {
	t      *testing.T
	server *mockcis2.Server
	base   string
	clock  *clock
	ca     *authority
	dial   *http.Transport
	timers chan chan time.Time // those that the server has asked for
}

func newRig(t *testing.T, change ...func(*mockcis2.Config)) *rig {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	r := &rig{
		t: t, base: "http://localhost:" + port, clock: &clock{at: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)},
		ca: testAuthority(), timers: make(chan chan time.Time, 64),
	}
	r.dial = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}}
	t.Cleanup(r.dial.CloseIdleConnections)
	config := mockcis2.Config{
		Base: r.base, CardRoots: r.ca.roots, CardIntermediates: r.ca.intermediates, Key: serverKey(),
		Now: r.clock.now,
		After: func(time.Duration) <-chan time.Time {
			c := make(chan time.Time, 1)
			r.timers <- c
			return c
		},
		Clients: []mockcis2.Client{
			{Registration: cis2.Registration{
				ClientID: "secretive", Name: "Ward <b>& Round", Redirects: []string{callback, "http://localhost:3000/other"}, Pattern: cis2.ClientSecret,
				AfterLogout: []string{"http://localhost:3000/bye"},
			}, Secret: "s3cret"},
			{Registration: cis2.Registration{
				ClientID: "second", Redirects: []string{"http://localhost:4000/cb"}, Pattern: cis2.ClientSecret, Scopes: []string{"openid", "profile"},
			}, Secret: "other", Basic: true, LevelsAsNumbers: true},
		},
		Users: []mockcis2.User{{User: cis2.User{
			UUID: appUser, Given: "Jo", Family: "Bloggs", AAL: 3, IAL: 3, Roles: []cis2.Role{cis2.NewRole(appUser, "R8001", 1)},
		}, TOTP: func() ([]byte, error) { return []byte(appSecret), nil }}},
	}
	for _, c := range change {
		c(&config)
	}
	if r.server, err = mockcis2.New(config); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// browser keeps cookies and follows nothing.
type browser struct {
	*rig
	client *http.Client
}

func (r *rig) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{r, &http.Client{Transport: r.dial, Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is what came back.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	location *url.URL
}

func (a answer) step(t *testing.T) mockcis2.Step {
	t.Helper()
	var s mockcis2.Step
	if err := json.Unmarshal(a.body, &s); err != nil || a.status != http.StatusOK || s.Action == "" {
		t.Fatalf("status %d, Location %v: not a step: %s", a.status, a.location, a.body)
	}
	return s
}

func (b *browser) do(method, path string, body io.Reader, header ...string) answer {
	b.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.base + path
	}
	request, err := http.NewRequest(method, path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
		request.Header.Set(header[i], header[i+1])
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	if a.body, err = io.ReadAll(response.Body); err != nil {
		b.t.Fatal(err)
	}
	if l := response.Header.Get("Location"); l != "" {
		if a.location, err = url.Parse(l); err != nil {
			b.t.Fatal(err)
		}
	}
	return a
}

const asJSON, formType = "application/json", "application/x-www-form-urlencoded"

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil, "Accept", asJSON)
}

func (b *browser) form(path string, pairs ...string) answer {
	b.t.Helper()
	return b.do(http.MethodPost, path, strings.NewReader(values(pairs...).Encode()), "Accept", asJSON, "Content-Type", formType)
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// request are the parameters of a good one, with changes; an empty value takes
// one out.
func request(pairs ...string) url.Values {
	v := values("response_type", "code", "client_id", "secretive", "redirect_uri", callback, "scope", "openid profile", "state", "the state", "nonce", "the-nonce")
	for i := 0; i < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

func (b *browser) authorize(pairs ...string) answer {
	b.t.Helper()
	return b.get(b.server.Endpoints().Authorize + "?" + request(pairs...).Encode())
}

// answerStep posts an answer to a step.
func (b *browser) answerStep(s mockcis2.Step, do string, pairs ...string) mockcis2.Step {
	b.t.Helper()
	return b.form(s.Action, append([]string{"csrf", s.CSRF, "do", do}, pairs...)...).step(b.t)
}

func (b *browser) choose(s mockcis2.Step, user, with string) mockcis2.Step {
	b.t.Helper()
	return b.answerStep(s, "choose", "user", user, "authenticator", with)
}

// signIn signs a user in by card, from a request to the code that comes back.
func (b *browser) signIn(user string, pairs ...string) (code string) {
	b.t.Helper()
	s := b.choose(b.authorize(pairs...).step(b.t), user, "smartcard")
	if s.Stage != "smartcard" {
		b.t.Fatalf("%+v", s)
	}
	if a := b.prove(s.Reference, b.ca.card(b.t, user)); a.status != http.StatusOK {
		b.t.Fatalf("the proof is refused: %s", a.body)
	}
	return b.finish(b.get(s.Action).step(b.t))
}

// finish goes back to the application, with a code.
func (b *browser) finish(s mockcis2.Step) (code string) {
	b.t.Helper()
	if s.Stage != "done" {
		b.t.Fatalf("%+v", s)
	}
	return codeOf(b.t, b.get(s.Continue))
}

func codeOf(t *testing.T, a answer) string {
	t.Helper()
	if a.location == nil || a.location.Query().Get("code") == "" {
		t.Fatalf("status %d, Location %v: %s", a.status, a.location, a.body)
	}
	return a.location.Query().Get("code")
}

// tokens is an answer of the token endpoint.
type tokens struct {
	AccessToken string `json:"access_token"`
	IDToken     string `json:"id_token"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	status      int
	header      http.Header
}

// exchange asks for tokens as the client "secretive", with changes.
func (r *rig) exchange(code string, pairs ...string) tokens {
	r.t.Helper()
	v := values("grant_type", "authorization_code", "code", code, "redirect_uri", callback, "client_id", "secretive", "client_secret", "s3cret")
	for i := 0; i < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	a := r.browser().do(http.MethodPost, r.server.Endpoints().Token, strings.NewReader(v.Encode()), "Content-Type", formType)
	got := tokens{status: a.status, header: a.header}
	if err := json.Unmarshal(a.body, &got); err != nil {
		r.t.Fatalf("%d: %s", a.status, a.body)
	}
	return got
}

func (r *rig) userinfo(accessToken string) answer {
	r.t.Helper()
	return r.browser().do(http.MethodGet, r.server.Endpoints().Userinfo, nil, "Authorization", "Bearer "+accessToken)
}
