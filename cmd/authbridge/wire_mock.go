package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/net/netutil"

	"authbridge/agent/cis2"
	"authbridge/agent/failure"
	"authbridge/agent/mockcis2"
	"authbridge/agent/store"
	"authbridge/pcsc/vcard"
)

// mockOrder is where a mock runs and what it is made of.
type mockOrder struct {
	port    string // 0: any free one
	tls     bool
	trust   string // file with the authorities of smartcards; empty: those of virtual cards
	users   []string
	faults  []string
	keys    mockcis2.Store // nil: in memory
	state   string         // folder
	clients []MockClient
	known   []User
	runs    bool // whether login runs sign in at it
	log     *logrus.Logger
}

// mock is one that listens. Its server is made when it is first asked for: a key
// that signs takes a while to make, and those who connect meanwhile wait. One that
// is kept is read before it listens, so that a damaged one is said at the start.
type mock struct {
	MockAddress
	listeners  []net.Listener
	server     func() (*mockcis2.Server, error)
	port       string
	runsSecret string // of the client that login runs are; empty: there is none
	// reached is how programs of ours reach it: by address, and trusting its
	// authority and no other.
	reached *http.Transport
}

// mostAtMock bounds the connections to each of its addresses: every user of this
// machine can make them, and the socket, the database and the devices of the
// daemon need descriptors too.
const mostAtMock = 512

// openMock listens, and finds all that is wrong with an order but for what its
// folder holds.
func openMock(o mockOrder) (*mock, error) {
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(o.state, "mock")
	if config.Key, err = keptSigningKey(folder); err != nil {
		return nil, failure.OfState("the mock's signing key", err)
	}
	var m mock
	scheme := "http"
	m.reached = &http.Transport{DialContext: dialLocalhost, IdleConnTimeout: time.Minute}
	var secured *tls.Config
	if o.tls {
		scheme = "https"
		var trusted *x509.CertPool
		if secured, trusted, m.Authority, err = localTLS(folder, time.Now()); err != nil {
			return nil, failure.OfState("the local authority for TLS", err)
		}
		m.reached.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted}
	}
	listeners, port, err := listenLocalhost(o.port)
	if err != nil {
		return nil, err
	}
	for _, l := range listeners {
		l = netutil.LimitListener(l, mostAtMock)
		if secured != nil {
			l = tls.NewListener(l, secured)
		}
		m.listeners = append(m.listeners, l)
	}
	m.port = port
	if o.runs {
		m.runsSecret = newRunsSecret()
		config.Clients = append(config.Clients, runsClient(m.runsSecret, m.runsRedirect()))
	}
	m.URL = scheme + "://localhost:" + port
	m.Issuer = m.URL + cis2.RealmPath
	config.Base = m.URL
	m.server = sync.OnceValues(func() (*mockcis2.Server, error) {
		config := config
		if config.Key == nil {
			var err error
			if config.Key, err = signingKey(folder); err != nil {
				return nil, failure.OfState("the mock's signing key", err)
			}
		}
		return mockcis2.New(config)
	})
	return &m, nil
}

// run serves until ctx ends, and closes the listeners.
func (m *mock) run(ctx context.Context) error {
	server, err := m.server()
	if err != nil {
		closeAll(m.listeners)
		return err
	}
	return server.Serve(ctx, m.listeners...)
}

// serveMock is the mock alone.
func serveMock(ctx context.Context, o mockOrder, listening func(MockAddress)) error {
	m, err := openMock(o)
	if err != nil {
		return err
	}
	listening(m.MockAddress)
	return m.run(ctx)
}

// daemonMock is the daemon's, or nil where it is off. It keeps what users
// register where the daemon keeps all.
func daemonMock(s settings, kept *store.Store, log *logrus.Logger) (*mock, error) {
	port, on := s.mockPort()
	if !on {
		return nil, forgetMock(s.StateDir)
	}
	m, err := openMock(mockOrder{port: port, tls: s.Mock.TLS, keys: mockKeys{kept}, state: s.StateDir, clients: s.Mock.Clients, known: s.Users, runs: true, log: log})
	if err != nil {
		return nil, err
	}
	if err := rememberMock(s.StateDir, m.MockAddress); err != nil {
		closeAll(m.listeners)
		return nil, err
	}
	return m, nil
}

func (o mockOrder) config() (mockcis2.Config, error) {
	config := mockcis2.Config{Store: o.keys, Log: o.log, Clients: []mockcis2.Client{demoClient()}}
	for _, c := range o.clients {
		config.Clients = append(config.Clients, c.client())
		if faults := parseMockFaults(c.Faults); len(faults) > 0 {
			config.Faults = append(config.Faults, mockcis2.Faulting{Client: c.ID, Faults: faults})
		}
	}
	if faults := parseMockFaults(o.faults); len(faults) > 0 {
		config.Faults = append(config.Faults, mockcis2.Faulting{Faults: faults})
	}
	config.Users = virtualUsers()
	public := cis2.MockUsers()
	for _, u := range o.known {
		if uuid := u.UUID[cis2.Mock]; uuid != "" {
			known := mockUser(uuid, u.Name, u.AAL, u.Roles...)
			// Who is one of the public mock's stays what tests know of them.
			if i := slices.IndexFunc(public, func(p cis2.User) bool { return p.UUID == uuid }); i >= 0 {
				if len(u.Roles) == 0 {
					known.Roles = public[i].Roles
				}
				if !u.givenAAL {
					known.AAL = public[i].AAL
				}
			}
			known.TOTP = u.readTOTP()
			config.Users = append(config.Users, known)
		}
	}
	for _, uuid := range o.users {
		config.Users = append(config.Users, mockUser(uuid, "User "+uuid[6:], 3))
	}
	var err error
	config.CardRoots, config.CardIntermediates, err = o.authorities()
	return config, err
}

// authorities are those whose smartcards sign in.
func (o mockOrder) authorities() (roots, intermediates *x509.CertPool, err error) {
	if o.trust == "" {
		ca, err := vcard.OpenCA(filepath.Join(o.state, virtualFolder))
		if err != nil {
			return nil, nil, failure.OfState("the test authority of virtual cards cannot be opened", err)
		}
		roots, intermediates = ca.Pools()
		return roots, intermediates, nil
	}
	bad := func(err error) error {
		return usage("--trust: %w\n  → name a PEM file with the certificates of a root authority and of those below it", err)
	}
	text, err := os.ReadFile(o.trust)
	if err != nil {
		return nil, nil, bad(err)
	}
	defer clear(text) // it may hold a key too
	roots, intermediates = x509.NewCertPool(), x509.NewCertPool()
	any := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, bad(fmt.Errorf("%s: %w", o.trust, err))
		}
		if cert.CheckSignatureFrom(cert) == nil {
			roots.AddCert(cert)
			any = true
		} else {
			intermediates.AddCert(cert)
		}
	}
	if !any {
		return nil, nil, bad(fmt.Errorf("%s: has no certificate of a root authority", o.trust))
	}
	return roots, intermediates, nil
}

// The demo application is known to every mock of ours, so that one works with no
// configuration: examples/relying-party is it. Its secret is public.
const (
	demoID       = "000000000001.apps.national"
	demoSecret   = "demo"
	demoURL      = "http://localhost:17825"
	demoCallback = demoURL + "/callback"
)

func demoClient() mockcis2.Client {
	return mockcis2.Client{
		Registration: cis2.Registration{
			Environment: cis2.Mock, ClientID: demoID, Name: "Demo", Pattern: cis2.ClientSecret, Native: true,
			Redirects: []string{demoCallback}, AfterLogout: []string{demoURL + "/"}, BackChannelLogout: demoURL + "/back-channel-logout",
		},
		Secret: demoSecret,
	}
}

func (c MockClient) client() mockcis2.Client {
	return mockcis2.Client{
		Registration: c.registration(cis2.Mock),
		Secret:       c.Secret, Basic: c.Basic, LevelsAsNumbers: c.LevelsAsNumbers,
	}
}

// badClient says what is wrong with a client of the mock, by its keys.
func badClient(c MockClient) (bad []Finding) {
	const remedy = "register it as docs/configuration.md shows"
	for _, p := range c.client().Problems() {
		if p.Field == "client_id" {
			p.Field = "id"
		}
		bad = append(bad, Finding{Where: p.Field, What: p.Field + ": " + p.Text, Remedy: remedy})
	}
	if (c.Pattern == string(cis2.ClientSecret)) != (c.Secret != "") {
		bad = append(bad, Finding{Where: "secret", What: "a secret belongs to the pattern client_secret_post, and to no other", Remedy: remedy})
	}
	for _, f := range c.Faults {
		if _, err := mockcis2.ParseFault(f); err != nil {
			bad = append(bad, Finding{Where: "faults", What: fmt.Sprintf("faults has %q", f), Remedy: err.Error()})
		}
	}
	return bad
}

// uuidRemark says what is unusual about a UUID at a target; empty where nothing is.
// At the mock any will do.
func uuidRemark(target, uuid string) string {
	if target == cis2.Mock {
		return ""
	}
	return cis2.UserRemark(target, uuid)
}

// badMockFault says why a fault is none; empty if it is.
func badMockFault(f string) string {
	if _, err := mockcis2.ParseFault(f); err != nil {
		return err.Error()
	}
	return ""
}

// parseMockFaults reads faults that were validated.
func parseMockFaults(words []string) (all []mockcis2.Fault) {
	for _, w := range words {
		if f, err := mockcis2.ParseFault(w); err == nil {
			all = append(all, f)
		}
	}
	return all
}

// virtualUsers are those of the first virtual cards, which can sign in without a
// configuration (agent/virtual).
func virtualUsers() []mockcis2.User {
	const some = 8
	all := make([]mockcis2.User, some)
	for i := range all {
		all[i] = mockUser(fmt.Sprintf("5552%08d", i+1), fmt.Sprintf("Virtual %d", i+1), 3)
	}
	return all
}

// mockUser is somebody at the mock with the default organisation, and the
// default role where none is named.
func mockUser(uuid, name string, aal int, jobs ...string) mockcis2.User {
	given, family, two := strings.Cut(name, " ")
	if !two {
		given, family = "Mock", name
	}
	u := cis2.User{
		UUID: uuid, Given: given, Family: family, Email: "mock." + uuid + "@example.org", AAL: aal, IAL: 3,
		Orgs: []cis2.Organisation{{Code: cis2.DefaultOrg, Name: cis2.DefaultOrgName}},
	}
	if len(jobs) == 0 {
		jobs = []string{cis2.DefaultRole}
	}
	for n, job := range jobs {
		u.Roles = append(u.Roles, cis2.NewRole(uuid, job, n+1))
	}
	return mockcis2.User{User: u}
}

// mockKeys keeps what users registered at the mock in the daemon's store, a
// bucket of its settings for each user.
type mockKeys struct{ kept *store.Store }

func mockBucket(user string) string { return "mock-keys/" + user }

func (k mockKeys) Keys(ctx context.Context, user string) ([]mockcis2.Key, error) {
	values, err := k.kept.Settings(ctx, mockBucket(user))
	if err != nil {
		return nil, err
	}
	all := make([]mockcis2.Key, 0, len(values))
	for _, value := range values {
		var key mockcis2.Key
		if err := json.Unmarshal(value, &key); err != nil {
			return nil, errors.New("a key kept for the mock cannot be read")
		}
		all = append(all, key)
	}
	slices.SortFunc(all, func(a, b mockcis2.Key) int { return a.Registered.Compare(b.Registered) })
	return all, nil
}

func (k mockKeys) SaveKey(ctx context.Context, key mockcis2.Key) error {
	value, err := json.Marshal(key)
	if err != nil {
		return err
	}
	return k.kept.SetSetting(ctx, mockBucket(key.User), base64.RawURLEncoding.EncodeToString(key.ID), value)
}
