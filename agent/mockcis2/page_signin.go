package mockcis2

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"authbridge/agent/cis2"
)

// nameOf is what a person calls an authenticator.
func nameOf(a cis2.Authenticator) string {
	switch a {
	case cis2.Smartcard:
		return "smartcard"
	case cis2.SecurityKey:
		return "security key"
	case cis2.Platform:
		return "built-in sensor or Windows Hello"
	case cis2.Passkey:
		return "passkey"
	case cis2.TOTP:
		return "authenticator app"
	}
	return "user number alone"
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// showStep answers with a step, as a page or for a program.
func (s *Server) showStep(w http.ResponseWriter, r *http.Request, status int, step Step) {
	if wantsJSON(r) {
		writeJSON(w, status, step)
		return
	}
	var v view
	switch stage(step.Stage) {
	case stageChoose:
		v = chooseView(step)
	case stageSmartcard:
		v = smartcardView(step)
	case stageWebAuthn:
		v = webAuthnView(step)
	case stageTOTP:
		v = totpView(step)
	case stageRole:
		v = roleView(step)
	default:
		v = view{
			heading: "Back to " + step.Application,
			head:    nodes{el("meta", attr("http-equiv", "refresh"), attr("content", "0;url="+step.Continue))},
			body: nodes{
				el("p", text("It goes on by itself, or by this link:")),
				el("p", el("a", attr("id", "continue"), attr("href", step.Continue), text("Continue to "+step.Application))),
			},
		}
	}
	v.stage = step.Stage
	s.showPage(w, status, v)
}

// who is whose page it is.
func who(as, user string) node { return el("p", attr("class", "hint"), text(as+" "+user)) }

// howTo is what to do with an authenticator that the browser asks.
func howTo(a cis2.Authenticator) string {
	switch a {
	case cis2.SecurityKey:
		return "Have the key ready: the browser asks for its PIN, and for a touch."
	case cis2.Platform:
		return "The browser asks for your finger, your face or a PIN."
	}
	return "The browser asks where the passkey is, and for your finger, your face or a PIN."
}

func cancel() node {
	return button("cancel", "Cancel", attr("class", "second"), flag("formnovalidate"))
}

func back() node {
	return button("back", "Sign in another way", attr("class", "second"), flag("formnovalidate"))
}

func actions(parts ...node) node {
	return el("div", append([]node{attr("class", "actions")}, parts...)...)
}

// mostListed bounds the users that the page suggests.
const mostListed = 50

func chooseView(step Step) view {
	var choices, known nodes
	for _, a := range step.Authenticators {
		choices = append(choices, choice("choice", "authenticator", string(a), title(nameOf(a)), fmt.Sprintf("AAL%d", cis2.AALOf(a)),
			step.Authenticator == a || len(step.Authenticators) == 1))
	}
	slices.SortFunc(step.users, func(a, b cis2.User) int { return strings.Compare(a.UUID, b.UUID) })
	for _, u := range step.users[:min(len(step.users), mostListed)] {
		known = append(known, el("option", attr("value", u.UUID), text(fmt.Sprintf("%s %s, AAL%d", u.Given, u.Family, u.AAL))))
	}
	return view{heading: "Sign in to " + step.Application, body: nodes{
		problem(step.Problem),
		el("p", text("The application asks for "+strings.Join(step.ACRs, " or ")+".")),
		asForm(step.Action, step.CSRF,
			field("user", "User number", "12 digits", attr("value", step.User), attr("inputmode", "numeric"), attr("autocomplete", "username"),
				attr("list", "users"), flag("required"), attr("pattern", "[0-9]{12}")),
			el("datalist", append([]node{attr("id", "users")}, known...)...),
			group("How do you sign in?", choices),
			actions(button("choose", "Continue"), cancel())),
		el("p", el("a", attr("href", "/register"), text("Register a key or an app"))),
	}}
}

func smartcardView(step Step) view {
	return view{
		heading: "Use your smartcard",
		head:    nodes{el("noscript", el("meta", attr("http-equiv", "refresh"), attr("content", "5;url="+step.Action)))},
		body: nodes{
			who("As user", step.User),
			problem(step.Problem),
			el("p", text("The card has to sign for this reference, which is good once, for five minutes. Who has the card's lease brings the signature, as a login run does.")),
			el("output", attr("class", "reference"), attr("id", "reference"), text(step.Reference)),
			el("p", attr("id", "waiting"), attr("role", "status"), attr("data-wait", step.Action+"/wait"), attr("data-page", step.Action),
				text("Waiting for the card. This page goes on by itself.")),
			asForm(step.Action, step.CSRF, actions(back(), cancel())),
		},
	}
}

func webAuthnView(step Step) view {
	return view{heading: "Use your " + nameOf(step.Authenticator), body: nodes{
		who("As user", step.User),
		problem(step.Problem),
		el("p", text(howTo(step.Authenticator))),
		ceremony(step.Action, step.CSRF, "webauthn", "get", string(step.Options), "Use the "+nameOf(step.Authenticator)),
		asForm(step.Action, step.CSRF, actions(back(), cancel())),
	}}
}

// ceremony is a form that the script fills in with what the authenticator said.
func ceremony(action, csrf, do, kind, options, label string) node {
	return nodes{
		el("noscript", el("p", attr("class", "problem"), text("This needs JavaScript: a key is used through the browser."))),
		asForm(action, csrf, attr("id", "ceremony"), attr("data-kind", kind), attr("data-options", options),
			el("input", attr("type", "hidden"), attr("name", "do"), attr("value", do)),
			el("input", attr("type", "hidden"), attr("name", "response"), attr("id", "response")),
			el("p", attr("id", "status"), attr("role", "status")),
			actions(el("button", attr("type", "button"), attr("id", "use"), flag("hidden"), text(label)))),
	}
}

func totpView(step Step) view {
	return view{heading: "Enter the code of your authenticator app", body: nodes{
		who("As user", step.User),
		problem(step.Problem),
		asForm(step.Action, step.CSRF,
			field("code", "Code", "6 digits", attr("inputmode", "numeric"), attr("autocomplete", "one-time-code"), flag("required"), attr("maxlength", "8")),
			actions(button("totp", "Sign in"), back(), cancel())),
	}}
}

func roleView(step Step) view {
	var choices nodes
	for i, role := range step.Roles {
		choices = append(choices, choice("choice long", "role", role.RoleID, roleName(role), role.Code+" at "+role.OrgCode, i == 0))
	}
	return view{heading: "Choose your role", body: nodes{
		who("As user", step.User),
		problem(step.Problem),
		asForm(step.Action, step.CSRF, group("Role", choices), actions(button("role", "Continue"), cancel())),
	}}
}

// roleName is the last of the three parts of a role's name.
func roleName(r cis2.Role) string {
	parts := strings.Split(r.Name, ":")
	return strings.Trim(parts[len(parts)-1], `"`)
}
