package mockcis2

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tokenRequest is what a client asks of the token endpoint, beside who it is.
type tokenRequest struct{ code, redirect, verifier string }

// tokenParameters may not come twice (RFC 6749, 3.2).
var tokenParameters = []string{
	"grant_type", "code", "redirect_uri", "client_id", "client_secret", "client_assertion", "client_assertion_type", "code_verifier",
}

// A code verifier has 43 to 128 unreserved characters (RFC 7636, 4.1).
const leastVerifier, mostVerifier = 43, 128

func parseToken(values url.Values) (tokenRequest, *oauthError) {
	r := tokenRequest{code: values.Get("code"), redirect: values.Get("redirect_uri"), verifier: values.Get("code_verifier")}
	if name, ok := twice(values, tokenParameters); ok {
		return r, refuse(invalidRequest, name+" comes twice")
	}
	switch {
	case values.Get("grant_type") == "":
		return r, refuse(invalidRequest, "grant_type is missing")
	case values.Get("grant_type") != "authorization_code":
		return r, refuse(unsupportedGrant, "grant_type: allowed is authorization_code")
	case r.code == "":
		return r, refuse(invalidRequest, "code is missing")
	case r.verifier != "" && (len(r.verifier) < leastVerifier || len(r.verifier) > mostVerifier || !unreserved(r.verifier)):
		return r, refuse(invalidGrant, "code_verifier: allowed are 43 to 128 unreserved characters")
	}
	return r, nil
}

func unreserved(s string) bool { return base64URL(strings.NewReplacer(".", "", "~", "").Replace(s)) }

// token is the token endpoint (OpenID Connect Core 1.0, 3.1.3).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	values, refused := form(r)
	if refused != nil {
		s.refuseToken(w, r, refused)
		return
	}
	if name, ok := twice(values, tokenParameters); ok {
		s.refuseToken(w, r, refuse(invalidRequest, name+" comes twice"))
		return
	}
	proof, refused := readClientProof(r.Header, values)
	var client *Client
	if refused == nil {
		client, refused = s.authenticate(r.Context(), proof)
		s.sawAuthenticated(proof, refused == nil)
	}
	var request tokenRequest
	if refused == nil {
		request, refused = parseToken(values)
	}
	if refused != nil {
		s.refuseToken(w, r, refused)
		return
	}
	// What goes wrong goes wrong before the code is spent, so that who asks again
	// gets its answer.
	f := s.faultsOfCode(client.ClientID, request.code)
	if !s.stall(w, r, f) {
		return
	}
	accessToken, g, user, refused := s.redeem(client, request)
	if refused != nil {
		s.refuseToken(w, r, refused)
		return
	}
	idToken, err := s.idToken(client, g, user, accessToken, request.code, f)
	if err != nil {
		s.ill("token", err)
		writeJSON(w, http.StatusInternalServerError, refuse(serverError, "the token could not be signed"))
		return
	}
	if skew := f.skew(); skew != 0 {
		w.Header().Set("Date", s.config.Now().Add(skew).UTC().Format(http.TimeFormat))
	}
	s.config.Log.WithField("client", client.ClientID).WithField("acr", g.acr.Value).Info("mock: a token is given out")
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": accessToken, "token_type": "Bearer", "expires_in": int(tokenFor / time.Second),
		"scope": strings.Join(g.scopes, " "), "id_token": idToken,
	})
}

func (s *Server) refuseToken(w http.ResponseWriter, r *http.Request, refused *oauthError) {
	s.config.Log.WithField("error", refused.Code).Info("mock: a token is refused")
	status := http.StatusBadRequest
	if refused.Code == invalidClient {
		status = http.StatusUnauthorized
		if r.Header.Get("Authorization") != "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="mock"`)
		}
	}
	writeJSON(w, status, refused)
}

func (s *Server) faultsOfCode(client, code string) faults {
	now := s.config.Now()
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	state := ""
	if g, ok := s.book.codes.get(digest(code), now); ok && g.client == client {
		state = g.state
	}
	return s.book.faultsOf(client, state, now)
}

// redeem gives an access token for a code, once. A code that comes again takes
// back what it gave (RFC 6749, 4.1.2); one that fails is spent.
func (s *Server) redeem(client *Client, r tokenRequest) (accessToken string, g *grant, user *User, refused *oauthError) {
	now := s.config.Now()
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	g, ok := s.book.codes.get(digest(r.code), now)
	if !ok {
		return "", nil, nil, refuse(invalidGrant, "the code is not known, or was not given to this client")
	}
	if g.used {
		for _, token := range g.tokens {
			delete(s.book.tokens.all, token)
		}
		return "", nil, nil, refuse(invalidGrant, "the code was used before; its tokens are void")
	}
	g.used = true
	user, there := s.book.users[g.auth.user]
	switch {
	case g.client != client.ClientID:
		return "", nil, nil, refuse(invalidGrant, "the code is not known, or was not given to this client")
	case !now.Before(g.until):
		return "", nil, nil, refuse(invalidGrant, "the code has expired")
	case g.redirect != r.redirect:
		return "", nil, nil, refuse(invalidGrant, "redirect_uri is not the one of the request")
	case g.challenge == "" && r.verifier != "":
		return "", nil, nil, refuse(invalidGrant, "there is a code_verifier, but the request had no code_challenge")
	case g.challenge != "" && !verifies(r.verifier, g.challenge):
		return "", nil, nil, refuse(invalidGrant, "code_verifier is not that of the code_challenge")
	case !there:
		return "", nil, nil, refuse(invalidGrant, "the user is gone")
	}
	accessToken = newSecret()
	g.tokens = append(g.tokens, digest(accessToken))
	s.book.tokens.put(digest(accessToken), &access{grant: g}, now, now.Add(tokenFor))
	return accessToken, g, user, nil
}

func verifies(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return verifier != "" && same(base64.RawURLEncoding.EncodeToString(sum[:]), challenge)
}
