package login

import (
	"encoding/json"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/report"
)

// Render makes the report of a run, and says its media type. It shows users by
// their last digits, and no secret: there is none in a run.
func Render(form contract.LoginReportForm, l contract.Login) (body []byte, mediaType string, err error) {
	l = shown(l)
	switch form {
	case contract.LoginReportJSON, "":
		body, err = json.MarshalIndent(l, "", "  ")
		return append(body, '\n'), typeJSON, err
	case contract.LoginReportJUnit:
		body, err = report.JUnit(suiteOf(&l))
		return body, typeXML, err
	case contract.LoginReportHTML:
		return asHTML(&l), typeHTML, nil
	}
	return nil, "", noForm()
}

const (
	typeXML  = "application/xml"
	typeHTML = "text/html; charset=utf-8"
)

func noForm() error { return bad("query.format", "allowed: json, junit, html") }

// shown is a run as a report shows it.
func shown(l contract.Login) contract.Login {
	l.User, l.Open = contract.MaskUser(l.User), ""
	return l
}

// title is what a code is called.
func title(code string) string {
	entry, _ := failure.Lookup(failure.Code(code))
	return entry.Title
}
