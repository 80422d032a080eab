package login

import (
	"bytes"
	"encoding/json"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Render makes the report of one run or of many, and says its media type. It
// shows users by their last digits, and no secret: there is none in a run.
func Render(form contract.LoginReportForm, runs ...contract.Login) (body []byte, mediaType string, err error) {
	shown := make([]contract.Login, len(runs))
	for i, l := range runs {
		l.User, l.Open = contract.MaskUser(l.User), ""
		shown[i] = l
	}
	switch form {
	case contract.LoginReportJSON, "":
		body, err = asJSON(shown)
		return body, "application/json", err
	case contract.LoginReportJUnit:
		body, err = asJUnit(shown)
		return body, "application/xml", err
	case contract.LoginReportHTML:
		return asHTML(shown), "text/html; charset=utf-8", nil
	}
	return nil, "", bad("query.format", "allowed: json, junit, html")
}

// report is the JSON form: one run as it is, of many a list.
func asJSON(runs []contract.Login) ([]byte, error) {
	var what any = map[string]any{"logins": runs}
	if len(runs) == 1 {
		what = runs[0]
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	err := enc.Encode(what)
	return b.Bytes(), err
}

// title is what a code is called.
func title(code string) string {
	entry, _ := failure.Lookup(failure.Code(code))
	return entry.Title
}
