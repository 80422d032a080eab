package cis2

import (
	"errors"
	"fmt"
	"strings"
)

// RealmPath ends every issuer of CIS2 for health and care workers, and begins
// the path of each endpoint (MAVIS, CPT).
const RealmPath = "/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare"

// The environments. A mock has the name of the target that it is.
const (
	INT  = "int"
	DEP  = "dep"
	PROD = "prod"
	Mock = "mock"
)

// Environment is one installation of CIS2.
type Environment struct {
	Name   string
	Issuer string // byte for byte, as tokens have it: with :443
	// SignIn is whether a sign-in may be driven there. In live use nobody does
	// that but the person: only its discovery and its claims are read.
	SignIn  bool
	Sure    Sure
	Sources []Source
}

// Environments are those whose issuer is public. The host of the deployment
// environment is not: [Configured] makes it (ENV).
func Environments() []Environment {
	return []Environment{
		{
			Name: INT, Issuer: "https://am.nhsint.auth-ptl.cis2.spineservices.nhs.uk:443" + RealmPath, SignIn: true,
			Sure: Verified, Sources: []Source{srcMAVIS, srcCPT},
		},
		{
			Name: PROD, Issuer: "https://am.nhsidentity.spineservices.nhs.uk:443" + RealmPath,
			Sure: Verified, Sources: []Source{srcMAVIS, srcDom},
		},
	}
}

// FindEnvironment looks one up by its name.
func FindEnvironment(name string) (Environment, bool) {
	for _, e := range Environments() {
		if e.Name == name {
			return e, true
		}
	}
	return Environment{}, false
}

// Configured is an environment whose issuer a person configured: the deployment
// environment, or a target of one's own. It is an error to configure another
// issuer for one that is known.
func Configured(name, issuer string) (Environment, error) {
	if known, ok := FindEnvironment(name); ok {
		if diff := IssuerDifference(known.Issuer, issuer); diff != "" {
			return Environment{}, fmt.Errorf("issuer of %s: %s", name, diff)
		}
		return known, nil
	}
	if err := checkIssuer(issuer); err != nil {
		return Environment{}, fmt.Errorf("issuer of %s: %w", name, err)
	}
	return Environment{Name: name, Issuer: issuer, SignIn: true, Sure: Guessed, Sources: []Source{srcEnv}}, nil
}

// checkIssuer holds OpenID Connect Core 1.0, 2: https, and neither query nor
// fragment. Plain http is for one's own machine.
func checkIssuer(issuer string) error {
	u, ok := splitURI(issuer)
	switch {
	case !ok:
		return errors.New("not a URI with a host")
	case strings.ContainsAny(issuer, "?#"):
		return errors.New("it has a query or a fragment")
	case u.scheme == "https", u.scheme == "http" && u.loopback():
		return nil
	}
	return errors.New("allowed: https, and http for one's own machine")
}

// Endpoints are the addresses of an environment.
type Endpoints struct {
	Authorize, Token, Userinfo, JWKS, Discovery string
	EndSession                                  string // as ForgeRock AM has it; discovery tells for sure
}

// Endpoints are where CIS2 has them (CPT). What discovery says goes before it.
func (e Environment) Endpoints() Endpoints { return EndpointsOf(e.Issuer) }

// EndpointsOf are the endpoints below an issuer.
func EndpointsOf(issuer string) Endpoints {
	return Endpoints{
		Authorize: issuer + "/authorize", Token: issuer + "/access_token", Userinfo: issuer + "/userinfo",
		JWKS: issuer + "/connect/jwk_uri", Discovery: issuer + "/.well-known/openid-configuration",
		EndSession: issuer + "/connect/endSession",
	}
}

// IssuerDifference says how an issuer differs from the one wanted, and is empty
// where not a byte does. Naming the usual mistakes saves a search: libraries
// drop :443 because it is the default.
func IssuerDifference(want, got string) string {
	switch {
	case want == got:
		return ""
	case got == "":
		return "it is missing"
	case strings.Replace(want, ":443/", "/", 1) == got:
		return "the port :443 is missing"
	case strings.Replace(got, ":443/", "/", 1) == want:
		return "the port :443 is too much"
	case want+"/" == got:
		return "a slash at the end is too much"
	case strings.EqualFold(want, got):
		return "upper and lower case differ"
	}
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	return fmt.Sprintf("it differs from octet %d on", i)
}
