package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"authbridge/agent/contract"
)

// screen writes for a person: it fits the terminal, and uses colour only
// there. Shape and word say all that colour does.
type screen struct {
	w      io.Writer
	width  int
	cuts   bool // whether longer lines are cut: only where a person looks
	colour bool
}

const (
	defaultWidth = 80 // where there is no terminal
	narrowest    = 40
	widest       = 110 // longer lines are hard to read
)

func newScreen(w io.Writer) *screen {
	s := &screen{w: w, width: defaultWidth}
	if given, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && given >= narrowest {
		s.width = given
	}
	if !isTerminal(w) {
		return s
	}
	s.cuts = true
	s.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil {
		s.width = min(max(width, narrowest), widest)
	}
	return s
}

// ANSI colours (ECMA-48, 8.3.117).
const (
	red, green, yellow, faint, bold = "31", "32", "33", "2", "1"
)

func (s *screen) paint(colour, text string) string {
	if !s.colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// line writes one line.
func (s *screen) line(format string, args ...any) {
	_, _ = fmt.Fprintln(s.w, tame(fmt.Sprintf(format, args...)))
}

// tame takes out what a terminal would obey, but for our own colours. Names
// come from cards, keys and readers, and a hostile one may be called anything.
func tame(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\x1b' && ours(text[i:]), r == '\n', r != utf8.RuneError && unicode.IsPrint(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// ours is whether a text begins with a sequence that paint writes.
func ours(text string) bool {
	for _, colour := range [...]string{red, green, yellow, faint, bold, "0"} {
		if strings.HasPrefix(text, "\x1b["+colour+"m") {
			return true
		}
	}
	return false
}

// said writes lines as they are, or wrapped to the terminal where there is one.
func (s *screen) said(words string) {
	for line := range strings.Lines(words) {
		line = strings.TrimRight(line, "\n")
		if !s.cuts || columns(line) <= s.width {
			s.line("%s", line)
			continue
		}
		bare := strings.TrimLeft(line, " ")
		first := line[:len(line)-len(bare)]
		rest := first + "  "
		if arrow, found := strings.CutPrefix(bare, "→ "); found {
			first, bare = first+"→ ", arrow
		}
		s.text(first, rest, bare)
	}
}

// text writes words wrapped to the width, each line after the first indented
// by rest.
func (s *screen) text(first, rest, words string) {
	for _, l := range wrap(first, rest, words, s.width) {
		s.line("%s", l)
	}
}

func wrap(first, rest, words string, width int) []string {
	lines := []string{first}
	empty := true // whether the current line has no word yet
	for _, w := range strings.Fields(words) {
		current := &lines[len(lines)-1]
		if !empty && columns(*current)+1+columns(w) > width {
			lines = append(lines, rest+w)
			continue
		}
		if !empty {
			*current += " "
		}
		*current += w
		empty = false
	}
	if empty {
		lines[0] = strings.TrimRight(first, " ")
	}
	return lines
}

// columns is how wide a text is on the terminal, colours left out.
func columns(s string) int {
	n := 0
	for i, part := range strings.Split(s, "\x1b[") {
		if i > 0 {
			_, part, _ = strings.Cut(part, "m")
		}
		n += utf8.RuneCountInString(part)
	}
	return n
}

// mark is a check's state as a shape, a colour and a word.
type mark struct{ shape, colour, word string }

func markOf(state contract.CheckState) mark {
	switch state {
	case contract.Pass:
		return mark{"✓", green, "pass"}
	case contract.Warn:
		return mark{"!", yellow, "warn"}
	case contract.Fail:
		return mark{"✗", red, "fail"}
	default:
		return mark{"?", yellow, "unknown"}
	}
}

func markOfOutcome(o contract.Outcome) mark {
	switch o {
	case contract.VerdictReady:
		return mark{"✓", green, "ready"}
	case contract.VerdictNotReady:
		return mark{"✗", red, "not ready"}
	default:
		return mark{"?", yellow, "unproven"}
	}
}

// table lays cells in columns; a row is cut to fit the terminal.
func (s *screen) table(indent string, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		b.WriteString(indent)
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		s.line("%s", s.cut(strings.TrimRight(b.String(), " ")))
	}
}

// cut shortens a line to the width and says so with an ellipsis.
func (s *screen) cut(line string) string {
	if !s.cuts || columns(line) <= s.width {
		return line
	}
	return string([]rune(line)[:s.width-1]) + "…"
}
