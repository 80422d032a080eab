package login_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
)

// BenchmarkRunBesideABareClient is a whole run by card beside the same HTTP
// exchanges by a client that judges and keeps nothing. "granted-ms" is from the
// lease to the end, less the ceremony.
func BenchmarkRunBesideABareClient(b *testing.B) {
	b.Run("run", func(b *testing.B) {
		w := newWorld(b)
		w.passes(contract.LoginRequest{Kind: contract.Smartcard})
		var granted time.Duration
		b.ResetTimer()
		for b.Loop() {
			l := w.passes(contract.LoginRequest{Kind: contract.Smartcard})
			granted += l.EndedAt.Sub(l.GrantedAt) - time.Duration(stepOf(l, "ceremony").TookMS*float64(time.Millisecond))
		}
		b.ReportMetric(float64(granted.Microseconds())/1000/float64(b.N), "granted-ms")
	})
	b.Run("bare", func(b *testing.B) {
		w := newWorld(b)
		must(b, knows{w.mock}.Know(cardUser))
		b.ResetTimer()
		for b.Loop() {
			bare(b, w)
		}
	})
}

// bare is the exchanges of a run from its lease to its end, with a user name in
// the place of the card's signature.
func bare(b *testing.B, w *world) {
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Transport: w.config.Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	call := func(method, address string, form url.Values, header ...string) (*http.Response, []byte) {
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		if strings.HasPrefix(address, "/") {
			address = w.base + address
		}
		r, err := http.NewRequest(method, address, body)
		must(b, err)
		r.Header.Set("Accept", "application/json")
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for ; len(header) >= 2; header = header[2:] {
			r.Header.Set(header[0], header[1])
		}
		response, err := client.Do(r)
		must(b, err)
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		must(b, err)
		return response, got
	}
	var page struct {
		Action   string `json:"action"`
		CSRF     string `json:"csrf"`
		Continue string `json:"continue"`
	}
	sum := sha256.Sum256([]byte(strings.Repeat("v", 43)))
	_, body := call(http.MethodGet, w.mock.Endpoints().Authorize+"?"+url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirect}, "scope": {"openid profile"}, "state": {"s"}, "nonce": {"n"},
		"acr_values": {"AAL1_USERPASS"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil)
	must(b, json.Unmarshal(body, &page))
	call(http.MethodGet, "/proof/22222222", nil) // as the challenge is asked for
	_, body = call(http.MethodPost, page.Action, url.Values{"csrf": {page.CSRF}, "do": {"choose"}, "user": {cardUser}, "authenticator": {"user-name"}})
	must(b, json.Unmarshal(body, &page))
	call(http.MethodGet, page.Action, nil) // as after the proof
	response, _ := call(http.MethodGet, page.Continue, nil)
	back, err := url.Parse(response.Header.Get("Location"))
	must(b, err)
	_, body = call(http.MethodPost, w.mock.Endpoints().Token, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {redirect}, "client_id": {clientID},
		"client_secret": {secret}, "code_verifier": {strings.Repeat("v", 43)},
	})
	var tokens struct {
		Access string `json:"access_token"`
	}
	must(b, json.Unmarshal(body, &tokens))
	if response, _ := call(http.MethodGet, w.mock.Endpoints().Userinfo, nil, "Authorization", "Bearer "+tokens.Access); response.StatusCode != http.StatusOK {
		b.Fatalf("userinfo: %d", response.StatusCode)
	}
}
