package main

import (
	"context"
	"crypto/rand"
	"net"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/ceremony"
	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
	"authbridge/agent/lease"
	"authbridge/agent/login"
	"authbridge/agent/mockcis2"
	"authbridge/agent/store"
	"authbridge/agent/virtual"
	"authbridge/platform"
)

const (
	// runsID is the client that login runs are at the daemon's own mock. Its
	// secret is made anew at each start, and nobody else needs it.
	runsID = "authbridge-login"
	// leavingRuns is what login runs have to end in when the daemon does. It is
	// before leavingTime: they give their leases back first.
	leavingRuns = 2 * time.Second
)

// runsScopes are all that CIS2 has for an application that needs roles.
var runsScopes = []string{"openid", "profile", "nhsperson", "nationalrbacaccess", "associatedorgs", "selectedrole"}

// loginParts are what login runs are made of.
type loginParts struct {
	desk      *lease.Desk
	conductor *ceremony.Conductor
	inventory *inventory.Inventory
	judge     func(contract.Question, *contract.Snapshot) contract.Verdict
	kept      *store.Store
	devices   *virtual.Devices // nil where virtual authenticators are off
	mock      *mock            // nil where it is off
	settings  settings
	look      func(ctx context.Context, target string) []contract.Check
	learn     func(contract.Proof)
	log       *logrus.Logger
}

// loginRuns makes what runs logins.
func loginRuns(ctx context.Context, p loginParts) (*login.Runner, error) {
	config := login.Config{
		Targets: p.settings.realTargets(), Look: p.look, Leases: p.desk, Ceremonies: p.conductor, Inventory: p.inventory, Judge: p.judge, Store: p.kept,
		Tell: p.inventory.Tell, Learn: p.learn, Log: p.log,
	}
	if p.devices != nil {
		config.Virtual, config.VirtualPIN = p.devices, virtual.DefaultPIN
	}
	if p.mock != nil {
		config.Targets = append([]login.Target{p.mock.target()}, config.Targets...)
		config.Mock = p.mock
	}
	return login.New(ctx, config)
}

// knownLogins is the source of what the configuration says of users, and earlier
// login runs have shown of authenticators.
func knownLogins(ctx context.Context, s settings, kept *store.Store) (*inventory.Logins, error) {
	proofs, err := kept.Proofs(ctx)
	if err != nil {
		return nil, err
	}
	config := inventory.LoginsConfig{Proofs: proofs, Look: platform.CheckSecret}
	for _, u := range s.Users {
		config.Users = append(config.Users, inventory.LoginUser{
			Name: u.Name, User: health.User{UUID: u.UUID, Authenticators: u.Authenticators}, TOTPFile: u.TOTPFile,
		})
	}
	return inventory.NewLogins(config), nil
}

// issuers are those of the targets, as far as they are known; m is nil where the
// mock is off.
func (s settings) issuers(m *mock) map[string]string {
	issuers := map[string]string{}
	for _, t := range s.realTargets() {
		issuers[t.Name] = t.Issuer
	}
	if m != nil {
		issuers[cis2.Mock] = m.Issuer
	}
	return issuers
}

// target is the mock as login runs know it.
func (m *mock) target() login.Target {
	users := cis2.MockUsers()
	usual := slices.IndexFunc(users, func(u cis2.User) bool { return u.AAL == 3 && len(u.Roles) == 1 })
	return login.Target{
		Name: cis2.Mock, Issuer: m.Issuer, ClientID: runsID, Client: login.ClientAuth{Secret: []byte(m.runsSecret)},
		Redirect: m.runsRedirect(), Scopes: runsScopes, Headless: true, Native: true, User: users[usual].UUID,
		Transport: m.reached,
	}
}

// runsRedirect is where the users of login runs are sent back to. Only while a
// browser drives one something listens there: headless, the run reads the answer
// from the address. It is the next port but one after the mock's, since the demo
// has the next.
func (m *mock) runsRedirect() string {
	at := net.JoinHostPort("127.0.0.1", m.port)
	for range 2 {
		at = net.JoinHostPort("127.0.0.1", portAfter(at))
	}
	return "http://" + at + "/login-run"
}

// runsClient is the application that login runs are.
func runsClient(secret, redirect string) mockcis2.Client {
	return mockcis2.Client{
		Registration: cis2.Registration{
			Environment: cis2.Mock, ClientID: runsID, Name: "Login test", Pattern: cis2.ClientSecret, Native: true, Redirects: []string{redirect},
		},
		Secret: secret,
	}
}

func newRunsSecret() string { return rand.Text() }

// Know makes somebody known to the mock who has an authenticator here, as a
// virtual card says of its user.
func (m *mock) Know(user string) error {
	server, err := m.server()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(server.Users(), func(u cis2.User) bool { return u.UUID == user }) {
		return nil
	}
	return server.SetUser(mockUser(user, "User "+user[len(user)-3:], 3))
}

// LendTOTP gives a user of the mock an authenticator application for one sign-in.
func (m *mock) LendTOTP(user string) (secret []byte, takeBack func(), err error) {
	server, err := m.server()
	if err != nil {
		return nil, nil, err
	}
	return server.LendTOTP(user)
}

// Fault makes one login at the mock go wrong.
func (m *mock) Fault(client, state string, faults ...string) error {
	server, err := m.server()
	if err != nil {
		return err
	}
	f := mockcis2.Faulting{Client: client, State: state}
	for _, word := range faults {
		fault, err := mockcis2.ParseFault(word)
		if err != nil {
			return err
		}
		f.Faults = append(f.Faults, fault)
	}
	server.SetFaults(f)
	return nil
}
