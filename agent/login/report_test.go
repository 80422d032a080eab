package login_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/login"
)

// sample is a run with all that a report can show.
func sample(n int, state contract.LoginState) contract.Login {
	l := contract.Login{
		ID: fmt.Sprintf("login-%d", n), State: state, Target: "mock", Issuer: issuer, ClientID: "app", Mode: contract.DriveHeadless,
		Scenario: contract.ScenarioWrongUser, Refusers: []contract.Refuser{contract.RefusedByMock}, ACR: "AAL3_ANY", AAL: 3, User: cardUser,
		Authenticator: "card-1", Name: `virtual <card> & "co"`, Kind: contract.Smartcard, Origin: contract.Virtual, DrivenBy: "bridge",
		Holder: "token ci", Purpose: "run 17", StartedAt: noon, EndedAt: noon.Add(1500 * time.Millisecond), Summary: "It failed.",
		Steps: []contract.LoginStep{
			{Name: "discovery", State: contract.StepPass, Expected: "issuer", Got: "issuer <script>alert(1)</script>", At: noon, TookMS: 12.5},
			{Name: "subject", State: contract.StepFail, Expected: "*********001", Got: "*********108", Evidence: "another user has signed in ]]>", Code: "TOK_SUB", Remedy: "Sign in as the expected user.", At: noon},
			{Name: "roles", State: contract.StepSkipped, Got: "not reached", At: noon},
		},
	}
	if state != contract.LoginPassed {
		l.Problem = &contract.Problem{Code: "LOGIN_CUT_OFF", Title: "The daemon ended", Detail: "in the middle", Remedy: "Run it again."}
	}
	return l
}

func render(t *testing.T, form contract.LoginReportForm, l contract.Login) string {
	t.Helper()
	body, kind, err := login.Render(form, l)
	must(t, err)
	if kind == "" {
		t.Error("it has no media type")
	}
	return string(body)
}

func TestReportsMaskAndEscape(t *testing.T) {
	t.Parallel()
	l := sample(1, contract.LoginFailed)
	for _, form := range []contract.LoginReportForm{contract.LoginReportJSON, contract.LoginReportJUnit, contract.LoginReportHTML} {
		text := render(t, form, l)
		if strings.Contains(text, cardUser) || !strings.Contains(text, "*********001") {
			t.Errorf("%s says whose it is", form)
		}
		if form != contract.LoginReportJSON && strings.Contains(text, "<script") {
			t.Errorf("%s does not escape", form)
		}
	}
	if _, _, err := login.Render("pdf", l); err == nil {
		t.Error("there is a form that there is not")
	}
	var back contract.Login
	must(t, json.Unmarshal([]byte(render(t, contract.LoginReportJSON, l)), &back))
	if back.ID != l.ID || len(back.Steps) != 3 || l.User != cardUser {
		t.Errorf("%+v", back)
	}
	html := render(t, contract.LoginReportHTML, l)
	for _, loads := range []string{"http-equiv=\"refresh\"", "src=", "<link", "url(", "@import"} {
		if strings.Contains(html, loads) {
			t.Errorf("the page loads something: %s", loads)
		}
	}
	if !strings.Contains(html, "rests on a virtual authenticator") {
		t.Error("a virtual authenticator is not told")
	}
}

// TestTheCountsOfJUnitAreThoseOfItsCases: a step is a case, and what aborted the
// run is an error besides.
func TestTheCountsOfJUnitAreThoseOfItsCases(t *testing.T) {
	t.Parallel()
	passed := sample(3, contract.LoginPassed)
	passed.Steps = passed.Steps[:1]
	for _, row := range []struct {
		run                     contract.Login
		tests, failures, errors int
	}{
		{sample(1, contract.LoginFailed), 3, 1, 0},
		{sample(2, contract.LoginAborted), 4, 1, 1},
		{passed, 1, 0, 0},
	} {
		var got struct {
			XMLName xml.Name `xml:"testsuites"`
			Suites  []struct {
				Tests    int `xml:"tests,attr"`
				Failures int `xml:"failures,attr"`
				Errors   int `xml:"errors,attr"`
				Cases    []struct {
					Failure *struct {
						Type string `xml:"type,attr"`
					} `xml:"failure"`
					Error *struct{} `xml:"error"`
				} `xml:"testcase"`
			} `xml:"testsuite"`
		}
		text := render(t, contract.LoginReportJUnit, row.run)
		must(t, xml.Unmarshal([]byte(text), &got))
		if len(got.Suites) != 1 {
			t.Fatal(text)
		}
		s := got.Suites[0]
		failures, errs := 0, 0
		for _, c := range s.Cases {
			if c.Error != nil {
				errs++
			}
			if c.Failure != nil {
				if failures++; c.Failure.Type != "TOK_SUB" {
					t.Errorf("type %q", c.Failure.Type)
				}
			}
		}
		if len(s.Cases) != row.tests || s.Tests != row.tests || failures != row.failures || s.Failures != row.failures || errs != row.errors || s.Errors != row.errors {
			t.Errorf("%s: %s", row.run.ID, text)
		}
	}
}

// TestNoSecretIsKept is the canary of a whole run: the client's secret, the
// PIN, tokens, codes and names are nowhere in what is kept, told or reported.
func TestNoSecretIsKept(t *testing.T) {
	t.Parallel()
	heard := &tap{}
	w := newWorld(t, func(w *world) {
		heard.RoundTripper = w.config.Transport
		w.config.Transport = heard
	})
	var all bytes.Buffer
	for _, request := range []contract.LoginRequest{
		{Kind: contract.Smartcard, PIN: &contract.PINSource{Value: []byte("123456")}},
		{Kind: contract.SecurityKey},
		{Scenario: contract.ScenarioTamperedToken},
	} {
		l := w.passes(request)
		for _, form := range []contract.LoginReportForm{contract.LoginReportJSON, contract.LoginReportJUnit, contract.LoginReportHTML} {
			all.WriteString(render(t, form, l))
		}
		for _, word := range []string{heard.tokens.IDToken, heard.tokens.AccessToken, heard.nonce, secret, "123456", "Okonkwo", cardUser, keyUser} {
			// As a word: six digits may well be the end of a time.
			if word == "" || regexp.MustCompile(`\b`+regexp.QuoteMeta(word)+`\b`).MatchString(all.String()) {
				t.Errorf("%q is shown", word)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		text, err := json.Marshal(e)
		must(t, err)
		for _, word := range []string{secret, "Okonkwo", cardUser, keyUser, heard.tokens.AccessToken} {
			if strings.Contains(string(text), word) {
				t.Errorf("%q is told: %s", word, text)
			}
		}
	}
}
