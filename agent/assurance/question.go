package assurance

import (
	"cmp"
	"slices"
	"time"

	"authbridge/agent/cis2"
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
	switch {
	case q.User == "" && (q.Target == Mock || a.Kind != contract.Smartcard):
		return contract.Check{}, false
	case q.User == "":
		return health.Check(ofUser(a.Kind), contract.Warn, "no user was asked for, so any card will do", a.ObservedAt), true
	}
	state := a.Belongs(q.User, q.Target)
	evidence := "the " + is + " is that of the user who was asked for"
	switch {
	case state == contract.Unknown && a.Kind == contract.Smartcard:
		evidence = "no user could be read from the smartcard"
	case state == contract.Unknown:
		evidence = userNotKnown(a.Kind)
	case state == contract.Fail && refused(a, q):
		evidence = "the last login with the " + is + " as the user who was asked for was refused"
	case state == contract.Fail:
		evidence = "the " + is + " is that of another user than the one asked for"
	}
	return health.Check(ofUser(a.Kind), state, evidence, a.ObservedAt), true
}

func refused(a *contract.Authenticator, q contract.Question) bool {
	return slices.ContainsFunc(a.Users, func(b contract.Binding) bool {
		return b.Target == q.Target && b.User == q.User && b.Login == contract.Refused
	})
}

// userNotKnown: nothing but a card says by itself whose it is.
func userNotKnown(k contract.Kind) string {
	return "whose this " + noun(k) + " is cannot be read from it, and neither the configuration nor a login says it; a login as this user would settle it"
}

// belonging is the order in which authenticators answer for a user who was
// asked for: that user's own, those that do not say whose they are, others'.
func belonging(a *contract.Authenticator, q contract.Question) int {
	if q.User == "" {
		return 0
	}
	return slices.Index([]contract.CheckState{contract.Pass, contract.Unknown, contract.Fail}, a.Belongs(q.User, q.Target))
}

// uuidCheck is ENV_UUID of a card in the light of a target, where the form of the
// UUID is right.
func uuidCheck(c contract.Check, a *contract.Authenticator, target string) contract.Check {
	if a.Kind != contract.Smartcard || c.Code != string(failure.EnvUUID) || c.State != contract.Pass || target == Mock {
		return c
	}
	return envUUID(a.User, target, c.ObservedAt)
}

// boundUUID is ENV_UUID of who signs in with what does not say it by itself.
func boundUUID(a *contract.Authenticator, q contract.Question) (contract.Check, bool) {
	user := cmp.Or(q.User, a.UserAt(q.Target))
	if a.Kind == contract.Smartcard || user == "" || q.Target == Mock {
		return contract.Check{}, false
	}
	return envUUID(user, q.Target, a.ObservedAt), true
}

// envUUID: how UUIDs usually begin at a target only warns. At the mock any will
// do.
func envUUID(user, target string, at time.Time) contract.Check {
	if remark := cis2.UserRemark(target, user); remark != "" {
		return health.Check(failure.EnvUUID, contract.Warn, "the user's UUID is unusual for "+target+": "+remark, at)
	}
	return health.Check(failure.EnvUUID, contract.Pass, "the user's UUID has 12 digits", at)
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
