//go:build linux && e2e

package browser_test

import (
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	rp "github.com/go-webauthn/webauthn/webauthn"
)

//go:embed testdata/page.html
var page []byte

// party is a relying party at http://localhost:PORT.
type party struct {
	origin string
	site   *rp.WebAuthn

	mu       sync.Mutex
	users    map[string]*account
	sessions map[string]session
	count    int // of what was verified
}

type account struct {
	name        string
	credentials []rp.Credential
}

// session is what a begun ceremony is finished with. Its id goes through the
// page and not through a cookie, which a frame of another site would not have.
type session struct {
	data rp.SessionData
	user *account // nil where the credential says who it is
}

func (a *account) WebAuthnID() []byte                   { return []byte("id of " + a.name) }
func (a *account) WebAuthnName() string                 { return a.name }
func (a *account) WebAuthnDisplayName() string          { return a.name }
func (a *account) WebAuthnCredentials() []rp.Credential { return a.credentials }

// wish is what a page asks a ceremony to be.
type wish struct {
	User    string
	Passkey bool
	RP      string // another RP ID than the right one
	Timeout int    // ms
}

func startParty(t *testing.T) *party {
	t.Helper()
	p := &party{users: map[string]*account{}, sessions: map[string]session{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { html(w, page) })
	mux.HandleFunc("GET /frame", p.frame)
	mux.Handle("GET /simplewebauthn/", http.StripPrefix("/simplewebauthn", http.FileServer(http.Dir(
		filepath.Join(client, "node_modules", "@simplewebauthn", "browser", "esm")))))
	for path, step := range map[string]func(*http.Request) (any, error){
		"/register/begin": p.beginRegistration, "/register/finish": p.finishRegistration,
		"/signin/begin": p.beginSignIn, "/signin/finish": p.finishSignIn,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			answer, err := step(r)
			if err != nil {
				t.Logf("relying party: %s: %v", r.URL.Path, detail(err))
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	// localhost is both, and a browser may try either.
	v4, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, _ := net.SplitHostPort(v4.Addr().String())
	p.origin = "http://localhost:" + port
	p.site, err = rp.New(&rp.Config{
		RPID: "localhost", RPDisplayName: "Party", RPOrigins: []string{p.origin},
		RPTopOrigins: []string{"http://top.localhost:" + port}, RPAllowCrossOrigin: true,
		AuthenticatorSelection: protocol.AuthenticatorSelection{UserVerification: protocol.VerificationRequired},
	})
	must(t, err)
	serve(t, v4, mux)
	if v6, err := net.Listen("tcp", "[::1]:"+port); err == nil {
		serve(t, v6, mux)
	}
	return p
}

func serve(t *testing.T, l net.Listener, h http.Handler) {
	server := httptest.NewUnstartedServer(h)
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
}

func html(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(text)
}

// frame is a page of whatever origin it is asked at, with the party in a frame.
func (p *party) frame(w http.ResponseWriter, r *http.Request) {
	allow := ""
	if r.URL.Query().Get("allow") == "publickey-credentials-get" {
		allow = `allow="publickey-credentials-get"`
	}
	html(w, fmt.Appendf(nil, `<!doctype html><title>Frame</title><iframe %s src="%s/"></iframe>`, allow, p.origin))
}

// verified is how many registrations and sign-ins were verified.
func (p *party) verified() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *party) beginRegistration(r *http.Request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var want wish
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		return nil, err
	}
	user := p.users[want.User]
	if user == nil {
		user = &account{name: want.User}
		p.users[want.User] = user
	}
	options := []rp.RegistrationOption{rp.WithExclusions(rp.Credentials(user.credentials).CredentialDescriptors())}
	if want.Passkey {
		options = append(options, rp.WithResidentKeyRequirement(protocol.ResidentKeyRequirementRequired))
	}
	creation, data, err := p.site.BeginRegistration(user, options...)
	if err != nil {
		return nil, err
	}
	o := &creation.Response
	if want.Timeout > 0 {
		o.Timeout = want.Timeout
	}
	if want.RP != "" {
		o.RelyingParty.ID = want.RP
	}
	return p.begun(session{*data, user}, o), nil
}

func (p *party) beginSignIn(r *http.Request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var want wish
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		return nil, err
	}
	var assertion *protocol.CredentialAssertion
	var data *rp.SessionData
	var err error
	user := p.users[want.User]
	if user == nil || len(user.credentials) == 0 || want.Passkey {
		user = nil
		assertion, data, err = p.site.BeginDiscoverableLogin()
	} else {
		assertion, data, err = p.site.BeginLogin(user)
	}
	if err != nil {
		return nil, err
	}
	o := &assertion.Response
	if want.Timeout > 0 {
		o.Timeout = want.Timeout
	}
	if want.RP != "" {
		o.RelyingPartyID = want.RP
	}
	return p.begun(session{*data, user}, o), nil
}

func (p *party) begun(s session, options any) any {
	id := rand.Text()
	p.sessions[id] = s
	return map[string]any{"session": id, "options": options}
}

func (p *party) finishRegistration(r *http.Request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sessions[r.URL.Query().Get("session")]
	if s.user == nil {
		return nil, fmt.Errorf("no such session")
	}
	credential, err := p.site.FinishRegistration(s.user, s.data, r)
	if err != nil {
		return nil, err
	}
	s.user.credentials = append(s.user.credentials, *credential)
	p.count++
	return map[string]string{"user": s.user.name}, nil
}

func (p *party) finishSignIn(r *http.Request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.sessions[r.URL.Query().Get("session")]
	if !ok {
		return nil, fmt.Errorf("no such session")
	}
	user := s.user
	if user != nil {
		if _, err := p.site.FinishLogin(user, s.data, r); err != nil {
			return nil, err
		}
	} else {
		found, _, err := p.site.FinishPasskeyLogin(func(_, handle []byte) (rp.User, error) {
			known := p.users[strings.TrimPrefix(string(handle), "id of ")]
			if known == nil {
				return nil, fmt.Errorf("no such user")
			}
			return known, nil
		}, s.data, r)
		if err != nil {
			return nil, err
		}
		user = found.(*account)
	}
	p.count++
	return map[string]string{"user": user.name}, nil
}

// detail adds what go-webauthn keeps apart from its messages.
func detail(err error) string {
	if e, ok := err.(*protocol.Error); ok { //nolint:errorlint // as the library returns it
		return e.Error() + ": " + e.DevInfo
	}
	return err.Error()
}
