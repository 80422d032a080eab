package mockcis2

import (
	"time"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
)

// idTokenFor is how long an ID token is good.
const idTokenFor = time.Hour

// idTokenType and logoutTokenType tell the two apart in their headers.
const idTokenType, logoutTokenType = "JWT", "logout+jwt" //nolint:gosec // names of types, no credentials

// wrongNonce and wrongUser are what faults put in the place of the right ones.
const (
	wrongNonce    = "not-the-nonce"
	wrongAudience = "another-client"
	wrongUser     = "999999999999"
)

// idToken makes and signs an ID token, with the claims that CIS2's has (IDS).
func (s *Server) idToken(client *Client, g *grant, user *User, accessToken, code string, f faults) (string, error) {
	claims := s.idClaims(client, g, user, s.config.Now())
	claims["at_hash"], claims["c_hash"] = halfHash(accessToken), halfHash(code)
	f.change(claims, s.issuerIn(f))
	token, err := s.keys.sign(claims, idTokenType, jose.RS256)
	if f.has(BadSignature) {
		token = spoil(token)
	}
	return token, err
}

func (s *Server) idClaims(client *Client, g *grant, user *User, now time.Time) map[string]any {
	claims := map[string]any{
		"iss": s.issuer, "sub": user.UUID, "aud": client.ClientID, "azp": client.ClientID,
		"iat": seconds(now), "exp": seconds(now.Add(idTokenFor)), "auth_time": seconds(g.auth.at),
		"acr": g.acr.Value, "sid": g.sid,
		"authentication_assurance_level":  level(cis2.AALOf(g.auth.with), client.LevelsAsNumbers),
		"id_assurance_level":              level(user.IAL, client.LevelsAsNumbers),
		"realm":                           "/NHSIdentity/Healthcare",
		"tokenName":                       "id_token",
		"tokenType":                       "JWTToken",
		"auditTrackingId":                 newID(),
		"org.forgerock.openidconnect.ops": newID(),
	}
	if amr, ok := s.config.AMRs.Of(g.auth.with, g.acr.Value); ok {
		claims["amr"] = []string{amr.Value}
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	if g.state != "" {
		claims["s_hash"] = halfHash(g.state)
	}
	if role := g.selected(user); role != "" {
		claims["selected_roleid"] = role
	}
	return claims
}

// selected is the role that the token is for, where the application asks: the
// one chosen, or the only one.
func (g *grant) selected(user *User) string {
	switch {
	case !authorizeRequest{scopes: g.scopes}.asks("selectedrole"):
		return ""
	case g.role != "":
		return g.role
	case len(user.Roles) > 0:
		return user.Roles[0].RoleID
	}
	return ""
}

func level(value int, number bool) cis2.Level { return cis2.Level{Value: value, Number: number} }

// change makes of good claims those that a fault asks for.
func (f faults) change(claims map[string]any, issuer string) {
	claims["iss"] = issuer
	for _, fault := range f {
		switch fault.Name {
		case NoACR:
			delete(claims, "acr")
		case NoLevel:
			delete(claims, "authentication_assurance_level")
		case LevelAsNumber, LevelAsText, LevelTooLow, IdentityTooLow:
			changeLevels(claims, fault.Name)
		case WrongAudience:
			claims["aud"], claims["azp"] = wrongAudience, wrongAudience
		case WrongSubject:
			claims["sub"] = wrongUser
		case WrongNonce:
			claims["nonce"] = wrongNonce
		case Expired:
			shift(claims, -2*idTokenFor, "iat", "exp")
		case StaleAuthTime:
			shift(claims, -staleBy, "auth_time")
		case ClockSkew:
			shift(claims, fault.Amount, "iat", "exp", "auth_time")
		}
	}
}

func changeLevels(claims map[string]any, fault string) {
	for name, value := range claims {
		l, ok := value.(cis2.Level)
		if !ok {
			continue
		}
		switch {
		case fault == LevelAsNumber:
			l.Number = true
		case fault == LevelAsText:
			l.Number = false
		case fault == LevelTooLow && name == "authentication_assurance_level":
			l.Value = max(l.Value-1, 0)
		case fault == IdentityTooLow && name == "id_assurance_level":
			l.Value = 2
		}
		claims[name] = l
	}
}

func shift(claims map[string]any, by time.Duration, names ...string) {
	for _, name := range names {
		if at, ok := claims[name].(int64); ok {
			claims[name] = at + int64(by/time.Second)
		}
	}
}
