package main

import (
	"fmt"
	"slices"
	"strings"
)

// Registered is an application as it is registered in Connection Manager, whether
// at the mock or at CIS2.
type Registered struct {
	ID                string   `json:"id"`
	Name              string   `json:"name,omitempty"`
	Redirects         []string `json:"redirects"`
	AfterLogout       []string `json:"after_logout,omitempty"`
	BackChannelLogout string   `json:"back_channel_logout,omitempty"`
	Pattern           string   `json:"pattern"`
	JWKSURI           string   `json:"jwks_uri,omitempty"`
	SigningAlgorithm  string   `json:"signing_algorithm,omitempty"`
	SignedUserinfo    string   `json:"signed_userinfo,omitempty"`
	Scopes            []string `json:"scopes,omitempty"`
}

// Registration is one at an environment of CIS2, to check the running application
// against. Those at the mock are its clients.
type Registration struct {
	Target string `json:"target"`
	Registered
	Native bool `json:"native,omitempty"`
}

// rawRegistered and rawRegistration are the tables as they are written; see file.
type rawRegistered struct {
	ID                any `toml:"id"`
	Name              any `toml:"name"`
	Redirects         any `toml:"redirects"`
	AfterLogout       any `toml:"after_logout"`
	BackChannelLogout any `toml:"back_channel_logout"`
	Pattern           any `toml:"pattern"`
	JWKSURI           any `toml:"jwks_uri"`
	SigningAlgorithm  any `toml:"signing_algorithm"`
	SignedUserinfo    any `toml:"signed_userinfo"`
	Scopes            any `toml:"scopes"`
}

type rawRegistration struct {
	Target any `toml:"target"`
	rawRegistered
	Native any `toml:"native"`
}

const registrationTable = "registration"

// registered takes what all registrations have.
func (t *taker) registered(key string, i int, r rawRegistered) Registered {
	return Registered{
		ID: t.text(key, i, "id", r.ID), Name: t.text(key, i, "name", r.Name), Redirects: t.texts(key, i, "redirects", r.Redirects),
		AfterLogout: t.texts(key, i, "after_logout", r.AfterLogout), BackChannelLogout: t.text(key, i, "back_channel_logout", r.BackChannelLogout),
		Pattern: t.text(key, i, "pattern", r.Pattern), JWKSURI: t.text(key, i, "jwks_uri", r.JWKSURI),
		SigningAlgorithm: t.text(key, i, "signing_algorithm", r.SigningAlgorithm), SignedUserinfo: t.text(key, i, "signed_userinfo", r.SignedUserinfo),
		Scopes: t.texts(key, i, "scopes", r.Scopes),
	}
}

// takeRegistrations takes those at environments of CIS2.
func takeRegistrations(raw []rawRegistration) (all []Registration, bad []Finding) {
	var t taker
	for i, r := range raw {
		const key = registrationTable
		all = append(all, Registration{Target: t.text(key, i, "target", r.Target), Registered: t.registered(key, i, r.rawRegistered), Native: t.toggle(key, i, "native", r.Native)})
	}
	return all, t.bad
}

// registrationFindings say what keeps a registration from being one. What CIS2
// would refuse in it is for the check to say: it is then shown with the rest.
func registrationFindings(all []Registration, targets []string) (bad []Finding) {
	// One at the mock is a client of the mock.
	allowed := slices.DeleteFunc(slices.Clone(targets), func(t string) bool { return t == "mock" })
	for i, r := range all {
		add := func(name, what, remedy string) {
			bad = append(bad, Finding{Where: member(registrationTable, i, name), What: what, Remedy: remedy})
		}
		if !slices.Contains(allowed, r.Target) {
			add("target", fmt.Sprintf("target is %q", r.Target), "choose one of "+strings.Join(allowed, ", ")+"; what is registered at the mock is a [[mock.client]]")
		}
		if r.ID == "" {
			add("id", "there is no id", "write the client id, as Connection Manager shows it")
		}
		if slices.ContainsFunc(all[:i], func(o Registration) bool { return o.ID == r.ID && o.Target == r.Target }) {
			add("id", "id is that of another registration at the same target", "write each registration once")
		}
		if field, what := badAddress(r.Registered); what != "" {
			add(field, what, "write it as it is registered: https://app.example.nhs.uk/callback")
		}
	}
	return bad
}
