package nhs

import (
	"strings"
	"unicode"
)

// plain makes what another program wrote fit to be shown: one line of at most so
// many characters, with nothing in it that a terminal would obey or that turns
// the direction of text.
func plain(text string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if !unicode.IsPrint(r) {
			r = ' '
		}
		if n == most {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
