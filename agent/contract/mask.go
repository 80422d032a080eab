package contract

import (
	"regexp"
	"strings"
)

// MaskUser hides all of a user's UUID but its last three digits: they let a
// tester tell his cards apart and tell nobody who the user is. Of one that is
// too short for that nothing is told, not even its length.
func MaskUser(uuid string) string {
	const shown = 3
	switch {
	case uuid == "":
		return ""
	case len(uuid) <= 2*shown:
		return "***"
	}
	return strings.Repeat("*", len(uuid)-shown) + uuid[len(uuid)-shown:]
}

var (
	// aUUID is a user's: 12 digits that stand alone.
	aUUID = regexp.MustCompile(`(^|[^0-9A-Za-z])([0-9]{12})($|[^0-9A-Za-z])`)
	// aToken is one of ours, or any signed token (RFC 7515, 7.1).
	aToken = regexp.MustCompile(`authbridge_[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*`)
	// aHome is a home folder, which is called after a person; in JSON a backslash
	// is two.
	aHome = regexp.MustCompile(`(/home/|/Users/)[^/"'\s:,;]+|((?i:[A-Z]:\\{1,2}Users\\{1,2}))[^\\"'\n]+`)
)

// MaskText hides what in a text is a user's UUID, a token, or a person's name in
// the path of a file; also is the name of somebody who is known, such as that of
// the user who runs the program. Texts should hold none; this makes sure.
func MaskText(text string, also ...string) string {
	// Twice, since a neighbour's separator is part of a match.
	for range 2 {
		text = aUUID.ReplaceAllStringFunc(text, func(found string) string {
			at := strings.IndexAny(found, "0123456789")
			return found[:at] + MaskUser(found[at:at+12]) + found[at+12:]
		})
	}
	text = aToken.ReplaceAllString(text, "***")
	text = aHome.ReplaceAllString(text, "${1}${2}***")
	for _, name := range also {
		if name != "" {
			text = regexp.MustCompile(`([/\\])`+regexp.QuoteMeta(name)+`\b`).ReplaceAllString(text, "${1}***")
		}
	}
	return text
}
