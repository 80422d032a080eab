package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// span is a part of a text, from its first octet to behind its last.
type span struct{ from, to int }

// userLines is where a [[user]] stands in a file. Tables of it, [user.uuid], may
// stand apart from it.
type userLines struct {
	name  string
	parts []span // whole lines
	keys  int    // behind the last line that sets a key of [[user]] itself
	list  *idList
}

// idList is the value of authenticators.
type idList struct {
	lines span // whole lines, key and comment included
	open  int  // behind its bracket
	items []idItem
}

type idItem struct {
	span
	id string
}

// errInlineUsers: a list in one value cannot be added to by a table.
var errInlineUsers = errors.New("users are written as one list, user = […]: write each as a table [[user]] first")

// findUsers finds the users in a file that is TOML.
func findUsers(text []byte) ([]userLines, error) {
	var p unstable.Parser
	p.Reset(text)
	var all []userLines
	var at []string // the table that keys belong to
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			goesOn := len(at) > 0 && at[0] == userTable
			var first int
			at, first = keyOf(e)
			if at[0] != userTable {
				continue
			}
			line := lineOf(text, span{first, first})
			switch {
			case e.Kind == unstable.ArrayTable && len(at) == 1:
				all = append(all, userLines{parts: []span{line}, keys: line.to})
			case len(all) == 0:
				return nil, errInlineUsers
			case goesOn:
				all[len(all)-1].extend(line)
			default:
				u := &all[len(all)-1]
				u.parts = append(u.parts, line)
			}
		case unstable.KeyValue:
			key, first := keyOf(e)
			if len(at) == 0 && key[0] == userTable {
				return nil, errInlineUsers
			}
			if len(at) == 0 || at[0] != userTable {
				continue
			}
			line := lineOf(text, span{first, int(e.Raw.Offset + e.Raw.Length)})
			u := &all[len(all)-1]
			u.extend(line)
			if len(at) == 1 {
				u.keys = line.to
				u.take(text, key, e.Value(), line)
			}
		}
	}
	return all, p.Error()
}

func (u *userLines) extend(line span) { u.parts[len(u.parts)-1].to = line.to }

// take looks at a key of [[user]] itself.
func (u *userLines) take(text []byte, key []string, value *unstable.Node, line span) {
	switch {
	case len(key) > 1:
	case key[0] == "name" && value.Kind == unstable.String:
		u.name = string(value.Data)
	case key[0] == "authenticators" && value.Kind == unstable.Array:
		// The key is bare or in quotes, and has no bracket in it.
		u.list = &idList{lines: line, open: line.from + bytes.IndexByte(text[line.from:line.to], '[') + 1}
		for it := value.Children(); it.Next(); {
			if n := it.Node(); n.Kind == unstable.String {
				from := int(n.Raw.Offset)
				u.list.items = append(u.list.items, idItem{span{from, from + int(n.Raw.Length)}, string(n.Data)})
			}
		}
	}
}

// keyOf is a dotted key, and where it begins.
func keyOf(e *unstable.Node) (key []string, from int) {
	for it := e.Key(); it.Next(); {
		if len(key) == 0 {
			from = int(it.Node().Raw.Offset)
		}
		key = append(key, string(it.Node().Data))
	}
	return key, from
}

// lineOf is the whole lines that a part of a text stands in.
func lineOf(text []byte, s span) span {
	s.from = bytes.LastIndexByte(text[:s.from], '\n') + 1
	if end := bytes.IndexByte(text[s.to:], '\n'); end >= 0 {
		s.to += end + 1
	} else {
		s.to = len(text)
	}
	return s
}

// splice puts something in the place of a part.
func splice(text []byte, s span, in string) []byte {
	return slices.Concat(text[:s.from], []byte(in), text[s.to:])
}

// newline is how lines of a text end.
func newline(text []byte) string {
	if first := bytes.IndexByte(text, '\n'); first > 0 && text[first-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// addUser writes a user behind all else.
func addUser(text []byte, u User) []byte {
	end := newline(text)
	lines := strings.Join(u.lines(), end)
	switch {
	case len(text) == 0:
		return []byte(lines + end)
	case text[len(text)-1] != '\n':
		return slices.Concat(text, []byte(end+end+lines)) // a text without an end stays so
	}
	return slices.Concat(text, []byte(end+lines+end))
}

func (u User) lines() []string {
	var uuids []string
	for _, target := range slices.Sorted(maps.Keys(u.UUID)) {
		uuids = append(uuids, target+" = "+quoteTOML(u.UUID[target]))
	}
	lines := []string{"[[user]]", "name = " + quoteTOML(u.Name), "uuid = { " + strings.Join(uuids, ", ") + " }"}
	if len(u.Authenticators) > 0 {
		lines = append(lines, "authenticators = "+quoteList(u.Authenticators))
	}
	if u.TOTPFile != "" {
		lines = append(lines, "totp_file = "+quoteTOML(u.TOTPFile))
	}
	if u.givenAAL {
		lines = append(lines, fmt.Sprintf("aal = %d", u.AAL))
	}
	if len(u.Roles) > 0 {
		lines = append(lines, "roles = "+quoteList(u.Roles))
	}
	return lines
}

// quoteTOML writes text as JSON does, which TOML reads: what it does not, such as
// the character DEL, is found when the result is read.
func quoteTOML(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic("text does not encode: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func quoteList(all []string) string {
	quoted := make([]string, len(all))
	for i, one := range all {
		quoted[i] = quoteTOML(one)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// removeUser takes a user's lines out, and the empty line before them. Comments
// that stand before and behind them stay.
func removeUser(text []byte, u userLines) []byte {
	for _, part := range slices.Backward(u.parts) {
		last := part.to == len(text) && text[len(text)-1] != '\n'
		before := text[:part.from]
		for _, empty := range []string{"\r\n", "\n"} {
			rest, ok := bytes.CutSuffix(before, []byte(empty))
			if ok && (len(rest) == 0 || rest[len(rest)-1] == '\n') {
				before = rest
				break
			}
		}
		if last {
			before = bytes.TrimSuffix(bytes.TrimSuffix(before, []byte("\n")), []byte("\r"))
		}
		text = slices.Concat(before, text[part.to:])
	}
	return text
}

// bindUser adds the id of an authenticator to a user's.
func bindUser(text []byte, u userLines, id string) []byte {
	switch {
	case u.list == nil:
		line := "authenticators = [" + quoteTOML(id) + "]"
		if u.keys > 0 && text[u.keys-1] == '\n' {
			return splice(text, span{u.keys, u.keys}, line+newline(text))
		}
		return splice(text, span{u.keys, u.keys}, newline(text)+line)
	case len(u.list.items) == 0:
		return splice(text, span{u.list.open, u.list.open}, quoteTOML(id))
	}
	end := u.list.items[len(u.list.items)-1].to
	return splice(text, span{end, end}, ", "+quoteTOML(id))
}

// unbindUser takes the nth of a user's authenticators out.
func unbindUser(text []byte, u userLines, n int) []byte {
	items := u.list.items
	cut := items[n].span
	behind := text[cut.to:]
	comma := len(behind) - len(bytes.TrimLeft(behind, " \t"))
	hasComma := comma < len(behind) && behind[comma] == ','
	line := lineOf(text, cut)
	rest, _, _ := bytes.Cut(text[cut.to:line.to], []byte("#"))
	alone := len(bytes.TrimSpace(text[line.from:cut.from])) == 0 && (n+1 == len(items) || items[n+1].from >= line.to) && line.to < u.list.lines.to
	switch {
	case n > 0 && strings.Trim(string(text[items[n-1].to:cut.from]), " \t") == ",":
		cut.from = items[n-1].to
	case alone && (hasComma || n+1 == len(items)) && !bytes.Contains(rest, []byte("]")):
		cut = line
	case hasComma:
		cut.to += comma + 1
		cut.to += len(text[cut.to:]) - len(bytes.TrimLeft(text[cut.to:], " \t"))
	}
	return splice(text, cut, "")
}
