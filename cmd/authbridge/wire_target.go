package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/inventory"
	"authbridge/agent/login"
	"authbridge/agent/target"
	"authbridge/platform"
)

// badTarget says what CIS2 would not have of a target; empty where nothing is
// wrong.
func badTarget(t TargetConfig) (field, what, remedy string) {
	remedy = "write it as it is registered; docs/configuration.md shows how"
	_, known := cis2.FindEnvironment(t.Name)
	switch _, err := cis2.Configured(t.Name, t.issuer()); {
	case t.issuer() == "":
		return "issuer", "the issuer of " + t.Name + " is not public", "write issuer, as the discovery document of the target has it"
	case err != nil:
		return "issuer", err.Error(), "write it to the letter, `:443` included; for int and prod it can be left out"
	}
	if t.Redirect == "" && t.Pattern == "" {
		return "", "", ""
	}
	registered := cis2.Registration{
		Environment: t.Name, ClientID: t.ClientID, Redirects: []string{t.Redirect}, Pattern: cis2.Pattern(t.Pattern),
		SigningAlgorithm: t.SigningAlgorithm, Scopes: t.Scopes, Native: t.Native,
	}
	for _, p := range registered.Problems() {
		switch {
		case p.Field == "jwks_uri": // the bridge signs with the key, and does not publish it
		case p.Field == "client_id" && t.ClientID != "" && !known && t.Name != cis2.DEP: // a service of one's own has its own
		case p.Field == "redirects":
			return "redirect", p.Text, remedy
		default:
			return p.Field, p.Field + ": " + p.Text, remedy
		}
	}
	return "", "", ""
}

// issuer is the one configured, or else the one that is known.
func (t TargetConfig) issuer() string {
	known, _ := cis2.FindEnvironment(t.Name)
	if t.Issuer == "" {
		return known.Issuer
	}
	return t.Issuer
}

// realTargets are those beside the mock: CIS2's as far as they are public, and
// what the configuration says.
func (s settings) realTargets() (all []login.Target) {
	for _, e := range cis2.Environments() {
		all = append(all, login.Target{Name: e.Name, Issuer: e.Issuer})
	}
	for _, t := range s.Targets {
		one := login.Target{
			Name: t.Name, Issuer: t.issuer(), ClientID: t.ClientID, Redirect: t.Redirect, Native: t.Native, Scopes: t.Scopes,
		}
		one.MaxAge, _ = time.ParseDuration(t.MaxAge) // validated
		if len(one.Scopes) == 0 {
			one.Scopes = runsScopes
		}
		if t.Pattern != "" {
			one.ReadClient = t.readClient
		}
		if i := slices.IndexFunc(all, func(o login.Target) bool { return o.Name == t.Name }); i >= 0 {
			all[i] = one
		} else {
			all = append(all, one)
		}
	}
	return all
}

// watch makes the source that looks at the targets.
func (s settings) watch() *target.Source {
	real := s.realTargets()
	var all []target.Target
	for _, name := range s.targets() {
		if name == cis2.Mock {
			continue // it is here
		}
		one := target.Target{Name: name}
		if i := slices.IndexFunc(real, func(t login.Target) bool { return t.Name == name }); i >= 0 {
			one.Issuer = real[i].Issuer
		}
		if i := slices.IndexFunc(s.Targets, func(t TargetConfig) bool { return t.Name == name }); i >= 0 {
			one.HSCN, one.Listed = s.Targets[i].HSCN, true
		}
		all = append(all, one)
	}
	return target.New(target.Config{Targets: all})
}

// shownWithin is how long a look may take to be in the snapshot.
const shownWithin = time.Second

// lookAt looks at a target now, and returns once the snapshot shows it: what a
// run judges next rests on the same look.
func lookAt(source *target.Source, inv *inventory.Inventory) func(context.Context, string) []contract.Check {
	return func(ctx context.Context, name string) []contract.Check {
		checks := source.Look(ctx, name)
		if len(checks) == 0 {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, shownWithin)
		defer cancel()
		_, _ = inv.Await(ctx, func(s *contract.Snapshot) bool { // the look itself is what counts
			return slices.ContainsFunc(s.Checks, func(c contract.Check) bool {
				return c.Target == name && c.Code == checks[0].Code && !c.ObservedAt.Before(checks[0].ObservedAt)
			})
		})
		return checks
	}
}

// longestKey is far above a PEM file with one key.
const longestKey = 16 << 10

// readClient reads how the client proves who it is, when it is needed: nothing of
// it is kept.
func (t TargetConfig) readClient() (login.ClientAuth, error) {
	if t.KeyFile == "" {
		secret, err := platform.ReadSecret(t.SecretFile)
		return login.ClientAuth{Secret: secret}, err
	}
	text, err := platform.ReadPrivate(t.KeyFile, longestKey)
	if err != nil {
		return login.ClientAuth{}, err
	}
	defer clear(text)
	key, err := parseKey(text)
	return login.ClientAuth{Key: key, KeyID: t.KeyID, Algorithm: t.SigningAlgorithm}, err
}

// parseKey reads an RSA key in PEM, PKCS #8 or PKCS #1. Its error holds nothing
// of the text.
func parseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the key file has no PEM")
	}
	defer clear(block.Bytes)
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := any.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("the key file has no RSA key that is not encrypted")
	}
	return key, nil
}
