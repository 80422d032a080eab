package rpcheck

import (
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// row is one check of an application.
type row = contract.RelyingPartyCheck

// unknown is a row of what could not be looked at.
func unknown(name string, code failure.Code, subject, why, clause string) row {
	return row{Name: name, State: contract.Unknown, Subject: subject, Evidence: why, Clause: clause, Code: string(code)}
}

// printable is what an application sent, as it may be shown: printable ASCII, and
// not long.
func printable(s string, most int) string {
	cut := len(s) > most
	kept := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), most)])
	if cut {
		kept += "…"
	}
	return kept
}
