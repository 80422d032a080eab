package login

import (
	"slices"
	"strings"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/failure"
)

// leeway is how far clocks may be apart.
const leeway = 30 * time.Second

// parties are issuer, audience, authorised party and nonce (OpenID Connect Core
// 1.0, 3.1.3.7, steps 2 to 5 and 11).
func (j *judgement) parties() {
	t, want := &j.token, &j.want
	j.hold("issuer", failure.TokISS, want.Issuer, t.Issuer, cis2.IssuerDifference(want.Issuer, t.Issuer))

	audience, wrong := strings.Join(t.Audience, ", "), ""
	switch {
	case !slices.Contains(t.Audience, want.ClientID):
		wrong = "it is not for this client"
	case len(t.Audience) > 1 && t.AuthorisedParty == "":
		wrong = "it is for several, and names no authorised party"
	}
	if want.ClientID == "" {
		j.skip("audience", printable("it says "+audience+"; for which client it must be is not known"))
	} else {
		j.hold("audience", failure.TokAUD, want.ClientID, audience, wrong)
	}

	switch {
	case t.AuthorisedParty == "":
		j.skip("authorised-party", "the token names none")
	case want.ClientID == "":
		j.skip("authorised-party", printable("it says "+t.AuthorisedParty+"; for which client it must be is not known"))
	case t.AuthorisedParty != want.ClientID:
		j.hold("authorised-party", failure.TokAUD, want.ClientID, t.AuthorisedParty, "it was given out to another client")
	default:
		j.hold("authorised-party", failure.TokAUD, want.ClientID, t.AuthorisedParty, "")
	}

	switch {
	case !want.WantsNonce:
		j.skip("nonce", "it is not known which one was asked with")
	case t.Nonce == want.Nonce:
		j.hold("nonce", failure.LoginState, "that of the request", "that of the request", "")
	case t.Nonce == "":
		j.hold("nonce", failure.LoginState, "that of the request", "none", "it is missing")
	default:
		j.hold("nonce", failure.LoginState, "that of the request", "another", "the token answers another request")
	}
}

// times are expiry, time of issue and of the sign-in (steps 9, 10 and 13).
func (j *judgement) times() {
	t, want := &j.token, &j.want
	now := want.Now
	skew := clockRemark(want.Ahead)
	expiry, issued, signedIn := time.Unix(t.Expiry, 0), time.Unix(t.IssuedAt, 0), time.Unix(t.AuthTime, 0)

	wrong := ""
	if !now.Before(expiry.Add(leeway)) {
		wrong = join("it has expired", skew)
	}
	j.hold("expiry", failure.TokFresh, "after "+stamp(now), stamp(expiry), wrong)

	wrong = ""
	switch {
	case t.IssuedAt == 0:
		wrong = "it is missing"
	case issued.After(now.Add(leeway)):
		wrong = join("it is to come", skew)
	case !want.Since.IsZero() && issued.Before(whole(want.Since).Add(-leeway)):
		wrong = join("it is from before the login", skew)
	case !signedIn.After(now.Add(leeway)) && issued.Before(signedIn.Add(-leeway)):
		wrong = "it is from before the sign-in that it tells of"
	}
	j.hold("issued-at", failure.TokFresh, "now", stamp(issued), wrong)

	wrong = ""
	expected := "within " + want.MaxAge.String()
	if !want.Since.IsZero() {
		expected += ", and not before the login began at " + stamp(want.Since)
	}
	switch {
	case t.AuthTime == 0:
		wrong = "it is missing"
	case signedIn.After(now.Add(leeway)):
		wrong = join("it is to come", skew)
	case now.Sub(signedIn) > want.MaxAge+leeway:
		wrong = join("the sign-in is older than may be", skew)
	case !want.Since.IsZero() && signedIn.Before(whole(want.Since).Add(-leeway)):
		wrong = join("an older session was used again", skew)
	case !want.Until.IsZero() && signedIn.After(want.Until.Add(leeway)):
		wrong = join("it is of a later sign-in than the ceremony", skew)
	}
	j.hold("auth-time", failure.TokFresh, expected, stamp(signedIn), wrong)
}

// whole drops what a token's times do not have.
func whole(t time.Time) time.Time { return t.Truncate(time.Second) }

func stamp(t time.Time) string {
	if t.Unix() == 0 {
		return "none"
	}
	return t.UTC().Format(time.RFC3339)
}
