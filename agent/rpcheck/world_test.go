package rpcheck_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/mockcis2"
	"authbridge/agent/rpcheck"
)

const client = "000000000001.apps.national"

// signingKey is made once: it takes a while.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey { return rsaKey(2048) })

func rsaKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// newMock is the real mock service, which listens.
func newMock(t *testing.T) *mockcis2.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s, err := mockcis2.New(mockcis2.Config{Base: "http://localhost:" + port, Key: signingKey()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// party is a relying party's back-channel logout endpoint, written with go-oidc,
// that leaves out what careless says.
type party struct {
	careless string
	verifier *oidc.IDTokenVerifier
	ctx      context.Context

	mu   sync.Mutex
	seen map[string]bool
}

// newParty starts a relying party of an issuer.
func newParty(t *testing.T, issuer, careless string) *httptest.Server {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: transport})
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		t.Fatal(err)
	}
	p := &party{careless: careless, ctx: ctx, seen: map[string]bool{}, verifier: provider.VerifierContext(ctx, &oidc.Config{
		ClientID: client, SkipClientIDCheck: careless == "aud", SkipIssuerCheck: careless == "iss" || careless == "port",
		SkipExpiryCheck: careless == "exp", InsecureSkipSignatureCheck: careless == "signature",
	})}
	web := httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(web.Close)
	return web
}

func (p *party) answer(w http.ResponseWriter, r *http.Request) {
	if p.careless != "cached" {
		w.Header().Set("Cache-Control", "no-store")
	}
	var token string
	switch {
	case r.URL.Path == "/callback":
		w.WriteHeader(http.StatusForbidden)
		return
	case p.careless == "down":
		w.WriteHeader(http.StatusInternalServerError)
		return
	case p.careless == "breaks" && r.PostFormValue("logout_token") == "":
		w.WriteHeader(http.StatusInternalServerError)
		return
	case p.careless == "get" && r.Method == http.MethodGet:
		token = r.FormValue("logout_token")
	case p.careless == "json" && r.Header.Get("Content-Type") == "application/json":
		var body map[string]string
		_ = json.NewDecoder(r.Body).Decode(&body)
		token = body["logout_token"]
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	default:
		token = r.PostFormValue("logout_token")
	}
	switch err := p.check(token); {
	case err == nil && p.careless == "204":
		w.WriteHeader(http.StatusNoContent)
	case err != nil && p.careless == "401":
		w.WriteHeader(http.StatusUnauthorized)
	case err != nil && p.careless == "away":
		w.Header().Set("Location", "https://login.example/sign-in?secret=1")
		w.WriteHeader(http.StatusFound)
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// check is what a good one does, but for what is left out.
func (p *party) check(raw string) error {
	token, err := p.verifier.Verify(p.ctx, raw)
	if err != nil {
		return err
	}
	var c struct {
		SID, JTI string
		Nonce    *string
		Events   map[string]json.RawMessage
	}
	if err := token.Claims(&c); err != nil {
		return err
	}
	if p.careless == "port" && slices.Contains([]string{"localhost"}, hostOf(token.Issuer)) && token.Issuer[len(token.Issuer)-5:] != "other" {
		// It drops the port, as some libraries do, before it compares.
	} else if p.careless == "port" {
		return errors.New("iss")
	}
	_, is := c.Events["http://schemas.openid.net/event/backchannel-logout"]
	switch age := time.Since(token.IssuedAt); {
	case !is && p.careless != "events", c.Nonce != nil && p.careless != "nonce", c.SID == "" && p.careless != "sid",
		age > 5*time.Minute && p.careless != "iat" && p.careless != "exp", len(token.Audience) > 0 && p.careless == "list" && isList(raw):
		return errors.New("no logout token")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[c.JTI] && p.careless != "replay" {
		return errors.New("again")
	}
	p.seen[c.JTI] = true
	return nil
}

func registered(web *httptest.Server, tokens rpcheck.Tokens, issuer string) rpcheck.Party {
	return rpcheck.Party{
		Registration: cis2.Registration{
			Environment: cis2.Mock, ClientID: client, Name: "Ward round", Pattern: cis2.ClientSecret,
			Redirects: []string{web.URL + "/callback"}, BackChannelLogout: web.URL + "/logout",
		},
		Issuer: issuer, Tokens: tokens,
	}
}

// checked checks one party.
func checked(t *testing.T, p rpcheck.Party, more ...func(*rpcheck.Config)) contract.RelyingParty {
	t.Helper()
	config := rpcheck.Config{Parties: []rpcheck.Party{p}}
	for _, f := range more {
		f(&config)
	}
	done, err := rpcheck.New(config).Check(t.Context(), contract.RelyingPartyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// inState are the names of the rows in a state.
func inState(done contract.RelyingParty, state contract.CheckState) []string {
	names := []string{}
	for _, r := range done.Checks {
		if r.State == state {
			names = append(names, r.Name)
		}
	}
	return names
}

func rowOf(t *testing.T, done contract.RelyingParty, name string) contract.RelyingPartyCheck {
	t.Helper()
	i := slices.IndexFunc(done.Checks, func(r contract.RelyingPartyCheck) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("no row %s in %+v", name, done.Checks)
	}
	return done.Checks[i]
}

// refuseAll is a network that connects nobody.
func refuseAll(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
}

func unconnected(c *rpcheck.Config) { c.Dial = refuseAll }
