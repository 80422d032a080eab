package mockcis2

import (
	"context"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"authbridge/agent/cis2"
)

// What CIS2 asks of a client's assertion (RFC 7523; NHS: private key JWT).
const (
	assertionFor  = 5 * time.Minute
	assertionSkew = 10 * time.Second // between two clocks
	mostAssertion = 8 << 10          // octets
	mostJTI       = 256
)

// notValid begins the description of every refused assertion, as CIS2's does
// (MBS).
const notValid = "JWT is not valid: "

func badAssertion(why string) *oauthError { return refuse(invalidClient, notValid+why) }

type assertionClaims struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"`
	Audience cis2.Audience    `json:"aud"`
	ID       string           `json:"jti"`
	Expiry   *jwt.NumericDate `json:"exp"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	NotYet   *jwt.NumericDate `json:"nbf"`
}

// authenticateJWT checks a client by an assertion signed with its key.
func (s *Server) authenticateJWT(ctx context.Context, p clientProof) (*Client, *oauthError) {
	if len(p.assertion) > mostAssertion {
		return nil, badAssertion("it is too long")
	}
	token, err := jwt.ParseSigned(p.assertion, []jose.SignatureAlgorithm{jose.RS256, jose.RS512})
	if err != nil || len(token.Headers) != 1 {
		return nil, badAssertion("allowed is a compact JWS with RS256 or RS512")
	}
	header := token.Headers[0]
	var claims assertionClaims
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return nil, badAssertion("its claims cannot be read")
	}
	client, ok := s.book.client(claims.Issuer)
	switch {
	case !ok || client.Pattern != cis2.PrivateKeyJWT || p.id != "" && p.id != claims.Issuer:
		return nil, badAssertion("iss is no client registered for private_key_jwt, or not the client_id")
	case header.KeyID == "":
		return nil, badAssertion("its header has no kid")
	case client.SigningAlgorithm != "" && client.SigningAlgorithm != header.Algorithm:
		return nil, badAssertion("the client is registered for " + client.SigningAlgorithm)
	}
	keys, problem := s.fetched.find(ctx, client, header.KeyID)
	if problem != "" {
		return nil, badAssertion(problem)
	}
	if !slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool {
		return fits(k, header.Algorithm) && token.Claims(k.Key, &assertionClaims{}) == nil
	}) {
		return nil, badAssertion("its signature is not by the key that kid names")
	}
	if refused := claims.check(s.ends.Token, s.config.Now()); refused != nil {
		return nil, refused
	}
	return client, s.once(client.ClientID, claims)
}

func fits(k jose.JSONWebKey, algorithm string) bool {
	return (k.Use == "" || k.Use == "sig") && (k.Algorithm == "" || k.Algorithm == algorithm)
}

// check holds the claims of an assertion whose signature is good.
func (c assertionClaims) check(tokenEndpoint string, now time.Time) *oauthError {
	switch {
	case c.Subject != c.Issuer:
		return badAssertion("sub is not iss")
	case len(c.Audience) != 1 || c.Audience[0] != tokenEndpoint:
		return badAssertion("aud is not the token endpoint alone")
	case c.ID == "" || len(c.ID) > mostJTI:
		return badAssertion("jti is missing or too long")
	case c.Expiry == nil:
		return badAssertion("exp is missing")
	case !now.Add(-assertionSkew).Before(c.Expiry.Time()):
		return badAssertion("it has expired")
	case c.Expiry.Time().After(now.Add(assertionFor + assertionSkew)):
		return badAssertion("exp is more than 5 minutes ahead")
	case c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(assertionSkew)):
		return badAssertion("iat is in the future")
	case c.IssuedAt != nil && c.Expiry.Time().Sub(c.IssuedAt.Time()) > assertionFor:
		return badAssertion("exp is more than 5 minutes after iat")
	case c.NotYet != nil && c.NotYet.Time().After(now.Add(assertionSkew)):
		return badAssertion("nbf is in the future")
	}
	return nil
}

// once holds that an assertion comes once: its jti is remembered while it would
// be good.
func (s *Server) once(client string, c assertionClaims) *oauthError {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	key := digest(client + "\x00" + c.ID)
	if !s.book.assertions.add(key, struct{}{}, s.config.Now(), c.Expiry.Time().Add(assertionSkew)) {
		return badAssertion("its jti came before, or too many come at once")
	}
	return nil
}
