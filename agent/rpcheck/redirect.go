package rpcheck

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// exactness is advice on addresses that are compared octet by octet, of which
// programs make others that mean the same.
func exactness(all []string) row {
	var advice []string
	for i, one := range all {
		u, err := url.Parse(one)
		if err != nil {
			continue // its form is another row's matter
		}
		if u.Host != strings.ToLower(u.Host) {
			advice = append(advice, one+": capitals in the host, which browsers write small")
		}
		if usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]; u.Port() == usual && usual != "" {
			advice = append(advice, one+": the port is the usual one, which frameworks leave out")
		}
		if u.Path == "" {
			advice = append(advice, one+": no path, and some frameworks add a slash")
		}
		if u.RawQuery != "" {
			advice = append(advice, one+": a query, to which code and state are added")
		}
		for _, other := range all[:i] {
			if other != one && strings.EqualFold(strings.TrimSuffix(other, "/"), strings.TrimSuffix(one, "/")) {
				advice = append(advice, one+": almost "+other)
			}
		}
	}
	r := row{
		Name: "redirect-exact", State: contract.Pass, Expected: "addresses that are written in one way only", Got: "as expected",
		Clause: "OpenID Connect Core 1.0, 3.1.2.1; RFC 9700, 2.1", Code: string(failure.RPRedirect),
	}
	if len(advice) > 0 {
		r.State, r.Got = contract.Warn, strings.Join(slices.Compact(advice), "; ")
		r.Remedy = "Send the address exactly as it is registered, from one constant, and register one form of it."
	}
	return r
}

// judgeRedirect is for a call of a redirect address without a code.
func judgeRedirect(status int) (state contract.CheckState, remedy string) {
	switch {
	case status >= 500:
		return contract.Fail, "Answer a call without code and state with a page that says so: users come back to it with the browser's button, and everybody can call it."
	case status == 404 || status == 410:
		return contract.Warn, "Look whether the address is the one that the application handles: nothing answers there."
	}
	return contract.Pass, ""
}

// reachedRow is the row of a call of a redirect address.
func reachedRow(address string, a answer) row {
	r := row{
		Name: "redirect-reached", State: contract.Pass, Subject: address, Expected: "an answer below 500 to a call without a code", Got: said(a.status),
		Clause: "OpenID Connect Core 1.0, 3.1.2.6", Code: string(failure.RPRedirect),
	}
	r.State, r.Remedy = judgeRedirect(a.status)
	if a.problem != "" {
		r.State, r.Got, r.Remedy = contract.Unknown, "", ""
		r.Evidence = fmt.Sprintf("not reached from here: %s; only the user's browser has to", a.problem)
	}
	return r
}
