package health

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// form is compiled at its first use: every command of the program would wait
// for it otherwise.
func form(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

var (
	// identity is the common name of an NHS smartcard certificate.
	identity = form(`^([0-9]{12})_([^_]+)_(.+)$`)
	// userOnly finds the UUID where the name is not of the usual form.
	userOnly = form(`^([0-9]{12})_`)
	user     = form(`^[0-9]{12}$`)
)

// Identity takes the common name of a card's certificate apart:
// <12 digits>_<Surname>_<Forename>. The holder is "Forename Surname"; empty
// where only the UUID has the usual form.
func Identity(commonName string) (user, holder string, ok bool) {
	if m := identity().FindStringSubmatch(commonName); m != nil {
		name := func(s string) string {
			return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '_' || r == ' ' }), " ")
		}
		return m[1], strings.TrimSpace(name(m[3]) + " " + name(m[2])), true
	}
	if m := userOnly().FindStringSubmatch(commonName); m != nil {
		return m[1], "", true
	}
	return "", "", false
}

func validUser(s string) bool { return user().MatchString(s) }

// The environments that a card can come from.
const (
	EnvironmentTest    = "test"
	EnvironmentLive    = "live"
	EnvironmentUnknown = "unknown"
)

// liveIssuers are the common names of the authorities that issue live cards
// (NHS PKI certificate information).
var liveIssuers = [...]string{"NHS Authentication G2", "NHS Signing G2", "NHS Root Authority G2"}

// IssuerEnvironment says where a card comes from by the distinguished name of
// its issuer, as in RFC 4514: test for the authorities of the path-to-live
// environments, whose names begin with "NHS INT" or "NHS PTL", live for those
// of live cards, and unknown for all others. It is about names only: whether
// the name is true is for who verifies the signature.
func IssuerEnvironment(issuer string) string {
	var organisation, common []string
	for _, a := range attributes(issuer) {
		switch strings.ToUpper(a.key) {
		case "O":
			organisation = append(organisation, a.value)
		case "CN":
			common = append(common, a.value)
		}
	}
	if len(common) != 1 || len(organisation) != 1 || !strings.EqualFold(organisation[0], "nhs") {
		return EnvironmentUnknown
	}
	words := strings.Fields(common[0])
	switch {
	case len(words) > 2 && words[0] == "NHS" && (words[1] == "INT" || words[1] == "PTL"):
		return EnvironmentTest
	case slices.Contains(liveIssuers[:], common[0]):
		return EnvironmentLive
	}
	return EnvironmentUnknown
}

type attribute struct{ key, value string }

// attributes takes a distinguished name apart. Escapes are honoured, so that
// no value can pass for another attribute; a name that breaks the syntax has
// none.
func attributes(name string) []attribute {
	var all []attribute
	var key, value strings.Builder
	inValue := false
	end := func() bool {
		if !inValue {
			return false
		}
		all = append(all, attribute{strings.TrimSpace(key.String()), strings.TrimSpace(value.String())})
		key.Reset()
		value.Reset()
		inValue = false
		return true
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '\\':
			i++
			if i == len(name) || !inValue {
				return nil
			}
			value.WriteByte('\\') // an escaped character makes no known name
			value.WriteByte(name[i])
		case c == '"':
			return nil
		case (c == ',' || c == '+') && inValue:
			if !end() {
				return nil
			}
		case c == '=' && !inValue:
			inValue = true
		case inValue:
			value.WriteByte(c)
		default:
			key.WriteByte(c)
		}
	}
	if !end() {
		return nil
	}
	return all
}
