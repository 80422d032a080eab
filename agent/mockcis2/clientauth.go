package mockcis2

import (
	"context"
	"net/http"
	"net/url"

	"authbridge/agent/cis2"
)

// basic is client_secret_basic, which CIS2 does not offer.
const basic = "client_secret_basic"

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// clientProof is how a client says who it is.
type clientProof struct {
	method     string
	id, secret string
	assertion  string
}

// readClientProof reads a client's authentication, which must come one way only
// (RFC 6749, 2.3).
func readClientProof(header http.Header, values url.Values) (clientProof, *oauthError) {
	p := clientProof{id: values.Get("client_id"), secret: values.Get("client_secret"), assertion: values.Get("client_assertion")}
	r := http.Request{Header: header}
	user, password, inHeader := r.BasicAuth()
	ways := 0
	if inHeader {
		p.method = basic
		ways++
	}
	if p.secret != "" {
		p.method = string(cis2.ClientSecret)
		ways++
	}
	if p.assertion != "" || values.Get("client_assertion_type") != "" {
		p.method = string(cis2.PrivateKeyJWT)
		ways++
	}
	switch {
	case ways > 1:
		return p, refuse(invalidRequest, "the client authenticates in more than one way")
	case ways == 0:
		return p, refuse(invalidClient, "the client does not authenticate")
	case inHeader:
		// Both are form-encoded before they are joined (RFC 6749, 2.3.1).
		id, err := url.QueryUnescape(user)
		secret, err2 := url.QueryUnescape(password)
		if err != nil || err2 != nil || p.id != "" && p.id != id {
			return p, refuse(invalidClient, "the Authorization header is not as RFC 6749 has it")
		}
		p.id, p.secret = id, secret
	case p.method == string(cis2.PrivateKeyJWT) && values.Get("client_assertion_type") != assertionType:
		return p, refuse(invalidClient, "client_assertion_type: allowed is "+assertionType)
	}
	return p, nil
}

// authenticate finds out which client asks, and holds it to the way that it is
// registered for.
func (s *Server) authenticate(ctx context.Context, p clientProof) (*Client, *oauthError) {
	if p.method == string(cis2.PrivateKeyJWT) {
		return s.authenticateJWT(ctx, p)
	}
	client, ok := s.book.client(p.id)
	if !ok || client.Pattern != cis2.ClientSecret || !same(client.Secret, p.secret) {
		return nil, refuse(invalidClient, "client authentication failed")
	}
	if p.method == basic && !client.Basic {
		return nil, refuse(invalidClient, "CIS2 takes the secret in the body, as client_secret_post")
	}
	return client, nil
}
