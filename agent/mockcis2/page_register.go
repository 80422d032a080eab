package mockcis2

import (
	"fmt"
	"net/http"
	"net/url"

	"authbridge/agent/cis2"
)

func registerView(e Enrolment, all []cis2.Authenticator) view {
	var choices nodes
	for _, a := range all {
		choices = append(choices, choice("choice", "authenticator", string(a), title(nameOf(a)), fmt.Sprintf("AAL%d", cis2.AALOf(a)), e.Authenticator == a))
	}
	return view{stage: "register", heading: "Register a key or an app", body: nodes{
		problem(e.Problem),
		el("p", text("A smartcard needs no registration: its certificate names the user.")),
		asForm(e.Action, e.CSRF,
			field("user", "User number", "12 digits", attr("value", e.User), attr("inputmode", "numeric"), attr("autocomplete", "username"),
				flag("required"), attr("pattern", "[0-9]{12}")),
			group("What do you register?", choices),
			actions(el("button", attr("type", "submit"), text("Continue")))),
	}}
}

func enrolmentView(e Enrolment) view {
	again := el("p", el("a", attr("href", "/register"), text("Register another one")))
	switch {
	case e.Done != "":
		return view{stage: "registered", heading: "Registered", body: nodes{
			el("p", attr("id", "done"), attr("role", "status"), text(fmt.Sprintf("%s of user %s, for AAL%d. You can close this page.",
				e.Done, e.User, cis2.AALOf(e.Authenticator)))), again,
		}}
	case e.Authenticator == cis2.TOTP:
		address := "otpauth://totp/" + url.PathEscape("CIS2 mock:"+e.User) + "?secret=" + e.Secret + "&issuer=" + url.PathEscape("CIS2 mock")
		return view{stage: "enrol", heading: "Register an authenticator app", body: nodes{
			problem(e.Problem),
			who("Of user", e.User),
			el("p", text("Enter this key in the app, as one of time-based codes:"), el("code", attr("class", "secret"), attr("id", "secret"), text(e.Secret))),
			el("p", text("As an address: "), el("code", text(address))),
			asForm(e.Action, e.CSRF,
				field("code", "Code that the app shows", "6 digits", attr("inputmode", "numeric"), attr("autocomplete", "one-time-code"), flag("required")),
				actions(el("button", attr("type", "submit"), text("Register")))),
		}}
	}
	body := nodes{who("Of user", e.User), problem(e.Problem)}
	if e.Problem == "" {
		body = append(body, el("p", text(howTo(e.Authenticator))), ceremony(e.Action, e.CSRF, "register", "create", string(e.Options), "Register the "+nameOf(e.Authenticator)))
	}
	return view{stage: "enrol", heading: "Register a " + nameOf(e.Authenticator), body: append(body, again)}
}

func (s *Server) home(w http.ResponseWriter, _ *http.Request) {
	s.showPage(w, http.StatusOK, view{heading: "A mock of NHS CIS2 Authentication", body: nodes{
		el("p", text("Applications send users here to sign in. The issuer is "), el("code", text(s.issuer)), text(".")),
		el("p", el("a", attr("href", "/register"), text("Register a key or an app"))),
	}})
}
