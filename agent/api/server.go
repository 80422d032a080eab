package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/sirupsen/logrus"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/serve"
)

const (
	headerTimeout = 5 * time.Second
	// writeTimeout bounds an answer to a caller that does not read. It counts
	// from the request, so the longest wait is in it; streams set their own
	// for each event.
	writeTimeout = maxHeld + 30*time.Second
	idleTimeout  = 2 * time.Minute
	// maxConnections keeps descriptors for the socket, the database and the
	// devices: every user of this machine can connect to a TCP port.
	maxConnections = maxHolds + 512
	// stopTimeout leaves the daemon some of its 5 s for the rest of it.
	stopTimeout = 3 * time.Second
)

// Config is what a Server needs. Inventory, Judge, Users, Tokens, Leases, Ceremonies,
// Logins, RelyingParties and Log are required.
type Config struct {
	Inventory Inventory
	// Judge answers a question from a snapshot. It does no I/O.
	Judge  func(contract.Question, *contract.Snapshot) contract.Verdict
	Tokens TokenStore
	// Leases and Ceremonies are what is done with authenticators.
	Leases     Leases
	Ceremonies Ceremonies
	// Logins are whole logins, and what came of them.
	Logins Logins
	// RelyingParties are applications, and what is wrong with them.
	RelyingParties RelyingParties
	// Lookout hears which targets are asked for; nil: nobody looks at them.
	Lookout Lookout
	// Workstation hears what users' sessions say.
	Workstation Workstation
	// Virtual is nil where virtual authenticators are off.
	Virtual Virtual
	// Mock is nil where it is off.
	Mock  Mock
	Users Users
	// Connections bounds those of each TCP listener; 0 is a few more than there
	// may be streams.
	Connections int
	// Targets that readiness may be asked for.
	Targets []string
	// Surroundings is asked once a support bundle; nil: it tells the state alone.
	Surroundings func(context.Context) Surroundings
	Version      string
	Log          *logrus.Entry
}

// Server is the API. It is an http.Handler only for connections that Serve
// accepted: others have no door, and are refused.
type Server struct {
	config   Config
	gate     *gate
	holds    *holds
	pages    *pageBook
	verdicts *verdicts
	meters   *meters
	limiter  *limiter
	used     chan string // ids of tokens that were used
	openapi  []byte
	headers  http.Header
	bundling chan struct{} // one bundle at a time

	url atomic.Pointer[string] // where tokens are taken; nil: nowhere but sockets

	idPrefix string
	idLast   atomic.Uint64
}

// New makes the server and its routes.
func New(config Config) (*Server, error) {
	if config.Inventory == nil || config.Judge == nil || config.Users == nil || config.Tokens == nil || config.Leases == nil || config.Ceremonies == nil || config.Logins == nil || config.RelyingParties == nil || config.Log == nil {
		return nil, errors.New("api: Inventory, Judge, Users, Tokens, Leases, Ceremonies, Logins, RelyingParties and Log are required")
	}
	if len(config.Targets) == 0 {
		config.Targets = []string{"mock", "int", "dep", "prod"}
	}
	if config.Connections == 0 {
		config.Connections = maxConnections
	}
	setUpHuma()
	prefix := make([]byte, 4)
	_, _ = rand.Read(prefix) // never fails (crypto/rand)
	s := &Server{
		config: config, holds: newHolds(maxHolds), pages: newPageBook(), verdicts: &verdicts{judge: config.Judge}, meters: newMeters(), limiter: newLimiter(),
		used: make(chan string, 64), idPrefix: hex.EncodeToString(prefix) + "-",
		headers: safeHeaders(), bundling: make(chan struct{}, 1),
	}
	s.meters.streams(s.holds.count)
	table := routes()
	s.gate = newGate(s, table)
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[Problem](), reflect.TypeFor[contract.Problem]()) // the same on the wire
	api := huma.NewAPI(huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "authbridge", Version: config.Version, Description: "Authenticators of this machine, and whether they are ready. State changes take application/json and a token."},
			Components: &huma.Components{
				Schemas: schemas,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "not needed over the local socket or pipe, where the user is known"},
				},
			},
		},
		// No schema links, no docs page (DESIGN section 10, huma's traps).
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}, humago.NewAdapter(s.gate, ""))
	for _, r := range table {
		r.mount(s, api, r.operation(schemas))
	}
	document, err := api.OpenAPI().MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("api: describe the routes: %w", err)
	}
	s.openapi = document
	return s, nil
}

// Serve answers on these listeners until ctx ends, then ends the streams, lets
// the running requests finish for a bounded time, and returns once nothing of
// it runs any more. It closes the listeners. An address that others than this
// machine can reach is refused before anything is served.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	for _, l := range listeners {
		if err := checkListener(l); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// net/http would answer OPTIONS * itself, whoever asks.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     quietLog(s.config.Log),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, doorKey{}, openDoor(c, s.config.Users))
		},
	}
	server.RegisterOnShutdown(func() { s.holds.end(errStopping) })
	served := slices.Clone(listeners)
	for i, l := range served {
		if _, tcp := l.Addr().(*net.TCPAddr); tcp {
			s.url.CompareAndSwap(nil, new("http://"+l.Addr().String()))
			served[i] = limitListener(l, s.config.Connections)
		}
	}
	var running sync.WaitGroup
	running.Go(func() { s.noteUse(ctx) })
	running.Go(func() { s.countEnds(ctx) })
	running.Go(func() { s.watchRights(ctx) })
	err := serve.Until(ctx, server, stopTimeout, served...)
	cancel()
	running.Wait()
	return err
}

// noteUse writes down when tokens were used, away from the requests.
func (s *Server) noteUse(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-s.used:
			if err := s.config.Tokens.TouchToken(ctx, id); err != nil && ctx.Err() == nil {
				s.config.Log.WithError(err).Debug("the use of a token was not noted")
			}
		}
	}
}

// ServeHTTP is the one way in: guard, then route.
func (s *Server) ServeHTTP(writer http.ResponseWriter, r *http.Request) {
	w := &recorder{ResponseWriter: writer}
	id := s.idPrefix + strconv.FormatUint(s.idLast.Add(1), 36)
	h := w.Header()
	maps.Copy(h, s.headers)
	h["X-Request-Id"] = []string{id}
	ctx := contract.WithRequestID(r.Context(), id)
	defer s.recovered(ctx, w, r)
	if r.ContentLength != 0 {
		// Whoever reads the body, net/http after a refusal too, stops then.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // httptest recorders have none
	}
	defer func() { wipe(r.Body) }()
	file, ofPage := pageFile(r)
	var caller Caller
	var refusal *failure.Error
	if ofPage {
		refusal = guardPage(r)
	} else {
		caller, refusal = s.guard(w, r)
	}
	if refusal != nil {
		s.refused(r.WithContext(ctx), "", refusal)
		// Who is refused keeps no connection, and the answer does not wait for
		// a body that nobody wants.
		h["Connection"] = []string{"close"}
		problemOf(ctx, refusal).write(w)
		return
	}
	if ofPage {
		sendFile(w, r, file)
		return
	}
	s.gate.ServeHTTP(w, r.WithContext(context.WithValue(ctx, callerKey{}, caller)))
}

// guard is all that is asked before routing.
func (s *Server) guard(w http.ResponseWriter, r *http.Request) (Caller, *failure.Error) {
	d := doorOf(r.Context())
	if d == nil {
		return Caller{}, noDoor()
	}
	if e := checkOrigins(d, r); e != nil {
		return Caller{}, e
	}
	caller, e := s.known(w, d, r)
	if e != nil {
		return Caller{}, e
	}
	if caller.TokenID != "" {
		select {
		case s.used <- caller.TokenID:
		default: // the next request notes it
		}
	}
	if e := checkMethod(r.Method); e != nil {
		return Caller{}, e
	}
	if e := checkQuery(r.URL.RawQuery); e != nil {
		return Caller{}, e
	}
	if !cleanPath(r.URL.Path) {
		return Caller{}, refuse(failure.NotFound, "path", "there is nothing at this path")
	}
	if e := readBody(w, r); e != nil || r.ContentLength == 0 {
		return caller, e
	}
	// A body takes its time, and its sender's token may have ended meanwhile.
	return s.known(w, d, r)
}

// known is who asks; who is not known hears what is missing.
func (s *Server) known(w http.ResponseWriter, d *door, r *http.Request) (Caller, *failure.Error) {
	caller, e := s.authenticate(d, r.Header)
	if e != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="authbridge"`)
	}
	return caller, e
}

// safeHeaders are on every answer: nothing of it is for a browser to render, to
// keep or to embed. The values are shared by all answers and never changed.
func safeHeaders() http.Header {
	return http.Header{
		"Cache-Control":                {"no-store"},
		"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Referrer-Policy":              {"no-referrer"},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"},
	}
}

// recovered turns a panic into a problem and a line in the log.
func (s *Server) recovered(ctx context.Context, w *recorder, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) || r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the caller has gone; nothing to answer
	}
	s.config.Log.WithFields(logrus.Fields{
		"request_id": contract.RequestID(ctx), "panic": panicText(v), "stack": string(debug.Stack()),
	}).Error("a request failed inside")
	if w.status != 0 {
		panic(http.ErrAbortHandler) // half an answer is out: cut it off
	}
	problemOf(ctx, refuse(failure.Internal, "", "")).write(w)
}
