package platform

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain takes out of a text what a terminal, a desktop or a dialog could obey:
// controls, and the brackets of tags. Escaping them would show on desktops that
// know no markup.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '<' || r == '>' || r == '&' || r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
}
