package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"authbridge/agent/cis2"
)

// TestWhoGetsForgedTokens: an application at INT, in INT's name to the octet, and
// one where a [[target]] says whose; nobody in live use.
func TestWhoGetsForgedTokens(t *testing.T) {
	t.Parallel()
	const own = "https://am.test.example:443" + cis2.RealmPath
	intIssuer, _ := cis2.FindEnvironment(cis2.INT)
	for name, c := range map[string]struct{ target, issuer, sent string }{
		"int":          {cis2.INT, intIssuer.Issuer, intIssuer.Issuer},
		"dep":          {cis2.DEP, "", ""},
		"dep, known":   {cis2.DEP, own, own},
		"one's own":    {"stub", own, own},
		"another form": {"stub", "https://idp.test.example/realm", ""},
		"in live use":  {cis2.PROD, own, ""},
	} {
		p := Registration{Target: c.target, Registered: Registered{ID: demoID}}.party(c.issuer)
		if p.Environment != c.target || (p.Tokens != nil) != (c.sent != "") || (p.Silent == "") != (c.sent != "") {
			t.Errorf("%s: %+v", name, p)
		}
		if p.Tokens == nil {
			continue
		}
		token, err := p.Tokens.LogoutToken(demoID, "999999999999", "s")
		if err != nil {
			t.Fatal(err)
		}
		claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil || !strings.Contains(string(claims), `"iss":"`+c.sent+`"`) {
			t.Errorf("%s: %s, %v", name, claims, err)
		}
	}
}
