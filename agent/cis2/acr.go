package cis2

import (
	"slices"
	"strings"
)

// Authenticator is what a user signs in with at CIS2. The first four are spelt
// as everywhere in the project.
type Authenticator string

// The authenticators.
const (
	Smartcard   Authenticator = "smartcard"
	SecurityKey Authenticator = "security-key"
	Platform    Authenticator = "platform" // Windows Hello
	TOTP        Authenticator = "totp"     // an authenticator application
	Passkey     Authenticator = "passkey"  // synced between devices
	IOS         Authenticator = "ios"      // the NHS application for iPads
	NHSMail     Authenticator = "nhsmail"  // NHS.net Connect
	UserName    Authenticator = "user-name"
)

// Reach is the level that an authenticator reaches.
type Reach struct {
	Authenticator Authenticator
	AAL           int
	Sure          Sure
	Source        Source
}

// Reaches is the table of authenticators.
func Reaches() []Reach {
	return []Reach{
		{Smartcard, 3, Verified, srcAALPost},
		{SecurityKey, 3, Verified, srcAALPost},
		{Platform, 3, Verified, srcAALPost},
		{IOS, 3, Verified, srcAALPost},
		{Passkey, 2, Verified, srcAALPost},
		{TOTP, 2, Verified, srcAALPost},
		{NHSMail, 2, Verified, srcAALPost},
		{UserName, 1, Inferred, srcCPT}, // AAL1_USERPASS
	}
}

// AALOf is the level that an authenticator reaches, and 0 for one that is not
// known.
func AALOf(a Authenticator) int {
	for _, r := range Reaches() {
		if r.Authenticator == a {
			return r.AAL
		}
	}
	return 0
}

// ACR is a value of acr_values and what satisfies it.
type ACR struct {
	Value string
	// Lowest and Highest bound the level.
	Lowest, Highest int
	// Authenticators are those admitted; nil: all that reach the level.
	Authenticators []Authenticator
	Sure           Sure
	Source         Source
}

// DefaultACR is asked for where a request names none (IDS, for the API
// platform; inferred for CIS2).
const DefaultACR = "AAL3_ANY"

// ACRs is a table of acr values.
type ACRs []ACR

// DefaultACRs is the table as shipped. Discovery lists what an environment
// really has (DISC).
func DefaultACRs() ACRs {
	return ACRs{
		{"AAL3_ANY", 3, 3, nil, Verified, srcACR},
		{"AAL2_OR_AAL3_ANY", 2, 3, nil, Verified, srcAALPost},
		// Whoever asks for the class AAL2 admits AAL3 too.
		{"AAL2_ANY", 2, 3, nil, Verified, srcACR},
		{"AAL1_USERPASS", 1, 1, []Authenticator{UserName}, Verified, srcCPT},
		{"AAL3_SMARTCARD", 3, 3, []Authenticator{Smartcard}, Verified, srcCPT},
		{"AAL3_N3_SMARTCARD", 3, 3, []Authenticator{Smartcard}, Verified, srcCPT},
		{"AAL3_CIS2_SMARTCARD", 3, 3, []Authenticator{Smartcard}, Verified, srcCPT},
		// That Windows Hello is among FIDO2 is inferred.
		{"AAL3_FIDO2", 3, 3, []Authenticator{SecurityKey, Platform}, Verified, srcCPT},
		{"AAL3_IOS", 3, 3, []Authenticator{IOS}, Verified, srcCPT},
		{"AAL2_TOTP", 2, 2, []Authenticator{TOTP}, Verified, srcCPT},
		{"AAL2_NHSMAIL", 2, 2, []Authenticator{NHSMail}, Verified, srcCPT},
	}
}

// Admits is whether a sign-in with an authenticator satisfies the value.
func (a ACR) Admits(with Authenticator) bool {
	level := AALOf(with)
	return level >= a.Lowest && level <= a.Highest &&
		(a.Authenticators == nil || slices.Contains(a.Authenticators, with))
}

// Find looks a value up.
func (t ACRs) Find(value string) (ACR, bool) {
	for _, a := range t {
		if a.Value == value {
			return a, true
		}
	}
	return ACR{}, false
}

// Values are all of the table, as discovery lists them.
func (t ACRs) Values() []string {
	all := make([]string, len(t))
	for i, a := range t {
		all[i] = a.Value
	}
	return all
}

// Parse reads an acr_values parameter, most wanted first (OpenID Connect Core
// 1.0, 3.1.2.1); an empty one is [DefaultACR]. It returns those that the table
// has, and the others by their names.
func (t ACRs) Parse(values string) (known ACRs, unknown []string) {
	fields := strings.Fields(values)
	if len(fields) == 0 {
		fields = []string{DefaultACR}
	}
	for _, value := range fields {
		if a, ok := t.Find(value); ok {
			known = append(known, a)
		} else {
			unknown = append(unknown, value)
		}
	}
	return known, unknown
}

// Satisfied is the first value that an authenticator satisfies.
func (t ACRs) Satisfied(with Authenticator) (ACR, bool) {
	for _, a := range t {
		if a.Admits(with) {
			return a, true
		}
	}
	return ACR{}, false
}

// Admitted are the authenticators that satisfy a value of the table, strongest
// first.
func (t ACRs) Admitted() []Authenticator {
	var all []Authenticator
	for _, r := range Reaches() {
		if _, ok := t.Satisfied(r.Authenticator); ok {
			all = append(all, r.Authenticator)
		}
	}
	return all
}
