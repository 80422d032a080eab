package rpcheck

import (
	"fmt"
	"net/http"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Words for what is wrong with a logout token, or only unusual; package mockcis2
// has them too.
const (
	badSignature = "bad-signature"
	wrongIssuer  = "wrong-iss"
	noPort       = "issuer-no-port"
	wrongAud     = "wrong-aud"
	audList      = "logout-aud-list"
	nonce        = "logout-nonce"
	noSID        = "logout-no-sid"
	noEvent      = "logout-no-event"
	old          = "logout-old"
	expired      = "expired"
	newKey       = "logout-new-key"
)

// delivery is how a logout token is brought.
type delivery int

const (
	asForm  delivery = iota
	again            // the token of the case before, once more
	byGET            // in the query
	asJSON           // in a body of another content type
	without          // none
)

// wish is what the application must do with it.
type wish int

const (
	accept wish = iota
	refuse
	// notTake is for what is no logout request at all: any refusal will do.
	notTake
	// follow is accept, or not yet: libraries fetch keys only so often.
	follow
)

// logoutCase is one call of the back-channel logout endpoint.
type logoutCase struct {
	name   string
	token  string // what is wrong with it; empty: nothing
	how    delivery
	want   wish
	clause string
	remedy string
}

// Sources beside the specification are public repositories of the NHS (package
// cis2 has the list).
const (
	logoutSpec = "OpenID Connect Back-Channel Logout 1.0, "
	optional   = " (optional there; applications of the NHS do it: manage-vaccinations-in-schools)"
)

// logoutCases are made in this order. The first finds out whether the endpoint
// takes anything: if not, that it refuses the others says nothing.
var logoutCases = []logoutCase{
	{
		name: "logout-valid", want: accept, clause: logoutSpec + "2.7, 2.8",
		remedy: "Answer 200 to a good logout token, also when nobody has the session that it names any more. The application must take its keys and issuer from this sign-in service.",
	},
	{
		name: "logout-replayed", how: again, want: refuse, clause: logoutSpec + "2.6 step 8" + optional,
		remedy: "Keep the `jti` of each logout token until it is too old to be taken, and refuse one that comes again.",
	},
	{
		name: "logout-aud-list", token: audList, want: accept, clause: logoutSpec + "2.4; RFC 7519, 4.1.3",
		remedy: "Take `aud` both as a text and as a list of texts: CIS2's was seen as a list.",
	},
	{
		name: "logout-forged", token: badSignature, want: refuse, clause: logoutSpec + "2.6 step 2",
		remedy: "Verify the signature with the sign-in service's published keys before anything else is believed, and take no `alg` but RS256.",
	},
	{
		name: "logout-wrong-iss", token: wrongIssuer, want: refuse, clause: logoutSpec + "2.6 step 4",
		remedy: "Compare `iss` octet by octet with the configured issuer.",
	},
	{
		name: "logout-iss-no-port", token: noPort, want: refuse, clause: logoutSpec + "2.6 step 4; NHS: the issuer has :443",
		remedy: "Compare `iss` as text: a library that treats the issuer as an address and drops its port takes another issuer's tokens, and refuses CIS2's.",
	},
	{
		name: "logout-wrong-aud", token: wrongAud, want: refuse, clause: logoutSpec + "2.6 step 4",
		remedy: "Refuse a token whose `aud` is not, or does not hold, the application's own client id.",
	},
	{
		name: "logout-nonce", token: nonce, want: refuse, clause: logoutSpec + "2.6 step 7",
		remedy: "Refuse a logout token that has a `nonce`: it may be an ID token that somebody brings instead.",
	},
	{
		name: "logout-no-sid", token: noSID, want: refuse,
		clause: logoutSpec + "2.6 step 5 (there `sub` will do; CIS2 always sends both, and applications of the NHS insist: identity-service-api)",
		remedy: "Refuse a logout token without `sid`: CIS2 names the session in each, and without it every session of the user would end.",
	},
	{
		name: "logout-no-events", token: noEvent, want: refuse, clause: logoutSpec + "2.6 step 6",
		remedy: "Refuse a token whose `events` has no member http://schemas.openid.net/event/backchannel-logout.",
	},
	{
		name: "logout-old-iat", token: old, want: refuse, clause: logoutSpec + "2.6 step 4; OpenID Connect Core 1.0, 3.1.3.7 step 10" + optional,
		remedy: "Refuse a logout token whose `iat` is more than a few minutes ago, whatever its `exp` says.",
	},
	{
		name: "logout-expired", token: expired, want: refuse, clause: logoutSpec + "2.6 step 4",
		remedy: "Refuse a logout token after its `exp`.",
	},
	{
		name: "logout-no-token", how: without, want: refuse, clause: logoutSpec + "2.5, 2.8",
		remedy: "Answer 400 to a request without `logout_token`.",
	},
	{
		name: "logout-get", how: byGET, want: notTake, clause: logoutSpec + "2.5",
		remedy: "Take logout tokens by POST alone, and answer 405 to GET: addresses are kept in logs and histories.",
	},
	{
		name: "logout-content-type", how: asJSON, want: notTake, clause: logoutSpec + "2.5",
		remedy: "Take logout tokens as application/x-www-form-urlencoded alone.",
	},
	{
		name: "logout-new-key", token: newKey, want: follow, clause: "NHS: discovery; OpenID Connect Core 1.0, 10.1.1",
		remedy: "Check again in a few minutes: libraries wait between two fetches. If it is still refused then, have the application fetch the keys anew when a token names one that it does not know.",
	},
}

// code is the failure code of a case.
func (c logoutCase) code() failure.Code {
	if c.want == follow {
		return failure.RPCache
	}
	return failure.BCLSim
}

func (c logoutCase) expected() string {
	switch c.want {
	case accept, follow:
		return "200"
	case notTake:
		return "405, 415 or 400"
	case refuse:
	}
	return "400"
}

// judge says what an answer's status means for a case.
func (c logoutCase) judge(status int) contract.CheckState {
	refusal := status >= 400 && status <= 499
	switch c.want {
	case accept, follow:
		switch {
		case status == http.StatusOK:
			return contract.Pass
		case status == http.StatusNoContent: // 2.8: a service should be prepared for it
			return contract.Warn
		case c.want == follow && refusal:
			return contract.Unknown
		}
		return contract.Fail
	case notTake:
		if refusal {
			return contract.Pass
		}
	case refuse:
		switch {
		case status == http.StatusBadRequest:
			return contract.Pass
		case refusal: // it is refused, and not as 2.8 has it
			return contract.Warn
		}
	}
	return contract.Fail
}

// said is a status in words.
func said(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// noStore says whether an answer may be kept on the way (2.8).
func noStore(header http.Header) bool {
	return strings.Contains(strings.ToLower(strings.Join(header.Values("Cache-Control"), ",")), "no-store")
}
