package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

const sampleRun = "/v1/logins/" + apitest.SampleLogin

func decodeLogin(t *testing.T, text string) contract.Login {
	t.Helper()
	var l contract.Login
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return l
}

func loginIn(t *testing.T, response *http.Response) contract.Login {
	t.Helper()
	if response == nil {
		t.Fatal("no answer")
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", response.StatusCode, text, err)
	}
	return decodeLogin(t, string(text))
}

func TestALoginIsBegunFollowedAndCancelled(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	token := s.NamedToken(t, "owner", time.Hour, contract.RightLease, contract.RightRead).Secret
	got := call(t, s, token, "POST", "/v1/logins", `{"target":"mock"}`)
	l := decodeLogin(t, got.body)
	if got.status != 202 || l.State != contract.LoginRunning || len(l.Steps) != 1 || l.Holder != "token owner" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := call(t, s, token, "GET", "/v1/logins/"+l.ID+"?wait=1ms", ""); got.status != 200 || decodeLogin(t, got.body).State != contract.LoginRunning {
		t.Errorf("looked at for a moment: %d %s", got.status, got.body)
	}
	look, _ := begin(t, s, token, "GET", "/v1/logins/"+l.ID+"?wait=2m", "")
	for metric(t, s, "authbridge_http_held_requests") < 1 {
	}
	s.Logins.Finish(l.ID, contract.LoginPassed)
	if over := loginIn(t, <-look); over.State != contract.LoginPassed || over.Summary == "" {
		t.Errorf("over: %+v", over)
	}
	for !strings.Contains(call(t, s, s.Secret, "GET", "/metrics", "").body, `authbridge_logins_total{target="mock",scenario="sign-in",outcome="passed"} 1`) {
	}

	again := decodeLogin(t, call(t, s, token, "POST", "/v1/logins", `{"target":"mock"}`).body)
	if got := call(t, s, token, "DELETE", "/v1/logins/"+again.ID, ""); got.status != 200 || decodeLogin(t, got.body).State != contract.LoginAborted {
		t.Errorf("cancelled: %d %s", got.status, got.body)
	}
	var list []contract.Login
	if got := call(t, s, token, "GET", "/v1/logins", ""); json.Unmarshal([]byte(got.body), &list) != nil || len(list) != 2 || list[0].ID != again.ID || len(list[0].Steps) != 0 || list[0].Summary == "" {
		t.Errorf("the list: %s", got.body)
	}
	for _, c := range []struct{ method, target string }{
		{"GET", "/v1/logins/none"}, {"GET", "/v1/logins/none?wait=1s"}, {"DELETE", "/v1/logins/none"}, {"GET", "/v1/logins/none/report"},
	} {
		call(t, s, token, c.method, c.target, "").wantProblem(t, "LOGIN_UNKNOWN")
	}
	for _, target := range []string{"/v1/logins/" + l.ID + "?wait=3m", "/v1/logins/" + l.ID + "/report?format=pdf", "/v1/logins/" + l.ID + "/report?form=html"} {
		call(t, s, token, "GET", target, "").wantProblem(t, "BAD_REQUEST")
	}
	for _, body := range []string{`{}`, `{"target":"mock","mode":"telepathy"}`, `{"target":"mock","scenario":"bananas"}`, `{"target":"mock","user":"12"}`, `{"target":"mock","tokens":{}}`} {
		call(t, s, token, "POST", "/v1/logins", body).wantProblem(t, "BAD_REQUEST")
	}
}

// TestALeasesOwnTokenJudgesTokens: what a test under a lease obtained is its
// matter; a whole run would take a lease of its own.
func TestALeasesOwnTokenJudgesTokens(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	owner := s.NamedToken(t, "owner", time.Hour, contract.RightLease, contract.RightRead)
	token := s.Leases.Lend(contract.Owner{TokenID: owner.ID, Name: "token owner"})
	call(t, s, token, "POST", "/v1/logins", `{"target":"mock"}`).wantProblem(t, "FORBIDDEN")
	got := call(t, s, token, "POST", "/v1/logins", `{"target":"mock","mode":"tokens","tokens":{"id_token":"e30.e30.e30"}}`)
	l := decodeLogin(t, got.body)
	if got.status != 202 || len(l.Steps) == 0 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := call(t, s, token, "GET", "/v1/logins/"+l.ID+"/report?format=html", ""); got.status != 200 {
		t.Errorf("its report: %d %s", got.status, got.body)
	}
	other := s.NamedToken(t, "other", time.Hour, contract.RightLease, contract.RightRead).Secret
	call(t, s, other, "GET", "/v1/logins/"+l.ID+"/report", "").wantProblem(t, "LOGIN_NOT_YOURS")
	if got := call(t, s, token, "DELETE", "/v1/logins/"+l.ID, ""); got.status != 200 {
		t.Errorf("cancelled: %d %s", got.status, got.body)
	}
}

func TestWhoWaitsForALoginGetsItsEndAndGoingAwayCancelsIt(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	token := s.NamedToken(t, "owner", time.Hour, contract.RightLease)
	under := func(n int) string { return "login-" + string(rune('0'+n)) }
	state := func(n int) contract.LoginState {
		l, _, _ := s.Logins.Login(t.Context(), under(n))
		return l.State
	}
	waiting := func(n int) {
		for state(n) != contract.LoginRunning || metric(t, s, "authbridge_http_held_requests") < 1 {
		}
	}
	const ask = `{"target":"mock","wait":true}`
	answered, _ := begin(t, s, token.Secret, "POST", "/v1/logins", ask)
	waiting(1)
	s.Logins.Finish(under(1), contract.LoginPassed)
	if l := loginIn(t, <-answered); l.State != contract.LoginPassed {
		t.Errorf("%+v", l)
	}

	_, leave := begin(t, s, token.Secret, "POST", "/v1/logins", ask)
	waiting(2)
	leave()
	for state(2) != contract.LoginAborted {
	}

	answered, _ = begin(t, s, token.Secret, "POST", "/v1/logins", ask)
	waiting(3)
	call(t, s, s.Secret, "DELETE", "/v1/tokens/owner", "")
	wantCode(t, answered, "UNAUTHORIZED")
	if state(3) != contract.LoginAborted {
		t.Errorf("after the token it is %s", state(3))
	}

	answered, _ = begin(t, s, s.Secret, "POST", "/v1/logins", ask)
	waiting(4)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, answered, "SHUTTING_DOWN")
	if state(4) != contract.LoginAborted {
		t.Errorf("after the daemon it is %s", state(4))
	}
}

// TestWhatALoginDidIsForWhoAskedForIt: others see that it runs, and end nothing.
func TestWhatALoginDidIsForWhoAskedForIt(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	s.Logins.Careless = " of " + holder + ", " + user
	owner := s.NamedToken(t, "owner", time.Hour, contract.RightLease, contract.RightRead)
	knows := s.NamedToken(t, "knows", time.Hour, contract.RightLease, contract.RightRead, contract.RightIdentity)
	other := s.Token(t, contract.Rights...) // not even with all rights
	for _, c := range []struct {
		name     string
		owner    contract.NewToken
		identity bool
	}{{"without identity", owner, false}, {"with identity", knows, true}} {
		t.Run(c.name, func(t *testing.T) {
			s.Logins.Stage(contract.Owner{TokenID: c.owner.ID, Name: "token " + c.name}, user)
			s.Logins.Open(apitest.SampleLogin)
			for _, over := range []bool{false, true} {
				if over {
					s.Logins.Finish(apitest.SampleLogin, contract.LoginFailed)
				}
				for _, target := range []string{"/v1/logins", sampleRun} {
					if got := call(t, s, other, "GET", target, ""); got.status != 200 || !strings.Contains(got.body, apitest.SampleLogin) || strings.Contains(got.body, apitest.Judged) || strings.Contains(got.body, user) || strings.Contains(got.body, "state=") {
						t.Errorf("others see at %s: %s", target, got.body)
					}
					got := call(t, s, c.owner.Secret, "GET", target, "")
					if (target == sampleRun || over) && !strings.Contains(got.body, apitest.Judged) {
						t.Errorf("who asked does not see at %s: %s", target, got.body)
					}
					if shows := strings.Contains(got.body, user) || strings.Contains(got.body, holder); shows != c.identity {
						t.Errorf("%s tells whose card it is: %t, want %t: %s", target, shows, c.identity, got.body)
					}
				}
			}
			before := s.Logins.Calls()
			for _, secret := range []string{other, s.Leases.Lend(contract.Owner{TokenID: c.owner.ID, Name: "token " + c.name})} {
				call(t, s, secret, "GET", sampleRun+"/report?format=html", "").wantProblem(t, "LOGIN_NOT_YOURS")
			}
			call(t, s, other, "DELETE", sampleRun, "").wantProblem(t, "LOGIN_NOT_YOURS")
			if calls := s.Logins.Calls(); !slices.Equal(calls, before) {
				t.Errorf("others had their way: %q", calls)
			}
		})
	}
}

// TestAReportIsKeptAndNotRun: it is a file to be saved, and a page that is opened
// nevertheless runs nothing and loads nothing.
func TestAReportIsKeptAndNotRun(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	s.Logins.Stage(contract.Owner{Name: "user 1000"}, user)
	for query, want := range map[string][3]string{
		"":              {"application/json", "login-sample.json", "json"},
		"?format=json":  {"application/json", "login-sample.json", "json"},
		"?format=junit": {"application/xml", "login-sample.xml", "junit"},
		"?format=html":  {"text/html; charset=utf-8", "login-sample.html", "html"},
	} {
		got := ask(t, s, "", true, sampleRun+"/report"+query)
		got.wantSafeHeaders(t)
		if got.status != 200 || got.header.Get("Content-Type") != want[0] || got.header.Get("Content-Disposition") != `attachment; filename="`+want[1]+`"` || got.body != want[2]+" of login-sample" {
			t.Errorf("%s: %d %v %s", query, got.status, got.header, got.body)
		}
		policies := got.header.Values("Content-Security-Policy")
		if len(policies) != 1 || !strings.HasSuffix(policies[0], "; sandbox") || strings.Contains(policies[0], "script-src") || strings.Contains(policies[0], "allow-") {
			t.Errorf("%s: %q", query, policies)
		}
	}
}

// TestSecretsOfALoginGoTheirWayAlone: the PIN is cut out, an ID token of any
// lawful size fits, and neither comes back, whatever is wrong.
func TestSecretsOfALoginGoTheirWayAlone(t *testing.T) {
	const canary = "48151623"
	var log strings.Builder
	s := apitest.Start(t, apitest.Options{Log: &log})
	long := canary + strings.Repeat("A", 32768-len(canary))
	for _, body := range []string{
		`{"target":"mock","pin":"` + canary + `"}`,
		`{"target":"mock","pin":{"value":"` + canary + `","value":"` + canary + `"}}`,
		`{"target":"mock","pin":{"value":"` + canary + `"},"surprise":1}`,
		`{"target":"mock","mode":"tokens","tokens":{"id_token":"` + long + `A"}}`,
		`{"target":"mock","mode":"tokens","tokens":{"id_token":["` + canary + `"]}}`,
		`{"target":"mock","mode":"tokens","tokens":{"id_token":"x","` + canary + `":1}}`,
		`{"target":"mock","purpose":"<` + canary + `>"}`,
	} {
		got := call(t, s, s.Secret, "POST", "/v1/logins", body)
		got.wantProblem(t, "BAD_REQUEST")
		if strings.Contains(got.body, canary) {
			t.Errorf("it came back: %s", got.body)
		}
	}
	if calls := s.Logins.Calls(); len(calls) != 0 {
		t.Errorf("some were begun: %q", calls)
	}
	for _, body := range []string{
		`{"target":"mock","pin":{"value":"` + canary + `"}}`,
		`{"target":"mock","mode":"tokens","tokens":{"id_token":"` + long + `","access_token":"` + long + `","userinfo":{"sub":"` + strings.Repeat("x", 100<<10) + `"}}}`,
	} {
		if got := call(t, s, s.Secret, "POST", "/v1/logins", body); got.status != http.StatusAccepted || strings.Contains(got.body, canary) {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if pins, tokens := s.Logins.Secrets(); !slices.Equal(pins, []string{canary}) || !slices.Equal(tokens, []string{long}) {
		t.Errorf("%d and %d arrived as they were sent", len(pins), len(tokens))
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), canary) || !strings.Contains(log.String(), "begin-login") {
		t.Error("a secret is in the log, or nothing is")
	}
}
