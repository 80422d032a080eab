package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"authbridge/agent/cis2"
)

// TestWhoGetsForgedTokens: an application at INT, in INT's name to the octet; and
// nobody in live use.
func TestWhoGetsForgedTokens(t *testing.T) {
	t.Parallel()
	for target, sends := range map[string]bool{cis2.INT: true, cis2.DEP: false, cis2.PROD: false} {
		p := Registration{Target: target, Registered: Registered{ID: demoID}}.party()
		if p.Environment != target || (p.Tokens != nil) != sends || (p.Silent == "") != sends {
			t.Errorf("%s: %+v", target, p)
		}
		if !sends {
			continue
		}
		token, err := p.Tokens.LogoutToken(demoID, "999999999999", "s")
		if err != nil {
			t.Fatal(err)
		}
		claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil || !strings.Contains(string(claims), `"iss":"`+p.Issuer+`"`) || !strings.Contains(p.Issuer, ":443/") {
			t.Errorf("%s, %v", claims, err)
		}
	}
}
