package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest is how many characters a line of the menu has at most.
const longest = 80

// line makes a text one that can stand in the menu: names come from cards, keys,
// readers and callers, and a hostile one may be called anything.
func line(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n', r == '\t':
			b.WriteByte(' ')
		case r != utf8.RuneError && unicode.IsPrint(r):
			b.WriteRune(r)
		}
	}
	text = strings.TrimRight(b.String(), " ")
	if utf8.RuneCountInString(text) > longest {
		return strings.TrimRight(string([]rune(text)[:longest-1]), " ") + "…"
	}
	return text
}

// lines is how many a text has at most that is broken into some.
const lines = 3

// wrap breaks a text between words into lines of so many characters; what does
// not fit is in the last, for line to cut.
func wrap(text string, width int) (parts []string) {
	for _, word := range strings.Fields(text) {
		last := len(parts) - 1
		if last >= 0 && (len(parts) == lines || utf8.RuneCountInString(parts[last])+1+utf8.RuneCountInString(word) <= width) {
			parts[last] += " " + word
		} else {
			parts = append(parts, word)
		}
	}
	return parts
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
