package cis2

import "time"

// Usage is what an application was last seen to do at a sign-in service, to hold
// against its [Registration]. It has no secret, and nobody's name.
type Usage struct {
	Asked         Asked
	Authenticated Authenticated
}

// Asked is its last request for a sign-in (OpenID Connect Core 1.0, 3.1.2.1).
type Asked struct {
	At                 time.Time // zero: none was seen
	Redirect           string
	ACR, Prompt        string
	MaxAge             string
	Scopes             []string
	State, Nonce, PKCE bool // whether there was one
}

// Authenticated is how it last authenticated at the token endpoint.
type Authenticated struct {
	At       time.Time // zero: it was not seen to
	Method   string    // client_secret_post, client_secret_basic, private_key_jwt
	Alg      string    // of its assertion
	Accepted bool
}
