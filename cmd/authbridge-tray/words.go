package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// longest is how many characters a row of the menu has at most.
	longest = 90
	// linesEach is how many rows one text has at most.
	linesEach = 3
	// longestSentence is how many characters a text outside of the menu has.
	longestSentence = longest * linesEach
)

// todo begins what to do about the row above.
const todo = "    → "

// clean takes out of a text what is no sign that can be read: names come from
// cards, keys, readers and callers, and a hostile one may be called anything.
func clean(text string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case r != utf8.RuneError && unicode.IsPrint(r):
			return r
		}
		return -1
	}, text), " ")
}

// sentence is a text of one line for a dialog or a notification.
func sentence(text string) string { return cut([]rune(clean(text)), longestSentence) }

// cut ends a text that is longer than some characters by an ellipsis.
func cut(text []rune, most int) string {
	if len(text) <= most {
		return string(text)
	}
	return strings.TrimRight(string(text[:most-1]), " ") + "…"
}

// wrap breaks a text into rows of the menu, where it can between words; the
// later ones are indented. What does not fit in as many as may be is cut.
func wrap(text string, most int) (lines []string) {
	rest, indent := []rune(clean(text)), "    "
	if strings.HasPrefix(text, todo) {
		indent = "      " // under its text
	}
	for len(rest) > longest && len(lines) < most-1 {
		end := longest
		for i := longest; i > len(indent); i-- {
			if rest[i] == ' ' {
				end = i
				break
			}
		}
		lines = append(lines, strings.TrimRight(string(rest[:end]), " "))
		rest = []rune(indent + strings.TrimLeft(string(rest[end:]), " "))
	}
	return append(lines, cut(rest, longest))
}

// label writes a text as the menus of an operating system want it: a character
// there marks the key that chooses the row.
func label(goos, text string) string {
	switch goos {
	case "windows":
		return strings.ReplaceAll(text, "&", "&&")
	case "darwin":
		return text
	}
	return strings.ReplaceAll(text, "_", "__")
}
