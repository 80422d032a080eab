package webauthn

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// prod is the target that no relying party is ever used for (DESIGN rule 9).
const prod = "prod"

// claim decides which RP ID a page speaks for (WebAuthn L3, 5.1.3 and 5.1.4,
// effective domain and RP ID; DESIGN rule 9). An empty rpID is the default: the
// page's own host.
func claim(page Page, rpID string, parties []Party) (string, error) {
	caller, err := callerOrigin(page.Origin, "origin")
	if err != nil {
		return "", err
	}
	if caller.port == "*" {
		return "", originRefused("origin", "a page has one port")
	}
	if page.Top != "" {
		if top, err := parseOrigin(page.Top, "top"); err != nil {
			return "", err
		} else if top.port == "*" {
			return "", originRefused("top", "a page has one port")
		}
	}
	if rpID == "" {
		rpID = caller.host
	}
	if why := badDomain(rpID); why != "" {
		return "", rpIDRefused("the RP ID " + why)
	}
	if isIP(rpID) { // digits among them, which are not repeated: they may be a PIN in the wrong place
		return "", rpIDRefused("an RP ID cannot be an IP address: use localhost")
	}
	if !isSuffixOrEqual(rpID, caller.host) {
		return "", rpIDRefused(fmt.Sprintf("%s is neither the host of %s nor a registrable suffix of it", rpID, page.Origin))
	}
	if isPublic(rpID) {
		return "", rpIDRefused(rpID + " is a public suffix")
	}
	if !slices.ContainsFunc(parties, func(p Party) bool { return p.allows(rpID, page) }) {
		return "", &Error{
			Name: SecurityError, Kind: NotListed,
			Detail: fmt.Sprintf("no relying party %s with origin %s for target %s", rpID, page.Origin, page.Target),
		}
	}
	return rpID, nil
}

// isSuffixOrEqual is HTML's "is a registrable domain suffix of or is equal to"
// (HTML, 7.1.1.2), for hosts that are valid domains. A public suffix, such as
// localhost, is equal to itself and a suffix of nothing.
func isSuffixOrEqual(suffix, host string) bool {
	if suffix == host {
		return true
	}
	if !strings.HasSuffix(host, "."+suffix) {
		return false
	}
	if public, _ := publicsuffix.PublicSuffix(suffix); public == suffix {
		return false
	}
	public, _ := publicsuffix.PublicSuffix(host)
	return !strings.HasSuffix(public, "."+suffix)
}

// isPublic is whether anybody may have names below an RP ID. A name of one
// label counts, as the list has it; localhost, which is on nobody's net, not.
func isPublic(rpID string) bool {
	public, _ := publicsuffix.PublicSuffix(rpID)
	return public == rpID && rpID != "localhost"
}

func (p Party) allows(rpID string, page Page) bool {
	return p.ID == rpID && page.Target != prod && slices.Contains(p.Targets, page.Target) &&
		slices.ContainsFunc(p.Origins, func(o string) bool { return allowsOrigin(o, page.Origin) })
}

// allowsOrigin compares origins that are each in their one form.
func allowsOrigin(listed, actual string) bool {
	base, anyPort := strings.CutSuffix(listed, ":*")
	if !anyPort {
		return listed == actual
	}
	if base != "http://localhost" && base != "https://localhost" {
		return false
	}
	return actual == base || strings.HasPrefix(actual, base+":")
}

// ValidateParty says what is wrong with a line of the allow-list, as an *Error
// whose Field is id, origins[0] or targets[0].
func ValidateParty(p Party) error {
	if why := badDomain(p.ID); why != "" {
		return malformed(TypeError, "id", "the RP ID "+why)
	}
	if isIP(p.ID) {
		return malformed(TypeError, "id", "an RP ID cannot be an IP address: use localhost")
	}
	if isPublic(p.ID) {
		return malformed(TypeError, "id", p.ID+" is a public suffix")
	}
	if len(p.Origins) == 0 {
		return malformed(TypeError, "origins", "none is given")
	}
	for i, s := range p.Origins {
		field := fmt.Sprintf("origins[%d]", i)
		o, err := callerOrigin(s, field)
		switch {
		case err != nil:
			return err
		case o.port == "*" && o.host != "localhost":
			return malformed(TypeError, field, "any port is for localhost alone")
		case !isSuffixOrEqual(p.ID, o.host):
			return malformed(TypeError, field, fmt.Sprintf("no page of %s may speak for %s", s, p.ID))
		}
	}
	if len(p.Targets) == 0 {
		return malformed(TypeError, "targets", "none is given")
	}
	for i, target := range p.Targets {
		switch target {
		case "":
			return malformed(TypeError, fmt.Sprintf("targets[%d]", i), "empty")
		case prod:
			return malformed(TypeError, fmt.Sprintf("targets[%d]", i), "no relying party is used for prod")
		}
	}
	return nil
}
