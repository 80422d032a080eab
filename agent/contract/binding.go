package contract

// Binding is a user whose an authenticator is at one target.
type Binding struct {
	Target string `json:"target"`
	User   string `json:"user" doc:"12-digit UUID, masked without the right identity"`
	By     string `json:"by" enum:"configuration,login"`
	// Login is absent where no login was run with it as this user.
	Login ProofOutcome `json:"login,omitempty" enum:"proven,refused" doc:"what the last login run with it, there and as this user, has shown"`
}

// By whom an authenticator is bound to a user.
const (
	ByConfiguration = "configuration"
	ByLogin         = "login"
)

// Belongs is whether an authenticator is a user's at a target. A smartcard says
// it itself. Of others the configuration says it, which then names all whose it
// is; a login that was proven says it of the user alone as whom it was run, and
// one that was refused the contrary.
func (a *Authenticator) Belongs(user, target string) CheckState {
	if a.Kind == Smartcard {
		switch a.User {
		case "":
			return Unknown
		case user:
			return Pass
		}
		return Fail
	}
	is := Unknown
	for _, b := range a.Users {
		switch {
		case b.Target != target:
		case b.User == user && b.Login == Refused:
			return Fail
		case b.User == user:
			return Pass
		case b.By == ByConfiguration:
			is = Fail
		}
	}
	return is
}

// UserAt is the one user whose an authenticator is at a target, as far as that
// is known: a smartcard's own, the one in the configuration, the only one as whom
// a login was proven. It is empty where there is none, or more than one.
func (a *Authenticator) UserAt(target string) string {
	if a.Kind == Smartcard {
		return a.User
	}
	for _, by := range []string{ByConfiguration, ByLogin} {
		var users []string
		for _, b := range a.Users {
			if b.Target == target && b.By == by && (by == ByConfiguration || b.Login == Proven) {
				users = append(users, b.User)
			}
		}
		if len(users) == 1 {
			return users[0]
		}
		if len(users) > 1 {
			break
		}
	}
	return ""
}
