package login

import (
	"fmt"
	"slices"
	"strings"

	"authbridge/agent/cis2"
	"authbridge/agent/failure"
)

// leastIdentity is the identity level that users must have (MAVIS and others).
const leastIdentity = 3

// levels are the two assurance levels, which come as text or as numbers.
func (j *judgement) levels() {
	level := func(name string, code failure.Code, l *cis2.Level, least int) {
		got, wrong := "none", "it is missing, and nothing is assumed in its place"
		if l != nil {
			got, wrong = fmt.Sprintf("%d, as text", l.Value), ""
			if l.Number {
				got = fmt.Sprintf("%d, as a number", l.Value)
			}
			if l.Value < least {
				wrong = "it is too low"
			}
		}
		j.hold(name, code, fmt.Sprintf("%d or more", least), got, wrong)
	}
	level("authentication-level", failure.TokAAL, j.token.AuthLevel, j.want.AAL)
	level("identity-level", failure.TokIAL, j.token.IdentityLevel, leastIdentity)
}

// methods are acr and amr against what was asked for and what was really used.
func (j *judgement) methods() {
	t, want := &j.token, &j.want
	known, isKnown := want.Known.Find(t.ACR)
	_, isAsked := want.ACRs.Find(t.ACR)
	wrong, remark := "", ""
	switch {
	case t.ACR == "":
		wrong = "it is missing, and none is assumed in its place"
	case isKnown && want.With != "" && !known.Admits(want.With):
		wrong = "a sign-in with a " + string(want.With) + " does not satisfy it"
	case want.With != "" && !slices.ContainsFunc(want.ACRs, func(a cis2.ACR) bool { return a.Admits(want.With) }):
		wrong = "a sign-in with a " + string(want.With) + " satisfies nothing that was asked for"
	case isAsked:
	case isKnown && known.Lowest >= want.AAL:
		remark = "it is another than was asked for, of a level that will do"
	case isKnown:
		wrong = "it admits a lower level than was asked for"
	case strings.HasPrefix(t.ACR, fmt.Sprintf("AAL%d_", want.AAL)):
		remark = "it is not in the table of acr values"
	default:
		wrong = "it is not in the table of acr values, nor named like one of the level"
	}
	j.hold("acr", failure.TokACRAMR, strings.Join(want.ACRs.Values(), " or "), t.ACR, wrong)
	j.remark(remark)

	got := strings.Join(t.AMR, ", ")
	switch {
	case len(t.AMR) == 0:
		j.hold("amr", failure.TokACRAMR, "the method that was used", "none", "")
		j.remark("the token names no method")
		return
	case want.With == "":
		j.skip("amr", printable("it says "+got+"; which authenticator was used is not known"))
		return
	}
	row, _ := want.AMRs.Of(want.With, t.ACR)
	wrong, remark = "", ""
	sure := cis2.Sure("")
	fits := slices.ContainsFunc(t.AMR, func(v string) (ok bool) {
		ok, sure = want.AMRs.Fits(want.With, v)
		return ok
	})
	switch {
	case fits && sure != cis2.Verified:
		remark = "that it is called so is " + string(sure)
	case !fits && sure == cis2.Verified:
		wrong = "that is not what a " + string(want.With) + " is called"
	case !fits && slices.ContainsFunc(t.AMR, func(v string) bool { return want.AMRs.Another(want.With, v) }):
		wrong = "that is what another authenticator is called"
	case !fits:
		remark = "it is called otherwise than in the table of methods, which is not sure of it"
	}
	j.hold("amr", failure.TokACRAMR, row.Value+" for a "+string(want.With), got, wrong)
	j.remark(remark)
}
