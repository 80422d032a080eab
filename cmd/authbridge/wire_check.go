package main

import (
	"net/url"
	"strings"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
	"authbridge/agent/rpcheck"
)

// checker checks the applications that are registered, here and at the mock.
func checker(s settings, m *mock) *rpcheck.Checker {
	var all []rpcheck.Party
	if m != nil {
		demo := m.party(demoClient())
		demo.Demo = true
		all = append(all, demo)
		for _, c := range s.Mock.Clients {
			all = append(all, m.party(c.client()))
		}
	}
	for _, r := range s.Registrations {
		all = append(all, r.party())
	}
	return rpcheck.New(rpcheck.Config{Parties: all})
}

// party is a client of the mock, whose tokens are the mock's own.
func (m *mock) party(c mockcis2.Client) rpcheck.Party {
	return rpcheck.Party{Registration: c.Registration, Issuer: m.Issuer, Tokens: m, Usage: m.usage}
}

// LogoutToken makes one in the mock's name.
func (m *mock) LogoutToken(client, user, session string, wrong ...string) (string, error) {
	server, err := m.server()
	if err != nil {
		return "", err
	}
	return server.LogoutToken(client, user, session, wrong...)
}

func (m *mock) usage(client string) cis2.Usage {
	server, err := m.server()
	if err != nil {
		return cis2.Usage{}
	}
	return server.Usage(client)
}

// party is an application that is registered at an environment of CIS2.
func (r Registration) party() rpcheck.Party {
	p := rpcheck.Party{Registration: r.registration(r.Target)}
	p.Native = r.Native
	environment, known := cis2.FindEnvironment(r.Target)
	p.Issuer = environment.Issuer
	switch {
	case !known:
		p.Silent = "the issuer of " + r.Target + " is not public, so no token can be made in its name"
	case !environment.SignIn:
		p.Silent = "forged tokens are not sent to an application in live use"
	default:
		p.Tokens = impostor(environment.Issuer)
	}
	return p
}

// impostor makes tokens in the name of an issuer whose key it does not have: a mock
// that never listens. Its own key is made when it is first needed.
type impostor string

// LogoutToken makes one that every application must refuse.
func (i impostor) LogoutToken(client, user, session string, wrong ...string) (string, error) {
	server, err := mockcis2.New(mockcis2.Config{Base: strings.TrimSuffix(string(i), cis2.RealmPath)})
	if err != nil {
		return "", err
	}
	return server.LogoutToken(client, user, session, wrong...)
}

func (r Registered) registration(environment string) cis2.Registration {
	return cis2.Registration{
		Environment: environment, ClientID: r.ID, Name: r.Name, Redirects: r.Redirects, AfterLogout: r.AfterLogout,
		BackChannelLogout: r.BackChannelLogout, Pattern: cis2.Pattern(r.Pattern), SigningAlgorithm: r.SigningAlgorithm,
		JWKSURI: r.JWKSURI, SignedUserinfo: r.SignedUserinfo, Scopes: r.Scopes,
	}
}

// badAddress finds an address that nobody could call.
func badAddress(r Registered) (field, what string) {
	for field, all := range map[string][]string{"redirects": r.Redirects, "back_channel_logout": {r.BackChannelLogout}, "jwks_uri": {r.JWKSURI}} {
		for _, address := range all {
			if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || u.User != nil) {
				return field, field + " has one that is no address with a host"
			}
		}
	}
	return "", ""
}
