package contract

import (
	"strings"
	"testing"
)

func TestTheMaskTellsAtMostThreeDigits(t *testing.T) {
	for user, want := range map[string]string{
		"": "", "1": "***", "123456": "***", "1234567": "****567", "555200123456": "*********456",
	} {
		if got := MaskUser(user); got != want {
			t.Errorf("%q is masked as %q, want %q", user, got, want)
		}
	}
}

func TestATextIsMasked(t *testing.T) {
	for text, want := range map[string]string{
		"card of 555200123456":                                  "card of *********456",
		"555200123456,555200123457":                             "*********456,*********457",
		`"555200123456"`:                                        `"*********456"`,
		"serial 1555200123456, took 12345":                      "serial 1555200123456, took 12345",
		"id mqw1a2b3c-555":                                      "id mqw1a2b3c-555",
		"/home/ann/.local/state/authbridge":                     "/home/***/.local/state/authbridge",
		"/home/ann":                                             "/home/***",
		"/home/ann: no such file":                               "/home/***: no such file",
		`C:\Users\Ann Lee\x`:                                    `C:\Users\***\x`,
		`"C:\\Users\\Ann\\x"`:                                   `"C:\\Users\\***\\x"`,
		"/Users/ann/Library":                                    "/Users/***/Library",
		"/srv/ann/pin and /srv/anna/pin":                        "/srv/***/pin and /srv/anna/pin",
		"ann said hello":                                        "ann said hello",
		"Bearer authbridge_" + strings.Repeat("k", 43):          "Bearer ***",
		"authbridge_lease_" + strings.Repeat("k", 43) + " ends": "*** ends",
		"is authbridge_ready":                                   "is authbridge_ready",
		"code eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln, x":     "code ***, x",
	} {
		if got := MaskText(text, "ann", ""); got != want {
			t.Errorf("%q is masked as %q, want %q", text, got, want)
		}
	}
}

// FuzzMaskText holds that a UUID that stands alone is never told, whatever is
// around it.
func FuzzMaskText(f *testing.F) {
	f.Add("card of ", " is here")
	f.Add("/home/", "/x")
	f.Add("1 ", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		const uuid = "555200123456"
		if strings.Contains(before, uuid) || strings.Contains(after, uuid) {
			t.Skip()
		}
		if got := MaskText(before + " " + uuid + " " + after); strings.Contains(got, uuid) {
			t.Errorf("%q", got)
		}
	})
}
