package login

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// subjects are who signed in against who should, and against the card.
func (j *judgement) subjects() {
	t, want := &j.token, &j.want
	wrong, expected := "", "12 digits"
	switch {
	case !cis2.ValidUser(t.Subject):
		wrong = "it is no UUID of 12 digits"
	case want.User != "" && t.Subject != want.User:
		wrong = "another user has signed in"
	}
	if want.User != "" {
		expected = contract.MaskUser(want.User)
	}
	j.hold("subject", failure.TokSub, expected, contract.MaskUser(t.Subject), wrong)
	if want.CardUser == "" {
		j.skip("subject-card", "no card was used, or it does not say whose it is")
		return
	}
	wrong = ""
	if t.Subject != want.CardUser {
		wrong = "the card that was used is another user's"
	}
	j.hold("subject-card", failure.TokSub, contract.MaskUser(want.CardUser), contract.MaskUser(t.Subject), wrong)
}

// userinfo reads an answer, whose signature is verified where it has one.
func (j *judgement) userinfo(answer []byte) (user cis2.Userinfo, ok bool) {
	if len(answer) == 0 {
		return user, false
	}
	if answer[0] == '"' {
		var text string
		if json.Unmarshal(answer, &text) != nil {
			j.userError = "it cannot be read"
			return user, false
		}
		answer = []byte(text)
	}
	if len(answer) > 0 && answer[0] != '{' {
		signed, err := jose.ParseSignedCompact(strings.TrimSpace(string(answer)), algorithms)
		if err != nil {
			j.userError = "it cannot be read as a token of RS256 or RS512"
			return user, false
		}
		if answer, j.userError = j.verify(signed); j.userError != "" {
			return user, false
		}
	}
	user, err := cis2.ParseUserinfo(answer)
	switch {
	case err != nil:
		j.userError = "a claim comes twice, or has another type than CIS2 gives it"
	case user.Issuer != "" && user.Issuer != j.want.Issuer:
		j.userError = "it is of another issuer"
	case len(user.Audience) > 0 && j.want.ClientID != "" && !slices.Contains(user.Audience, j.want.ClientID):
		j.userError = "it is for another client"
	}
	if j.userError != "" {
		return user, false
	}
	return user, true
}

// subjectOfUserinfo holds userinfo to the ID token (OpenID Connect Core 1.0,
// 5.3.2).
func (j *judgement) subjectOfUserinfo(user cis2.Userinfo, known, there bool) {
	const name = "subject-userinfo"
	if !there {
		j.skip(name, "there is no userinfo")
		return
	}
	if !known {
		j.hold(name, failure.TokSub, "that of the ID token", "", j.userError)
		return
	}
	wrong := ""
	switch sub := j.token.Subject; {
	case user.Subject != sub:
		wrong = "userinfo is about another user"
	case user.UID != "" && user.UID != sub:
		wrong = "uid is another user's"
	case user.UserUID != "" && user.UserUID != sub:
		wrong = "nhsid_useruid is another user's"
	}
	j.hold(name, failure.TokSub, contract.MaskUser(j.token.Subject), contract.MaskUser(user.Subject), wrong)
}

// roles are those of the user, where they were asked for.
func (j *judgement) roles(user cis2.Userinfo, known bool) {
	const name = "roles"
	asks := func(scope string, there bool) bool {
		if j.want.Scopes == nil {
			return there
		}
		return slices.Contains(j.want.Scopes, scope)
	}
	selected := j.token.SelectedRole
	if selected == "" {
		selected = user.SelectedRole
	}
	wantsRoles, wantsSelected := asks("nationalrbacaccess", len(user.Roles) > 0), asks("selectedrole", selected != "")
	if !known || !wantsRoles && !wantsSelected {
		j.skip(name, "no roles were asked for, or there is no userinfo")
		return
	}
	codes := make([]string, len(user.Roles))
	for i := range user.Roles {
		codes[i] = user.Roles[i].Job() + " at " + user.Roles[i].OrgCode
	}
	got := join(codes...)
	wrong := ""
	switch {
	case wantsRoles && len(user.Roles) == 0:
		got, wrong = "none", "the user has no role"
	case wantsSelected && selected == "":
		wrong = "no role is selected, although it was asked for"
	case wantsRoles && selected != "" && !slices.ContainsFunc(user.Roles, func(r cis2.Role) bool { return r.RoleID == selected }):
		wrong = "the selected role is none of the user's"
	case user.SelectedRole != "" && user.SelectedRole != selected:
		wrong = "ID token and userinfo select different roles"
	}
	j.hold(name, failure.TokRole, "a role of the user", got, wrong)
}
