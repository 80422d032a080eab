package mockcis2

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"authbridge/agent/cis2"
	"authbridge/agent/serve"
)

// Server is a mock of CIS2. Its methods may be called concurrently.
type Server struct {
	config  Config
	issuer  string
	ends    cis2.Endpoints
	host    string // of the base, with its port
	origin  string // of the pages, as browsers write it: without the usual port
	cookies cookies

	book     *book
	keys     *keyring
	fetched  *clientKeys
	webauthn *webauthn.WebAuthn // nil where the host cannot have it
	turn     chan struct{}      // of who checks an assertion: counters are compared and kept in one step
	mux      *http.ServeMux
}

// New makes a server. Nothing runs yet: its handler does all it does.
func New(config Config) (*Server, error) {
	config, base, err := config.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: config, issuer: config.Base + cis2.RealmPath, host: base.Host, origin: config.Base,
		cookies: newCookies(base.Port(), base.Scheme == "https"),
		book:    newBook(), turn: make(chan struct{}, 1),
	}
	if usual := map[string]string{"http": "80", "https": "443"}; base.Port() == usual[base.Scheme] {
		s.origin = base.Scheme + "://" + trimPort(base.Host)
	}
	s.ends = cis2.EndpointsOf(s.issuer)
	s.fetched = newClientKeys(config.HTTP, config.Now)
	if s.keys, err = newKeyring(config.Key); err != nil {
		return nil, err
	}
	s.webauthn = relyingParty(base.Hostname(), s.origin)
	for _, user := range cis2.MockUsers() {
		if err := s.SetUser(User{User: user}); err != nil {
			return nil, err
		}
	}
	for _, user := range config.Users {
		if err := s.SetUser(user); err != nil {
			return nil, err
		}
	}
	for i := range config.Clients {
		if err := s.SetClient(config.Clients[i]); err != nil {
			return nil, err
		}
	}
	for _, f := range config.Faults {
		s.SetFaults(f)
	}
	s.mux = s.routes()
	return s, nil
}

func trimPort(host string) string {
	for i := len(host) - 1; i >= 0; i-- {
		if host[i] == ':' {
			return host[:i]
		}
	}
	return host
}

// Issuer is what tokens name as theirs.
func (s *Server) Issuer() string { return s.issuer }

// Endpoints are the server's addresses.
func (s *Server) Endpoints() cis2.Endpoints { return s.ends }

// SetClient registers an application, or changes its registration.
func (s *Server) SetClient(c Client) error {
	if err := c.check(); err != nil {
		return err
	}
	s.fetched.forget(c.ClientID)
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.clients[c.ClientID] = &c
	return nil
}

// SetUser adds a user, or changes one, who keeps the authenticator application
// that was configured.
func (s *Server) SetUser(u User) error {
	if err := u.check(); err != nil {
		return err
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if s.book.users[u.UUID] == nil && len(s.book.users) >= mostUsers {
		return errors.New("user: there are as many as are kept")
	}
	if was := s.book.users[u.UUID]; was != nil && u.TOTP == nil {
		u.TOTP = was.TOTP
	}
	s.book.users[u.UUID] = &u
	return nil
}

// DeleteUser takes a user away, and says whether there was one. What was
// registered for the user stays kept, and ends no session: [Server.EndSessions]
// does, and a session of nobody answers no request.
func (s *Server) DeleteUser(uuid string) bool {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	_, there := s.book.users[uuid]
	delete(s.book.users, uuid)
	return there
}

// Clients are all applications, by their ids.
func (s *Server) Clients() []Client {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	all := make([]Client, 0, len(s.book.clients))
	for _, id := range slices.Sorted(maps.Keys(s.book.clients)) {
		all = append(all, *s.book.clients[id])
	}
	return all
}

// Users are all who can sign in, in no order.
func (s *Server) Users() []cis2.User {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	all := make([]cis2.User, 0, len(s.book.users))
	for _, u := range s.book.users {
		all = append(all, u.User)
	}
	return all
}

// smartcards is whether a card's certificate can be judged.
func (s *Server) smartcards() bool { return s.config.CardRoots != nil }

func (s *Server) verifyOptions(now time.Time) x509.VerifyOptions {
	roots := s.config.CardRoots
	if roots == nil {
		roots = x509.NewCertPool() // nil would be the system's
	}
	return x509.VerifyOptions{
		Roots: roots, Intermediates: s.config.CardIntermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// Limits of the transport.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = 2 * time.Minute // a waiting page, and the fault slow
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 3 * time.Second
	mostHeader      = 32 << 10
	mostBody        = 64 << 10
)

// Serve answers on the listeners until ctx ends, and closes them. TLS is the
// listeners' own. It returns nil, or what a listener broke with.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: mostHeader, DisableGeneralOptionsHandler: true,
		ErrorLog:    quiet(s.config.Log),
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends those who wait
	}
	server.RegisterOnShutdown(cancel)
	if err := serve.Until(ctx, server, shutdownTimeout, listeners...); err != nil {
		return fmt.Errorf("mock: %w", err)
	}
	return nil
}
