package assurance

import (
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

// environment is the sort of card that a target takes; empty is not known.
func environment(target string) string {
	switch target {
	case "int", "dep":
		return health.EnvironmentTest
	case "prod":
		return health.EnvironmentLive
	}
	return ""
}

// ofUser is the check whose authenticator a kind's is: a card says it itself.
func ofUser(k contract.Kind) failure.Code {
	if k == contract.Smartcard {
		return failure.CertUUID
	}
	return failure.AuthenticatorUser
}

// userCheck says whether an authenticator is that of the user who was asked
// for, which only a question can give a meaning. It never says whose it is.
func userCheck(a *contract.Authenticator, q contract.Question) (contract.Check, bool) {
	is := noun(a.Kind)
	state, evidence := contract.Pass, "the "+is+" is that of the user who was asked for"
	switch {
	case q.User == "" && (q.Target == Mock || a.Kind != contract.Smartcard):
		return contract.Check{}, false
	case q.User == "":
		state, evidence = contract.Warn, "no user was asked for, so any card will do"
	case a.User == "" && a.Kind == contract.Smartcard:
		state, evidence = contract.Unknown, "no user could be read from the smartcard"
	case a.User == "":
		state, evidence = contract.Unknown, userNotKnown(a.Kind)
	case a.User != q.User:
		state, evidence = contract.Fail, "the "+is+" is that of another user than the one asked for"
	}
	return health.Check(ofUser(a.Kind), state, evidence, a.ObservedAt), true
}

// userNotKnown: nothing but a card says by itself whose it is.
func userNotKnown(k contract.Kind) string {
	return "whose this " + noun(k) + " is cannot be read from it, and no login with it is on record; one as this user would settle it"
}

// belonging is the order in which authenticators answer for a user who was
// asked for: that user's own, those that do not say whose they are, others'.
func belonging(a *contract.Authenticator, q contract.Question) int {
	switch {
	case q.User == "" || a.User == q.User:
		return 0
	case a.User == "":
		return 1
	}
	return 2
}

// issuerCheck is CERT_ISSUER_ENV in the light of a target: what health says of
// the card holds nowhere, a test card is wrong for live and the reverse.
func issuerCheck(c contract.Check, a *contract.Authenticator, target string) contract.Check {
	if c.Code != string(failure.CertIssuerEnv) || c.State == contract.Unknown || c.State == contract.Fail {
		return c
	}
	wants := environment(target)
	state, evidence := contract.Pass, "a "+a.Environment+" card, as "+target+" takes"
	switch {
	case a.Environment != health.EnvironmentTest && a.Environment != health.EnvironmentLive:
		state, evidence = contract.Unknown, "the issuer of the card is neither one of test nor one of live cards"
	case wants == "":
		state, evidence = contract.Unknown, "whether "+target+" takes test or live cards is not known; this is a "+a.Environment+" card"
	case wants != a.Environment:
		state, evidence = contract.Fail, "a "+a.Environment+" card, and "+target+" takes "+wants+" cards"
	}
	return health.Check(failure.CertIssuerEnv, state, evidence, c.ObservedAt)
}

// counts is rule 4: what is not known to be physical counts for the mock only.
func counts(a *contract.Authenticator, target string) bool {
	return target == Mock || a.Origin == contract.Physical
}

// preferred is the order of origins in which authenticators are chosen: for
// the mock a virtual one first, so that no test ever waits on somebody's own
// key.
func preferred(a *contract.Authenticator, target string) int {
	if (a.Origin == contract.Physical) == (target == Mock) {
		return 1
	}
	return 0
}
