package nhs

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Policy is a rule that an administrator gave a browser, as far as it decides
// whether a page can use what listens on this machine.
type Policy struct {
	Browser string // Chrome, Chromium, Edge
	Name    string // as the browser has it
	Effect  Effect
}

// Effect is what a rule does to pages that use this machine.
type Effect string

// The effects.
const (
	// BlocksCookies: those of localhost are not sent, without which the
	// software on it does not know the browser (domain/cis2.md 2.6).
	BlocksCookies Effect = "blocks cookies"
	BlocksAll     Effect = "blocks all pages"
	BlocksSome    Effect = "blocks some pages"
	Lets          Effect = "lets pages" // some or all, without asking
)

// rules are the policies of one browser by name, as JSON has them: the lists and
// switches of the registry are made so too.
type rules map[string]json.RawMessage

// policiesOf reads the rules that matter (Chrome Enterprise and Microsoft Edge
// policy lists). Those on loopback alone come with version 146, before it those
// on the local network hold for loopback too.
func policiesOf(browser string, r rules) []Policy {
	var all []Policy
	add := func(name string, effect Effect) { all = append(all, Policy{browser, name, effect}) }
	if r.on("BlockThirdPartyCookies") && !slices.ContainsFunc(r.list("CookiesAllowedForUrls"), isLocalhost) {
		add("BlockThirdPartyCookies", BlocksCookies)
	}
	if slices.ContainsFunc(r.list("CookiesBlockedForUrls"), func(p string) bool { return isAll(p) || isLocalhost(p) }) {
		add("CookiesBlockedForUrls", BlocksCookies)
	}
	for _, name := range []string{"LoopbackNetworkBlockedForUrls", "LocalNetworkAccessBlockedForUrls"} {
		switch list := r.list(name); {
		case slices.ContainsFunc(list, isAll):
			add(name, BlocksAll)
		case len(list) > 0:
			add(name, BlocksSome)
		}
	}
	for _, name := range []string{"LoopbackNetworkAllowedForUrls", "LocalNetworkAccessAllowedForUrls"} {
		if len(r.list(name)) > 0 {
			add(name, Lets)
		}
	}
	if r.on("LocalNetworkAccessRestrictionsTemporaryOptOut") {
		add("LocalNetworkAccessRestrictionsTemporaryOptOut", Lets)
	}
	return all
}

// on is whether a switch is on; the registry has it as a number.
func (r rules) on(name string) bool {
	text := strings.TrimSpace(string(r[name]))
	return text == "true" || text == "1"
}

func (r rules) list(name string) []string {
	var list []string
	if json.Unmarshal(r[name], &list) != nil {
		return nil
	}
	return list
}

// isAll is whether a pattern of the lists stands for every page.
func isAll(pattern string) bool {
	p := strings.TrimSpace(pattern)
	return p == "*" || p == "[*.]" || strings.HasSuffix(p, "://*")
}

func isLocalhost(pattern string) bool {
	return strings.Contains(pattern, "localhost") || strings.Contains(pattern, "127.0.0.1")
}

var errNoPolicy = errors.New("a file of browser policies is no JSON object")

// readRules reads a file of policies, as on Linux.
func readRules(text []byte) (rules, error) {
	var r rules
	if json.Unmarshal(text, &r) != nil || r == nil {
		return nil, errNoPolicy
	}
	return r, nil
}

// sortedPolicies puts rules in an order of their own.
func sortedPolicies(all []Policy) []Policy {
	slices.SortFunc(all, func(a, b Policy) int {
		return strings.Compare(a.Browser+" "+a.Name, b.Browser+" "+b.Name)
	})
	return all
}
