package cis2

import "strings"

// ValidUser is whether a user's UUID has its form: 12 digits (TEST).
func ValidUser(uuid string) bool {
	return len(uuid) == 12 && strings.Trim(uuid, "0123456789") == ""
}

// UserOf takes the UUID from the common name of a smartcard's certificate:
// 12 digits, an underscore and the name (EPS, test data).
func UserOf(commonName string) (uuid string, ok bool) {
	uuid, _, cut := strings.Cut(commonName, "_")
	if !cut || !ValidUser(uuid) {
		return "", false
	}
	return uuid, true
}

// UserPrefix is how UUIDs of an environment usually begin.
type UserPrefix struct {
	Environment, Prefix string
	Sure                Sure
	Source              Source
}

// UserPrefixes is the table of prefixes. An environment without a row has no
// usual one that is known.
func UserPrefixes() []UserPrefix {
	return []UserPrefix{
		{INT, "5552", Verified, srcTest},
		{INT, "5553", Verified, srcTest},
		{INT, "555043", Inferred, srcPublic},
		{INT, "555086", Inferred, srcPublic},
		{INT, "696070", Inferred, srcPublic},
		{INT, "021600", Inferred, srcPublic},
		{Mock, "6560057501", Verified, srcMock},
	}
}

// UserRemark says what is unusual about a UUID for an environment, and is empty
// where nothing is. It is never a failure: UUIDs of other prefixes were seen.
func UserRemark(environment, uuid string) string {
	if !ValidUser(uuid) {
		return "a UUID has 12 digits"
	}
	var usual []string
	other := ""
	for _, p := range UserPrefixes() {
		has := strings.HasPrefix(uuid, p.Prefix)
		switch {
		case p.Environment == environment && has:
			return ""
		case p.Environment == environment:
			usual = append(usual, p.Prefix)
		case has:
			other = p.Environment
		}
	}
	switch {
	case other != "" && (len(usual) > 0 || environment == PROD):
		return "it begins like one of " + other + "; UUIDs are per environment"
	case len(usual) > 0:
		return "those of " + environment + " usually begin with " + strings.Join(usual, ", ")
	}
	return ""
}
