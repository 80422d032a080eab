package health

import (
	"slices"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// keyRegistered: what is registered at a target cannot be read from a key, so
// that nothing but a login settles it.
func keyRegistered(s subject) finding {
	return registered(s, "this key", func(p *contract.Proof) bool { return p.Authenticator == s.key.ID })
}

// helloRegistered is the same of Windows Hello, of which a machine has one.
func helloRegistered(s subject) finding {
	return registered(s, "Windows Hello", func(p *contract.Proof) bool { return p.Kind == contract.Platform })
}

// registered judges what login runs at the target have shown. An authenticator
// that is one user's may be refused as another's: one user is enough.
func registered(s subject, what string, is func(*contract.Proof) bool) finding {
	var last *contract.Proof
	for i := range s.facts.Proofs {
		p := &s.facts.Proofs[i]
		if p.Target != s.target.Name || !is(p) {
			continue
		}
		better := last == nil || p.Outcome == contract.Proven && last.Outcome != contract.Proven
		if better || p.Outcome == last.Outcome && p.At.After(last.At) {
			last = p
		}
	}
	var f finding
	switch {
	case last == nil:
		return unknown("no login with " + what + " at " + s.target.Name + " is on record; one would settle it")
	case last.Outcome == contract.Proven:
		f = pass("a login with " + what + " at " + s.target.Name + " proved it: " + last.Login)
	default:
		f = fail("the last login with " + what + " at " + s.target.Name + " was refused: " + last.Login)
	}
	f.at = last.At
	return f
}

func appRules() []Rule {
	return []Rule{{Code: failure.TOTPReady, Scope: OfApp, judge: appReady}}
}

// appReady looks at the file alone: what is in it is read when it is used.
func appReady(s subject) finding {
	if s.app.Trouble != "" {
		return fail("its secret cannot be read: " + s.app.Trouble)
	}
	return pass("its secret is configured, in a file that the daemon alone can read")
}

// Bindings are the users whose authenticators are, by authenticator: those that
// the configuration names, then those as whom logins were run with them.
func Bindings(users []User, proofs []contract.Proof) map[string][]contract.Binding {
	all := make(map[string][]contract.Binding)
	for _, u := range users {
		for _, id := range u.Authenticators {
			for target, uuid := range u.UUID {
				all[id] = append(all[id], contract.Binding{Target: target, User: uuid, By: contract.ByConfiguration})
			}
		}
	}
	for i := range proofs {
		p := &proofs[i]
		bound := all[p.Authenticator]
		if i := slices.IndexFunc(bound, func(b contract.Binding) bool { return b.Target == p.Target && b.User == p.User }); i >= 0 {
			bound[i].Login = p.Outcome
			continue
		}
		all[p.Authenticator] = append(bound, contract.Binding{Target: p.Target, User: p.User, By: contract.ByLogin, Login: p.Outcome})
	}
	for _, bound := range all {
		slices.SortFunc(bound, func(a, b contract.Binding) int {
			return strings.Compare(a.Target+" "+a.By+" "+a.User, b.Target+" "+b.By+" "+b.User)
		})
	}
	return all
}
