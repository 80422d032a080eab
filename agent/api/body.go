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

// heldSecrets were cut out of a request's body, until a handler takes them.
type heldSecrets struct{ pin, idToken, accessToken contract.Secret }

func (h *heldSecrets) wipe() {
	clear(h.pin)
	clear(h.idToken)
	clear(h.accessToken)
}

type secretsKey struct{}

// takePIN hands the request's PIN over, once: who has it wipes it. It is nil
// where none was sent.
func takePIN(ctx context.Context) (pin contract.Secret) {
	if held, _ := ctx.Value(secretsKey{}).(*heldSecrets); held != nil {
		pin, held.pin = held.pin, nil
	}
	return pin
}

// takeTokens hands those of a login over, as takePIN does.
func takeTokens(ctx context.Context) (id, access contract.Secret) {
	if held, _ := ctx.Value(secretsKey{}).(*heldSecrets); held != nil {
		id, access, held.idToken, held.accessToken = held.idToken, held.accessToken, nil, nil
	}
	return id, access
}

// secretMembers are the members that are cut out: of the outermost object where
// inner is empty, else of the object that the outer one is.
var secretMembers = []struct {
	outer, inner string
	of           func(*heldSecrets) *contract.Secret
}{
	{"pin", "", func(h *heldSecrets) *contract.Secret { return &h.pin }},
	{"pin", "value", func(h *heldSecrets) *contract.Secret { return &h.pin }},
	{"tokens", "id_token", func(h *heldSecrets) *contract.Secret { return &h.idToken }},
	{"tokens", "access_token", func(h *heldSecrets) *contract.Secret { return &h.accessToken }},
}

// cutSecrets takes PIN and tokens out of a body, and leaves as many stars. It
// comes before every decoder: they make strings of what they read, which nobody
// can wipe, and their errors repeat it (DESIGN rule 2).
func cutSecrets(body []byte) (*heldSecrets, *failure.Error) {
	held := &heldSecrets{}
	if len(body) == 0 {
		return held, nil
	}
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, refuse(failure.BadRequest, "body", "not valid JSON")
	}
	twice := ""
	seen := make(map[*contract.Secret]bool)
	for _, p := range secretsIn(body) {
		member := secretMembers[p.member]
		secret, text := member.of(held), body[p.from:p.to]
		if seen[secret] {
			twice = member.outer
		}
		seen[secret] = true
		clear(*secret)
		_ = json.Unmarshal(text, secret) // a valid string
		hide(text, utf8.RuneCount(*secret))
	}
	if twice != "" {
		held.wipe()
		return nil, refuse(failure.BadRequest, "body."+twice, "given more than once")
	}
	return held, nil
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

// secretPlace is where a string stands that is one of secretMembers.
type secretPlace struct{ member, from, to int }

// secretsIn finds the strings of valid JSON that are secret. Elsewhere, in the
// options of WebAuthn, these names mean something else. Names compare as
// encoding/json compares them.
func secretsIn(body []byte) (places []secretPlace) {
	var outer, name []byte // of the members that are being read
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			if depth++; depth == 2 {
				if outer = name; body[i] == '[' {
					outer = nil
				}
			}
			name = nil
		case '}', ']':
			depth--
			name = nil
		case '"':
			end := stringEnd(body, i)
			if isName(body[end:]) {
				name = body[i:end]
			} else if m := secretMember(depth, outer, name); m >= 0 {
				places = append(places, secretPlace{m, i, end})
			}
			i = end - 1
		}
	}
	return places
}

// secretMember is which of secretMembers a string is; -1: none.
func secretMember(depth int, outer, name []byte) int {
	for i, m := range secretMembers {
		if depth == 1 && m.inner == "" && named(name, m.outer) || depth == 2 && m.inner != "" && named(outer, m.outer) && named(name, m.inner) {
			return i
		}
	}
	return -1
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
