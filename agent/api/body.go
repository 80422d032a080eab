package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// sentBody is the body of a request, in a buffer of our own that is wiped when
// the request is over.
type sentBody struct {
	bytes.Reader
	text []byte
}

func newSentBody(text []byte) *sentBody {
	b := &sentBody{text: text}
	b.Reset(text)
	return b
}

// Close does nothing: the wipe comes later.
func (*sentBody) Close() error { return nil }

// wipe may be called for a request without a body.
func wipe(body io.ReadCloser) {
	if sent, ok := body.(*sentBody); ok {
		clear(sent.text)
	}
}

// readWhole is io.ReadAll that leaves no copies behind where it has to grow.
// size is what was announced; -1 is unknown.
func readWhole(r io.Reader, size int64) ([]byte, error) {
	const first = 512
	if size < 0 {
		size = first
	}
	text := make([]byte, 0, size+1) // one more, so that the end is seen without growing
	for {
		if len(text) == cap(text) {
			longer := append(make([]byte, 0, 2*cap(text)), text...)
			clear(text)
			text = longer
		}
		n, err := r.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		switch {
		case errors.Is(err, io.EOF):
			return text, nil
		case err != nil:
			clear(text)
			return nil, err
		}
	}
}

// heldPIN is the PIN that was cut out of a request's body, until a handler
// takes it.
type heldPIN struct{ pin contract.Secret }

type pinKey struct{}

// takePIN hands the request's PIN over, once: who has it wipes it. It is nil
// where none was sent.
func takePIN(ctx context.Context) contract.Secret {
	held, _ := ctx.Value(pinKey{}).(*heldPIN)
	if held == nil {
		return nil
	}
	pin := held.pin
	held.pin = nil
	return pin
}

// cutPIN takes the PIN out of a body, and leaves as many stars. It comes
// before every decoder: they make strings of what they read, which nobody can
// wipe, and their errors repeat it (DESIGN rule 2).
func cutPIN(body []byte) (contract.Secret, *failure.Error) {
	if len(body) == 0 {
		return nil, nil
	}
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, refuse(failure.BadRequest, "body", "not valid JSON")
	}
	var pin contract.Secret
	places := pinsIn(body)
	for _, p := range places {
		text := body[p[0]:p[1]]
		clear(pin)
		_ = json.Unmarshal(text, &pin) // a valid string
		hide(text, utf8.RuneCount(pin))
	}
	if len(places) > 1 {
		clear(pin)
		return nil, refuse(failure.BadRequest, "body.pin", "given more than once")
	}
	return pin, nil
}

// hide writes a JSON string of so many stars over another.
func hide(text []byte, stars int) {
	for i := range text {
		switch {
		case i == 0 || i == stars+1:
			text[i] = '"'
		case i <= stars:
			text[i] = '*'
		default:
			text[i] = ' '
		}
	}
}

// pinsIn finds the strings of valid JSON that are a PIN: the member pin of the
// outermost object, or the member value of the object that it is. Elsewhere,
// in the options of WebAuthn, these names mean something else. Names compare
// as encoding/json compares them.
func pinsIn(body []byte) (places [][2]int) {
	var name []byte // of the member that is being read
	depth, within := 0, false
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			if depth++; depth == 2 {
				within = body[i] == '{' && named(name, "pin")
			}
			name = nil
		case '}', ']':
			depth--
			name = nil
		case '"':
			end := stringEnd(body, i)
			switch {
			case isName(body[end:]):
				name = body[i:end]
			case depth == 1 && named(name, "pin"), depth == 2 && within && named(name, "value"):
				places = append(places, [2]int{i, end})
			}
			i = end - 1
		}
	}
	return places
}

// stringEnd is where the string that begins at start is over.
func stringEnd(body []byte, start int) int {
	for i := start + 1; i < len(body); i++ {
		switch body[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(body)
}

// isName is whether a string is a member's name, by what follows it.
func isName(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

func named(quoted []byte, want string) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return bytes.EqualFold(bytes.Trim(quoted, `"`), []byte(want))
	}
	var name string
	return json.Unmarshal(quoted, &name) == nil && bytes.EqualFold([]byte(name), []byte(want))
}
