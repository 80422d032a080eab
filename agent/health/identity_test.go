package health_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"authbridge/agent/health"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"555212345678_Pond_Amy":          {"555212345678", "Amy Pond"},
		"555212345678_O'Neil-Smith_Mary": {"555212345678", "Mary O'Neil-Smith"},
		"555212345678_van der Berg_Jan":  {"555212345678", "Jan van der Berg"},
		"555212345678_Pond_Amy_Jessica":  {"555212345678", "Amy Jessica Pond"},
		"555212345678_":                  {"555212345678", ""},
		"555212345678_Pond":              {"555212345678", ""},
		"555212345678":                   {},
		"55521234567_Pond_Amy":           {},
		"5552123456789_Pond_Amy":         {},
		" 555212345678_Pond_Amy":         {},
		"Pond_Amy":                       {},
		"":                               {},
		"٥٥٥٢١٢٣٤٥٦٧٨_Pond_Amy":          {},
	} {
		user, holder, ok := health.Identity(name)
		if got := [2]string{user, holder}; got != want || ok != (want[0] != "") {
			t.Errorf("%q is %q %v, want %q", name, got, ok, want)
		}
	}
}

func TestIssuerEnvironment(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]string{
		"CN=NHS INT Level 1D,OU=CA,O=nhs":                    "test",
		"O=nhs, OU=CA, CN=NHS INT Level 1D":                  "test",
		"CN=NHS INT Level 2D,OU=CA,O=nhs":                    "test",
		"CN=NHS INT Signing G2,OU=CA,O=nhs,C=GB":             "test",
		"CN=NHS PTL Root Authority,OU=CA,O=nhs":              "test",
		"CN=NHS Authentication G2,OU=CA,O=nhs,C=GB":          "live",
		"CN=NHS Signing G2,OU=CA,O=NHS,C=GB":                 "live",
		"CN=NHS Root Authority G2,OU=CA,O=nhs":               "live",
		"CN=NHS Level 1D,OU=CA,O=nhs":                        "unknown",
		"CN=Yubico PIV Attestation":                          "unknown",
		"CN=NHS INT Level 1D":                                "unknown", // no organisation
		"CN=NHS INT Level 1D,O=Evil Ltd":                     "unknown",
		"CN=NHS INT Level 1D,O=nhs,O=Evil Ltd":               "unknown",
		"CN=NHS INT Level 1D,CN=NHS Authentication G2,O=nhs": "unknown",
		"CN=Evil INT Level 1D,O=nhs":                         "unknown",
		"CN=NHS INTERNAL Live 1,O=nhs":                       "unknown",
		"CN=NHS INT,O=nhs":                                   "unknown",
		`CN=Evil\,CN=NHS INT Level 1D,O=nhs`:                 "unknown",
		`CN=NHS\ INT Level 1D,O=nhs`:                         "unknown",
		`CN="NHS INT Level 1D",O=nhs`:                        "unknown",
		"OU=CN\\=NHS INT Level 1D,O=nhs":                     "unknown",
		"CN=NHS Authentication G2+O=nhs":                     "live",
		"CN=NHS INT Level 1D,O=nhs,":                         "unknown",
		"NHS INT Level 1D":                                   "unknown",
		"=":                                                  "unknown",
		"":                                                   "unknown",
		`\`:                                                  "unknown",
		`CN=\`:                                               "unknown",
	} {
		if got := health.IssuerEnvironment(issuer); got != want {
			t.Errorf("%q is %s, want %s", issuer, got, want)
		}
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add("555212345678_Pond_Amy")
	f.Add("555212345678_")
	f.Fuzz(func(t *testing.T, name string) {
		user, holder, ok := health.Identity(name)
		if ok != (len(user) == 12) || !ok && holder != "" {
			t.Errorf("%q: %q %q %v", name, user, holder, ok)
		}
		if ok && (!strings.HasPrefix(name, user+"_") || strings.Contains(holder, "_") || utf8.ValidString(name) && !utf8.ValidString(holder)) {
			t.Errorf("%q: %q %q", name, user, holder)
		}
	})
}

func FuzzIssuerEnvironment(f *testing.F) {
	f.Add("CN=NHS INT Level 1D,OU=CA,O=nhs")
	f.Add(`CN=a\,b,O="nhs"`)
	f.Add("CN=NHS Authentication G2,O=nhs")
	f.Fuzz(func(t *testing.T, issuer string) {
		switch got := health.IssuerEnvironment(issuer); got {
		case "test":
			if !strings.Contains(issuer, "NHS") || !strings.Contains(strings.ToLower(issuer), "nhs") || strings.ContainsAny(issuer, `"`) {
				t.Errorf("%q is a test issuer", issuer)
			}
		case "live", "unknown":
		default:
			t.Errorf("%q is %q", issuer, got)
		}
	})
}
