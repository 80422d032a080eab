package mockcis2

import "time"

// answer is what becomes of a request.
type answer int

const (
	signIn  answer = iota // somebody signs in
	reuse                 // the session answers
	askRole               // the session answers, once a role is chosen
)

// decide is whether a session answers a request, or somebody must sign in. It is
// an error where that must not be shown.
func decide(r authorizeRequest, s *session, roles int, now time.Time) (answer, *oauthError) {
	if s == nil || !answers(r, s, now) {
		if r.prompt == promptNone {
			return signIn, refuse(loginRequired, "no session answers the request")
		}
		return signIn, nil
	}
	if choosesRole(r, s.role, roles) {
		if r.prompt == promptNone {
			return signIn, refuse(interactionRequired, "a role must be chosen")
		}
		return askRole, nil
	}
	return reuse, nil
}

func answers(r authorizeRequest, s *session, now time.Time) bool {
	if r.prompt == promptLogin || r.hint != "" && r.hint != s.auth.user {
		return false
	}
	if r.maxAge >= 0 && now.Sub(s.auth.at) > r.maxAge {
		return false
	}
	if r.maxAge == 0 { // the same as prompt=login (OpenID Connect Core 1.0, 3.1.2.1)
		return false
	}
	_, ok := r.acrs.Satisfied(s.auth.with)
	return ok
}

// choosesRole is whether the user is asked for a role: where the application
// wants a selected one and there is a choice (NHS: role selection).
func choosesRole(r authorizeRequest, chosen string, roles int) bool {
	return chosen == "" && roles > 1 && r.asks("selectedrole")
}
