package mockcis2

import (
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// userinfo is the userinfo endpoint (OpenID Connect Core 1.0, 5.3). The token
// comes in the Authorization header alone (RFC 6750, 2.1).
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) {
	now := s.config.Now()
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.book.mu.Lock()
	a, ok := s.book.tokens.get(digest(token), now)
	ok = ok && strings.EqualFold(scheme, "Bearer")
	var g *grant
	var user *User
	var client *Client
	var f faults
	if ok {
		g = a.grant
		user, client = s.book.users[g.auth.user], s.book.clients[g.client]
		f = s.book.faultsOf(g.client, g.state, now)
	}
	s.book.mu.Unlock()
	if user == nil || client == nil {
		challenge := `Bearer realm="mock"`
		if token != "" {
			challenge += `, error="` + invalidToken + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		writeJSON(w, http.StatusUnauthorized, refuse(invalidToken, "the access token is not known, or has expired"))
		return
	}
	if !s.stall(w, r, f) {
		return
	}
	claims := userClaims(g, user)
	if f.has(WrongSubject) || f.has(OtherUserinfo) {
		claims["sub"] = wrongUser
	}
	if client.SignedUserinfo == "" {
		writeJSON(w, http.StatusOK, claims)
		return
	}
	// CIS2's signed userinfo was seen without aud (NHS: changes, May 2021).
	claims["iss"] = s.issuerIn(f)
	signed, err := s.keys.sign(claims, idTokenType, jose.SignatureAlgorithm(client.SignedUserinfo))
	if err != nil {
		s.ill("userinfo", err)
		writeJSON(w, http.StatusInternalServerError, refuse(serverError, "userinfo could not be signed"))
		return
	}
	if f.has(BadSignature) {
		signed = spoil(signed)
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, _ = w.Write([]byte(signed))
}

// userClaims are those that the scopes bring ([cis2.Scopes]).
func userClaims(g *grant, u *User) map[string]any {
	claims := map[string]any{"sub": u.UUID}
	for _, scope := range g.scopes {
		switch scope {
		case "profile":
			claims["name"], claims["given_name"], claims["family_name"], claims["uid"] = u.Given+" "+u.Family, u.Given, u.Family, u.UUID
		case "email":
			claims["email"] = u.Email
		case "nhsperson":
			claims["nhsid_useruid"], claims["title"], claims["display_name"] = u.UUID, u.Title, u.Given+" "+u.Family
			claims["idassurancelevel"] = level(u.IAL, false)
		case "nationalrbacaccess":
			claims["nhsid_nrbac_roles"] = append(u.Roles[:0:0], u.Roles...)
		case "associatedorgs":
			claims["nhsid_user_orgs"] = append(u.Orgs[:0:0], u.Orgs...)
		case "selectedrole":
			if role := g.selected(u); role != "" {
				claims["selected_roleid"] = role
			}
		}
	}
	return claims
}
