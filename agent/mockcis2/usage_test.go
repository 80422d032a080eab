package mockcis2_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestWhatAClientDoesIsSeenWithoutItsSecrets: so that it can be held against its
// registration.
func TestWhatAClientDoesIsSeenWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if u := r.server.Usage("secretive"); !u.Asked.At.IsZero() || !u.Authenticated.At.IsZero() {
		t.Errorf("%+v", u)
	}
	b := r.browser()
	r.exchange(b.signIn(aal3User))
	u := r.server.Usage("secretive")
	if a := u.Authenticated; a.Method != "client_secret_post" || !a.Accepted || a.At.IsZero() {
		t.Errorf("%+v", a)
	}
	if a := u.Asked; a.Redirect == "" || !slices.Contains(a.Scopes, "openid") || a.At.IsZero() {
		t.Errorf("%+v", a)
	}
	// What is refused is seen too: that is what somebody looks for.
	token := r.server.Endpoints().Token
	post := func(fields ...string) {
		t.Helper()
		b.do(http.MethodPost, token, strings.NewReader(values(fields...).Encode()), "Content-Type", formType)
	}
	post("client_id", "secretive", "client_secret", "the wrong canary")
	if a := r.server.Usage("secretive").Authenticated; a.Accepted || a.Method != "client_secret_post" {
		t.Errorf("%+v", a)
	}
	// {"alg":"HS256"} . {"iss":"secretive"}: no algorithm of CIS2's, and named all the same.
	post("client_assertion", "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJzZWNyZXRpdmUifQ.Y2FuYXJ5", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	if a := r.server.Usage("secretive").Authenticated; a.Accepted || a.Method != "private_key_jwt" || a.Alg != "HS256" {
		t.Errorf("%+v", a)
	}
	b.authorize("prompt", "none", "state", "canary", "nonce", "canary", "scope", "openid "+strings.Repeat("x", 1000)+"\x1b")
	text, err := json.Marshal(r.server.Usage("secretive"))
	if err != nil || strings.Contains(string(text), "canary") || strings.Contains(string(text), "Y2Fu") || len(text) > 2000 {
		t.Errorf("%s, %v", text, err)
	}
	// Nobody makes it keep what no client does.
	post("client_id", "unknown", "client_secret", "x")
	if u := r.server.Usage("unknown"); !u.Authenticated.At.IsZero() {
		t.Errorf("%+v", u)
	}
}
