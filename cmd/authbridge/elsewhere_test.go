package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"authbridge/agent/cis2"
)

// signInElsewhere is an application that signs a user in at the mock by the name
// alone, which is AAL1, as the demo client: elsewhere FILE writes the tokens that
// it gets as authbridge login verify takes them. The mock was found before.
func signInElsewhere(ts *testscript.TestScript, _ bool, args []string) {
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Jar: jar, Timeout: time.Minute, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	base := "http://localhost:" + ts.Getenv("MOCKPORT")
	ends := cis2.EndpointsOf(base + cis2.RealmPath)
	ask := func(method, address string, form url.Values, into any) (location string) {
		r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
		ts.Check(err)
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := client.Do(r)
		ts.Check(err)
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		ts.Check(err)
		if location = answer.Header.Get("Location"); location == "" {
			if err := json.Unmarshal(text, into); err != nil {
				ts.Fatalf("%s %s: %d %s", method, address, answer.StatusCode, text)
			}
		}
		return location
	}
	var page struct{ Action, CSRF, Continue string }
	ask(http.MethodGet, ends.Authorize+"?"+url.Values{
		"response_type": {"code"}, "client_id": {demoID}, "redirect_uri": {demoCallback}, "scope": {"openid nationalrbacaccess"},
		"state": {"of-state"}, "nonce": {"of-nonce"}, "acr_values": {"AAL1_USERPASS"},
	}.Encode(), nil, &page)
	ask(http.MethodPost, base+page.Action, url.Values{
		"csrf": {page.CSRF}, "do": {"choose"}, "user": {"656005750105"}, "authenticator": {string(cis2.UserName)},
	}, &page)
	back, err := url.Parse(ask(http.MethodGet, base+page.Continue, nil, nil))
	ts.Check(err)
	var tokens struct {
		IDToken     string `json:"id_token"`
		AccessToken string `json:"access_token"`
		ClientID    string `json:"client_id"`
		Nonce       string `json:"nonce"`
	}
	ask(http.MethodPost, ends.Token, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {demoCallback},
		"client_id": {demoID}, "client_secret": {demoSecret},
	}, &tokens)
	tokens.ClientID, tokens.Nonce = demoID, "of-nonce"
	text, err := json.Marshal(tokens)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}
