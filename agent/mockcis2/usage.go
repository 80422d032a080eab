package mockcis2

import (
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"authbridge/agent/cis2"
)

// mostSeen bounds what is kept of a parameter, in octets.
const mostSeen = 200

// Usage is what a client that is registered here was last seen to do. Refused
// requests count too: those are the ones that somebody looks for. Anybody can
// send one in a client's name, so it is a finding, and no proof.
func (s *Server) Usage(client string) cis2.Usage {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	return s.book.usage[client]
}

// sawAsked keeps what a client asks for.
func (s *Server) sawAsked(client *Client, values url.Values) {
	given := func(name string) bool { return values.Get(name) != "" }
	asked := cis2.Asked{
		At: s.config.Now(), Redirect: bounded(values.Get("redirect_uri")),
		ACR: bounded(values.Get("acr_values")), Prompt: bounded(values.Get("prompt")), MaxAge: bounded(values.Get("max_age")),
		Scopes: strings.Fields(bounded(values.Get("scope"))), State: given("state"), Nonce: given("nonce"), PKCE: given("code_challenge"),
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	usage := s.book.usage[client.ClientID]
	usage.Asked = asked
	s.book.usage[client.ClientID] = usage
}

// sawAuthenticated keeps how a client authenticates, if it is one of ours by its
// own words.
func (s *Server) sawAuthenticated(p clientProof, accepted bool) {
	seen := cis2.Authenticated{At: s.config.Now(), Method: p.method, Accepted: accepted}
	if p.method == string(cis2.PrivateKeyJWT) {
		p.id, seen.Alg = issuerOf(p.assertion)
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if s.book.clients[p.id] == nil {
		return
	}
	usage := s.book.usage[p.id]
	usage.Authenticated = seen
	s.book.usage[p.id] = usage
}

// anyAlg are those that an assertion is looked at with, so as to say which one it
// has; none is accepted for that.
var anyAlg = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.HS256, jose.HS384, jose.HS512,
}

// issuerOf reads who an assertion says it is of, and its algorithm.
func issuerOf(assertion string) (client, alg string) {
	if len(assertion) > mostAssertion {
		return "", ""
	}
	token, err := jwt.ParseSigned(assertion, anyAlg)
	var claims assertionClaims
	if err != nil || len(token.Headers) != 1 || token.UnsafeClaimsWithoutVerification(&claims) != nil {
		return "", ""
	}
	return claims.Issuer, token.Headers[0].Algorithm
}

// bounded cuts what is no printable ASCII, and what is longer than kept.
func bounded(s string) string {
	kept := slices.DeleteFunc([]byte(s[:min(len(s), mostSeen)]), func(c byte) bool { return c < ' ' || c > '~' })
	return string(kept)
}
