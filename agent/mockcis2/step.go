package mockcis2

import (
	"encoding/json"
	"time"

	"authbridge/agent/cis2"
)

// Step is where a sign-in stands.
type Step struct {
	Stage string `json:"stage"` // choose, smartcard, webauthn, totp, role, done
	// Action is the path that answers are posted to, with CSRF as the field csrf.
	Action      string `json:"action"`
	CSRF        string `json:"csrf"`
	Application string `json:"application"` // that the user signs in to
	// Problem is what was wrong with the last answer, for a person.
	Problem string `json:"problem,omitempty"`

	User           string               `json:"user,omitempty"`
	Authenticators []cis2.Authenticator `json:"authenticators,omitempty"` // to choose from
	Authenticator  cis2.Authenticator   `json:"authenticator,omitempty"`  // chosen
	ACRs           []string             `json:"acr_values"`

	Reference string    `json:"reference,omitempty"` // of a smartcard's proof
	Expires   time.Time `json:"expires,omitzero"`    // of the reference
	// Options are a PublicKeyCredentialRequestOptionsJSON.
	Options json.RawMessage `json:"options,omitempty"`
	Roles   []cis2.Role     `json:"roles,omitempty"` // to choose from
	// Continue is where the browser goes back from, once the stage is done.
	Continue string `json:"continue,omitempty"`

	users []cis2.User // for the page, to choose from
}

// loginPath is that of a login's pages, and of its cookie.
func loginPath(id string) string { return "/signin/" + id }

// step tells where a login stands. The mutex is held.
func (s *Server) step(l *login) Step {
	st := Step{
		Stage: string(l.stage), Action: loginPath(l.id), CSRF: l.csrf, Application: l.client.ClientID, Problem: l.problem,
		User: l.user, Authenticator: l.with, ACRs: l.request.acrs.Values(), Reference: l.reference, Options: l.options,
	}
	if l.client.Name != "" {
		st.Application = l.client.Name
	}
	switch l.stage {
	case stageChoose:
		st.Authenticators = s.offered(l.request.acrs)
		for _, u := range s.book.users {
			st.users = append(st.users, u.User)
		}
	case stageSmartcard:
		st.Expires = l.referenceMade.Add(referenceFor)
	case stageRole:
		if u, ok := s.book.users[l.auth.user]; ok {
			st.Roles = u.Roles
		}
	case stageDone:
		st.Continue = st.Action + "/continue"
	}
	return st
}
