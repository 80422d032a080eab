package mockcis2

import (
	"net/http"

	"authbridge/agent/cis2"
)

// discovery is the document of OpenID Connect Discovery 1.0, 3.
func (s *Server) discovery(w http.ResponseWriter, r *http.Request) {
	f := s.faultsOf("", "")
	if !s.stall(w, r, f) {
		return
	}
	methods := []string{string(cis2.ClientSecret), string(cis2.PrivateKeyJWT)}
	if s.anyBasic() {
		methods = append(methods, basic)
	}
	var scopes []string
	for _, scope := range cis2.Scopes() {
		scopes = append(scopes, scope.Name)
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                           s.issuerIn(f),
		"authorization_endpoint":                           s.ends.Authorize,
		"token_endpoint":                                   s.ends.Token,
		"userinfo_endpoint":                                s.ends.Userinfo,
		"jwks_uri":                                         s.ends.JWKS,
		"end_session_endpoint":                             s.ends.EndSession,
		"scopes_supported":                                 scopes,
		"response_types_supported":                         []string{"code"},
		"response_modes_supported":                         []string{"query"},
		"grant_types_supported":                            []string{"authorization_code"},
		"acr_values_supported":                             s.config.ACRs.Values(),
		"subject_types_supported":                          []string{"public"},
		"id_token_signing_alg_values_supported":            []string{"RS256"},
		"userinfo_signing_alg_values_supported":            []string{"RS256", "RS512"},
		"token_endpoint_auth_methods_supported":            methods,
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256", "RS512"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"prompt_values_supported":                          []string{"none", "login", "consent", "select_account"},
		"claims_supported":                                 claimsSupported(),
		"claims_parameter_supported":                       false,
		"request_parameter_supported":                      false,
		"request_uri_parameter_supported":                  false,
		"backchannel_logout_supported":                     true,
		"backchannel_logout_session_supported":             true,
	})
}

func claimsSupported() []string {
	all := []string{"sub", "iss", "auth_time", "acr", "amr", "sid", "authentication_assurance_level", "id_assurance_level"}
	for _, scope := range cis2.Scopes() {
		for _, claim := range scope.Userinfo {
			if claim != "sub" {
				all = append(all, claim)
			}
		}
	}
	return all
}

func (s *Server) anyBasic() bool {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	for _, c := range s.book.clients {
		if c.Basic {
			return true
		}
	}
	return false
}

// issuerIn is the issuer as tokens name it: the fault leaves its port out.
func (s *Server) issuerIn(f faults) string {
	if f.has(IssuerNoPort) {
		scheme, rest := s.config.Base[:len(s.config.Base)-len(s.host)], trimPort(s.host)
		return scheme + rest + cis2.RealmPath
	}
	return s.issuer
}
