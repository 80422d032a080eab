//go:build linux && cgo

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"authbridge/agent/cis2"
	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/mockcis2"
)

// An application at the mock, and somebody who signs in with an authenticator
// app.
const (
	partyID       = "123456789012.apps.national"
	partyRedirect = "http://127.0.0.1:1/callback"
	appUser       = "555299991111"
)

// anyToken is what a signed token looks like: those of runs that the bridge
// drives are nobody's canary.
var anyToken = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{8,}`)

// signingKey is a line in the middle of the key that the mock signs with, which
// is made on first use.
func (h *hunt) signingKey() *canary {
	h.t.Helper()
	s := h.surfer()
	s.ask(cis2.EndpointsOf(s.base+cis2.RealmPath).JWKS, nil, nil)
	files, err := filepath.Glob(filepath.Join(h.state, "mock", "signing", "*.pem"))
	must(h.t, err)
	if len(files) != 1 {
		h.t.Fatalf("the mock's keys are %v", files)
	}
	lines := strings.Split(string(h.read(files[0])), "\n")
	octets, err := base64.StdEncoding.DecodeString(lines[len(lines)/2])
	must(h.t, err)
	return h.canary("the key that the mock signs with", string(octets))
}

// logins has login runs of all kinds: those that the bridge drives, by card and
// key, in every scenario; one in a browser; and tokens of an application, right
// ones and wrong ones.
func (h *hunt) logins(ci, reader, user who) {
	card, key := `,"kind":"smartcard"`+h.pin(h.card.value), `,"kind":"security-key"`+h.pin(h.key.value)
	for _, more := range []string{
		card, key, `,"scenario":"sso"` + card, `,"scenario":"step-up"` + key, `,"scenario":"reauthentication"` + card, `,"scenario":"logout"` + key,
		`,"scenario":"aal2-for-aal3"` + card, `,"scenario":"wrong-user"` + card, `,"scenario":"tampered-token"` + key, `,"scenario":"stale-auth-time"` + card,
		`,"scenario":"card-pulled"`, `,"scenario":"pin-blocked"`, `,"scenario":"expired-certificate"`, `,"scenario":"touch-timeout"`, `,"scenario":"virtual-for-int"`,
	} {
		h.ends(h.login(ci, byTCP, more), contract.LoginPassed)
	}
	h.ends(h.login(user, bySocket, `,"kind":"security-key"`+h.secret("blue", h.key.value)), contract.LoginPassed)
	for _, kind := range []contract.Kind{contract.SecurityKey, contract.Smartcard} {
		for _, way := range []string{"wrong in a login", "in a login, blocked"} {
			h.ends(h.login(ci, byTCP, `,"kind":"`+string(kind)+`"`+h.pin(h.wrong(kind, way))), contract.LoginFailed)
		}
	}
	h.refused(h.login(reader, byTCP, `,"kind":"smartcard"`+h.pin(h.wrong(contract.SecurityKey, "in the login of who may read only"))), "FORBIDDEN")
	h.clear()

	id, access := h.partySignsIn()
	tokens := func(id, access string) string {
		return `,"mode":"tokens","acr":"AAL2_TOTP","user":"` + appUser + `","tokens":{"client_id":"` + partyID + `","id_token":` + quoted(id) + `,"access_token":` + quoted(access) + `}`
	}
	h.ends(h.login(ci, byTCP, tokens(id, access)), contract.LoginPassed)
	other := func(way string) string { return h.canary(way, "token of "+rand20()).value }
	h.ends(h.login(ci, byTCP, tokens(id[:len(id)-4]+"AAAA", access)), contract.LoginFailed)
	h.ends(h.login(ci, byTCP, tokens(other("an ID token that is none"), other("an access token that is none"))), contract.LoginFailed)
	h.refused(h.login(reader, byTCP, tokens(id, access)), "FORBIDDEN")
	for _, body := range []string{
		`,"mode":"tokens","tokens":{"id_token":["@"]}`, `,"mode":"tokens","tokens":{"id_token":"@","id_token":"@"}`, `,"mode":"tokens","tokens":{"id_token":"@","@":1}`,
		`,"mode":"tokens","tokens":"@"`, `,"tokens":{"id_token":"@"}`, `,"mode":"tokens","tokens":{"id_token":"@"},"surprise":"@"`, `,"mode":"@"`, `,"scenario":"@"`, `,"acr":"@"`, `,"timeout":"@"`,
	} {
		if a := h.login(ci, byTCP, strings.ReplaceAll(body, "@", other(body))); a.status < 400 {
			h.t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	h.browserSignsIn()

	reports := h.file("reports")
	mine := []string{"--state-dir", h.state}
	h.says(0, h.command(h.card.value+"\n", nil, nil, append([]string{"login", "--kind", "smartcard", "--pin-stdin", "--report", reports}, mine...)...))
	h.says(1, h.command(h.wrong(contract.SecurityKey, "wrong in a login on standard input")+"\n", nil, nil, append([]string{"login", "--kind", "security-key", "--pin-stdin", "--json"}, mine...)...))
	h.clear()
	given, err := json.Marshal(map[string]any{"id_token": id, "access_token": access, "client_id": partyID})
	must(h.t, err)
	h.says(0, h.command(string(given), nil, nil, append([]string{"login", "verify", "--acr", "AAL2_TOTP"}, mine...)...))
	h.says(0, h.command("", nil, nil, append([]string{"login", "list"}, mine...)...))
	files, err := os.ReadDir(reports)
	must(h.t, err)
	for _, f := range files {
		h.add(place{name: "report " + f.Name(), data: h.read(filepath.Join(reports, f.Name()))})
	}
	h.allLogins(ci, user)
}

// login asks for a run, and waits for its end.
func (h *hunt) login(as who, by door, more string) answer {
	h.t.Helper()
	return h.post(as, by, "/v1/logins", `{"target":"mock","wait":true`+more+`}`)
}

// ends expects how a run has ended.
func (h *hunt) ends(a answer, state contract.LoginState) {
	h.t.Helper()
	var l contract.Login
	if h.want(a, http.StatusOK, &l); l.State != state {
		h.t.Errorf("it is %s: %s", l.State, a.body)
	}
}

// allLogins takes what there is of each run, with its reports.
func (h *hunt) allLogins(as ...who) {
	h.t.Helper()
	var all []contract.Login
	h.want(h.get(as[0], "/v1/logins"), http.StatusOK, &all)
	for _, l := range all {
		for _, one := range as {
			by := byTCP
			if one.token == nil {
				by = bySocket
			}
			for _, path := range []string{"", "/report?format=json", "/report?format=junit", "/report?format=html"} {
				h.do(h.t.Context(), call{as: one, by: by, method: http.MethodGet, path: "/v1/logins/" + l.ID + path})
			}
		}
	}
}

// surfer is a browser that does as a program.
type surfer struct {
	*hunt
	http.Client
	base string
}

func (h *hunt) surfer() *surfer {
	h.t.Helper()
	var mock struct{ URL string }
	must(h.t, json.Unmarshal(h.read(filepath.Join(h.state, "mock.json")), &mock))
	jar, err := cookiejar.New(nil)
	must(h.t, err)
	return &surfer{hunt: h, base: mock.URL, Client: http.Client{
		Jar: jar, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ask asks for a page as JSON, with a form where there is one, and says where it
// is sent on to.
func (s *surfer) ask(address string, form url.Values, into any) (to string) {
	s.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = s.base + address
	}
	request, err := http.NewRequest(http.MethodGet, address, nil)
	must(s.t, err)
	if form != nil {
		request.Method, request.Body = http.MethodPost, io.NopCloser(strings.NewReader(form.Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.Do(request)
	must(s.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(s.t, err)
	if into != nil && json.Unmarshal(body, into) != nil {
		s.t.Fatalf("%s answers %d %s", request.URL.Path, response.StatusCode, body)
	}
	return response.Header.Get("Location")
}

// signIn signs the user in with the authenticator app, by a code that is good
// after so many steps, and comes back with the code that the browser is sent on
// with.
func (s *surfer) signIn(address string, step time.Duration) (back, code string) {
	s.t.Helper()
	var p mockcis2.Step
	s.ask(address, nil, &p)
	s.ask(p.Action, url.Values{"csrf": {p.CSRF}, "do": {"choose"}, "user": {appUser}, "authenticator": {"totp"}}, &p)
	six, err := totp.GenerateCode(s.app.value, time.Now().Add(step*30*time.Second))
	must(s.t, err)
	s.ask(p.Action, url.Values{"csrf": {p.CSRF}, "do": {"totp"}, "code": {six}}, &p)
	if p.Stage == "role" {
		s.ask(p.Action, url.Values{"csrf": {p.CSRF}, "do": {"role"}, "role": {p.Roles[0].RoleID}}, &p)
	}
	if p.Continue == "" {
		s.t.Fatalf("the page stands at %s: %s", p.Stage, p.Problem)
	}
	back = s.ask(p.Continue, nil, nil)
	to, err := url.Parse(back)
	must(s.t, err)
	return back, s.canary("a code", to.Query().Get("code")).value
}

// partySignsIn is an application whose user signs in: the tokens are its own.
func (h *hunt) partySignsIn() (id, access string) {
	h.t.Helper()
	s := h.surfer()
	q := url.Values{
		"response_type": {"code"}, "client_id": {partyID}, "redirect_uri": {partyRedirect}, "scope": {"openid profile nationalrbacaccess"},
		"state": {"any"}, "acr_values": {"AAL2_TOTP"},
	}
	at := cis2.EndpointsOf(s.base + cis2.RealmPath)
	_, code := s.signIn(at.Authorize+"?"+q.Encode(), 0)
	var got struct {
		ID     string `json:"id_token"`
		Access string `json:"access_token"`
	}
	s.ask(at.Token, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {partyRedirect}, "client_id": {partyID}, "client_secret": {h.party.value},
	}, &got)
	parts := strings.Split(got.ID, ".")
	if len(parts) != 3 || got.Access == "" {
		h.t.Fatalf("the application got %+v", got)
	}
	h.canary("the claims of an ID token", parts[1])
	h.canary("the signature of an ID token", parts[2])
	return h.canary("an ID token", got.ID).value, h.canary("an access token", got.Access).value
}

// browserSignsIn is a run that a browser drives, whose code it brings back. It
// fails, for the authenticator is another than the one that is kept for it.
func (h *hunt) browserSignsIn() {
	h.t.Helper()
	c := h.client()
	defer c.Close()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	opened, over := make(chan string, 1), make(chan error, 1)
	var l contract.Login
	go func() {
		var err error
		l, err = c.RunLogin(ctx, contract.LoginRequest{Target: "mock", Mode: contract.DriveBrowser, Kind: contract.Smartcard, ACR: "AAL2_ANY"},
			apiclient.LoginTold{Open: func(address string) { opened <- address }})
		over <- err
	}()
	select {
	case address := <-opened:
		s := h.surfer()
		back, _ := s.signIn(address, 1)
		s.ask(back, nil, nil)
		must(h.t, <-over)
	case err := <-over:
		h.t.Errorf("no address is to be opened: %v %+v", err, l.Problem)
		return
	}
	if l.State != contract.LoginFailed || l.DrivenBy != "browser" {
		h.t.Errorf("it is %+v", l)
	}
}

func rand20() string { return fmt.Sprint(digits(10), digits(10)) }
