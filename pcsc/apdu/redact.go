package apdu

import (
	"fmt"
	"strings"
)

// Redact is a command APDU as it may be shown in a trace: the header, and the
// data only of commands that select or read, which hold names of files and
// objects. Of any other command, VERIFY, CHANGE REFERENCE DATA, RESET RETRY
// COUNTER and GENERAL AUTHENTICATE in every part of a chain among them, only
// the length is shown, whether it is well formed or not.
func Redact(command []byte) string {
	if len(command) < headerLength {
		return fmt.Sprintf("[%d octets, no command]", len(command))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "% X", command[:headerLength])
	body := command[headerLength:]
	switch {
	case len(body) == 0:
	case showsBody(command):
		fmt.Fprintf(&b, " % X", body)
	default:
		fmt.Fprintf(&b, " [%d octets]", len(body))
	}
	return b.String()
}

// maxShown bounds a line of a trace. No name of a file or object is longer.
const maxShown = 32

func showsBody(command []byte) bool {
	if command[0]&^claChain != 0 || len(command) > headerLength+maxShown {
		return false
	}
	if _, err := ParseCommand(command); err != nil {
		return false
	}
	switch command[1] {
	case insSelect, insGetData, insGetData2, insGetResponse:
		return true
	}
	return false
}

// RedactAnswer is an answer as it may be shown in a trace: the status word and
// the length. Data of cards is signatures, secrets agreed on, and certificates
// with a person's name.
func RedactAnswer(answer []byte) string {
	r, err := ParseResponse(answer)
	switch {
	case err != nil:
		return fmt.Sprintf("[%d octets, no answer]", len(answer))
	case len(r.Data) == 0:
		return r.SW.String()
	default:
		return fmt.Sprintf("[%d octets] %s", len(r.Data), r.SW)
	}
}
