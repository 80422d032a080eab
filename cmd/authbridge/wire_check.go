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
		issuer := ""
		for _, t := range s.realTargets() {
			if t.Name == r.Target {
				issuer = t.Issuer
			}
		}
		all = append(all, r.party(issuer))
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

// party is an application that is registered at an environment of CIS2. Tokens in
// the issuer's name are made by a mock that never listens and has a key of its own:
// every application must refuse them.
func (r Registration) party(issuer string) rpcheck.Party {
	p := rpcheck.Party{Registration: r.registration(r.Target), Issuer: issuer}
	p.Native = r.Native
	if r.Target == live {
		p.Silent = "forged tokens are not sent to an application in live use"
		return p
	}
	if issuer == "" {
		p.Silent = "the issuer of " + r.Target + " is not public, and no [[target]] says it, so no token can be made in its name"
		return p
	}
	impostor, err := mockcis2.New(mockcis2.Config{Base: strings.TrimSuffix(issuer, cis2.RealmPath)})
	if err != nil || impostor.Issuer() != issuer {
		p.Silent = "its issuer has not the form of CIS2's, so no token is made in its name"
		return p
	}
	p.Tokens = impostor
	return p
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
