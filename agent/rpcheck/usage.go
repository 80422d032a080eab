package rpcheck

import (
	"slices"
	"strings"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// notSeen says how to let the mock see something.
const notSeen = "it was not seen: sign in with the application at the mock once, then check again"

// judgeUsage holds what the application was seen to do against its registration.
func judgeUsage(u cis2.Usage, r cis2.Registration) []row {
	return []row{patternRow(u.Authenticated, r), pkceRow(u.Asked), forgeryRow(u.Asked), askedRow(u.Asked, r)}
}

func patternRow(a cis2.Authenticated, r cis2.Registration) row {
	w := row{
		Name: "pattern", State: contract.Pass, Expected: string(r.Pattern), Clause: "OpenID Connect Core 1.0, 9; NHS: test your software", Code: string(failure.RPPattern),
	}
	if r.Pattern == cis2.PrivateKeyJWT && r.SigningAlgorithm != "" {
		w.Expected += " with " + r.SigningAlgorithm
	}
	if a.At.IsZero() {
		return unknown(w.Name, failure.RPPattern, "", notSeen, w.Clause)
	}
	w.Got = printable(strings.TrimSuffix(a.Method+" with "+a.Alg, " with "), mostEvidence)
	w.Evidence = "seen " + a.At.UTC().Format(time.RFC3339)
	switch {
	case a.Method != string(r.Pattern), a.Alg != "" && r.SigningAlgorithm != "" && a.Alg != r.SigningAlgorithm:
		w.State, w.Remedy = contract.Fail, "Have the application authenticate in the way that is registered; CIS2 refuses every other."
	case !a.Accepted:
		w.State, w.Evidence = contract.Fail, w.Evidence+", and refused"
		w.Remedy = "Look at what the token endpoint said to the application: secret, key, kid, aud, exp and jti are checked."
	}
	return w
}

func pkceRow(a cis2.Asked) row {
	w := row{Name: "pkce", State: contract.Pass, Expected: "code_challenge", Got: "there", Clause: "RFC 7636; RFC 9700, 2.1.1", Code: string(failure.RPRequest)}
	switch {
	case a.At.IsZero():
		return unknown(w.Name, failure.RPRequest, "", notSeen, w.Clause)
	case !a.PKCE:
		w.State, w.Got = contract.Warn, "missing"
		w.Remedy = "Send a fresh PKCE challenge (S256) with each request, beside the client's own authentication: a stolen code is then of no use."
	}
	return w
}

// forgeryRow is about what binds an answer to the browser that asked.
func forgeryRow(a cis2.Asked) row {
	w := row{Name: "state-nonce", State: contract.Pass, Expected: "state and nonce", Got: "both", Clause: "RFC 6749, 10.12; OpenID Connect Core 1.0, 3.1.2.1", Code: string(failure.RPRequest)}
	var missing []string
	if !a.State {
		missing = append(missing, "state")
	}
	if !a.Nonce {
		missing = append(missing, "nonce")
	}
	switch {
	case a.At.IsZero():
		return unknown(w.Name, failure.RPRequest, "", notSeen, w.Clause)
	case len(missing) > 0:
		w.State, w.Got = contract.Warn, strings.Join(missing, " and ")+" missing"
		w.Remedy = "Send a fresh `state` and `nonce` with each request, keep both with the browser's session, and compare them with what comes back."
	}
	return w
}

// askedRow says what was asked for: it is for the conversation, and only scopes
// and address can be wrong.
func askedRow(a cis2.Asked, r cis2.Registration) row {
	w := row{Name: "asked", State: contract.Pass, Expected: "a registered address and registered scopes", Clause: "OpenID Connect Core 1.0, 3.1.2.1; NHS: ACR values, scopes and claims", Code: string(failure.RPRequest)}
	if a.At.IsZero() {
		return unknown(w.Name, failure.RPRequest, "", notSeen, w.Clause)
	}
	var parts []string
	for _, p := range [][2]string{
		{"acr_values", a.ACR},
		{"prompt", a.Prompt},
		{"max_age", a.MaxAge},
		{"scope", strings.Join(a.Scopes, " ")},
	} {
		if p[1] == "" {
			p[1] = "not sent"
		}
		parts = append(parts, p[0]+": "+printable(p[1], mostEvidence))
	}
	w.Got, w.Evidence = strings.Join(parts, ", "), "seen "+a.At.UTC().Format(time.RFC3339)
	known := func(s string) bool { return r.Scopes == nil || slices.Contains(r.Scopes, s) }
	switch {
	case !slices.Contains(r.Redirects, a.Redirect):
		w.State, w.Got = contract.Fail, "redirect_uri: "+printable(a.Redirect, mostEvidence)
		w.Remedy = "Send the redirect address octet by octet as it is registered."
	case slices.ContainsFunc(a.Scopes, func(s string) bool { return !known(s) }):
		w.State, w.Remedy = contract.Fail, "Ask only for scopes that the application is registered for."
	case a.ACR == "":
		w.Evidence += "; without acr_values CIS2 asks for AAL3"
	}
	return w
}
