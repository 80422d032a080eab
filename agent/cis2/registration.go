package cis2

import (
	"slices"
	"strings"
)

// Pattern is how a client authenticates at the token endpoint (TEST).
type Pattern string

// The security patterns that Connection Manager offers.
const (
	ClientSecret  Pattern = "client_secret_post"
	PrivateKeyJWT Pattern = "private_key_jwt"
)

// Registration is what an application registers in Connection Manager, to check
// the running application against.
type Registration struct {
	Environment string
	ClientID    string // <12 digits>.apps.national in CIS2's own environments
	Name        string
	Redirects   []string // exact
	// AfterLogout are where the end session endpoint may send the browser.
	AfterLogout []string
	// BackChannelLogout is the endpoint that gets logout tokens; empty: none.
	BackChannelLogout string
	Pattern           Pattern
	// SigningAlgorithm is that of the client's assertions: RS256 or RS512. The
	// mock takes both where it is empty.
	SigningAlgorithm string
	// JWKSURI or JWKS has the client's keys, for private_key_jwt.
	JWKSURI string
	JWKS    []byte
	// SignedUserinfo is the algorithm of signed userinfo; empty: JSON.
	SignedUserinfo string
	Scopes         []string // that may be asked for; nil: all
	// Native clients handle a callback on the loopback address.
	Native bool
}

// Problem is what is wrong with a registration.
type Problem struct {
	Field  string
	Text   string
	Source Source
}

// Problems are what CIS2 would refuse, and what would fail later. The mock's own
// environment is less strict: there any client is on somebody's own machine.
func (r Registration) Problems() []Problem {
	var all []Problem
	add := func(field, text string, source Source) { all = append(all, Problem{field, text, source}) }
	real := r.Environment != Mock
	switch {
	case r.ClientID == "":
		add("client_id", "it is missing", srcScope)
	case real && !validClientID(r.ClientID):
		add("client_id", "it has not the form of 12 digits and .apps.national", srcScope)
	}
	if len(r.Redirects) == 0 {
		add("redirects", "there is none", srcLive)
	}
	for _, redirect := range r.Redirects {
		if text := r.redirectProblem(redirect, real); text != "" {
			add("redirects", redirect+": "+text, srcEnv)
		}
	}
	for _, redirect := range r.AfterLogout {
		if text := r.redirectProblem(redirect, real); text != "" {
			add("after_logout", redirect+": "+text, srcEnv)
		}
	}
	if r.BackChannelLogout != "" {
		switch u, ok := splitURI(r.BackChannelLogout); {
		case !ok || strings.Contains(u.rest, "#"):
			add("back_channel_logout", "not a URI without a fragment", srcTest)
		case real && (u.scheme != "https" || u.loopback()):
			add("back_channel_logout", "it must be HTTPS under a public name, with a full chain to a public root", srcTest)
		}
	}
	all = append(all, r.keyProblems(real)...)
	for _, scope := range r.Scopes {
		if !slices.ContainsFunc(Scopes(), func(s Scope) bool { return s.Name == scope }) {
			add("scopes", scope+" is not known", srcScope)
		}
	}
	if r.Scopes != nil && !slices.Contains(r.Scopes, "openid") {
		add("scopes", "openid is missing", srcScope)
	}
	return all
}

func validClientID(id string) bool {
	digits, ok := strings.CutSuffix(id, ".apps.national")
	return ok && ValidUser(digits)
}

func (r Registration) redirectProblem(redirect string, real bool) string {
	u, ok := splitURI(redirect)
	switch {
	case !ok:
		return "not a URI with a host"
	case strings.Contains(u.rest, "#"):
		return "it has a fragment (RFC 6749, 3.1.2)"
	case strings.ContainsAny(redirect, "*"):
		return "wildcards match nothing: redirect URIs are compared octet by octet"
	case u.scheme == "https", !real && u.scheme == "http" && u.loopback():
		return ""
	case r.Native && u.scheme == "http" && u.loopback():
		return ""
	}
	return "allowed: https, and http on the loopback address for native applications"
}

func (r Registration) keyProblems(real bool) []Problem {
	var all []Problem
	add := func(field, text string, source Source) { all = append(all, Problem{field, text, source}) }
	for _, named := range []struct{ field, algorithm string }{
		{"signing_algorithm", r.SigningAlgorithm}, {"signed_userinfo", r.SignedUserinfo},
	} {
		if a := named.algorithm; a != "" && a != "RS256" && a != "RS512" {
			add(named.field, "allowed: RS256, RS512", srcNOTIFY)
		}
	}
	switch r.Pattern {
	case ClientSecret:
	case PrivateKeyJWT:
		u, ok := splitURI(r.JWKSURI)
		switch {
		case r.JWKSURI == "" && len(r.JWKS) == 0:
			add("jwks_uri", "it is missing, and private_key_jwt needs it", srcMBS)
		case r.JWKSURI == "":
			if real {
				add("jwks_uri", "keys are fetched from a URI", srcMBS)
			}
		case !ok:
			add("jwks_uri", "not a URI with a host", srcMBS)
		case real && (u.scheme != "https" || u.loopback()):
			add("jwks_uri", "it must be reachable from the internet by HTTPS", srcMBS)
		}
	default:
		add("pattern", "allowed: client_secret_post, private_key_jwt", srcTest)
	}
	return all
}
