package login_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
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

func render(t *testing.T, form contract.LoginReportForm, runs ...contract.Login) string {
	t.Helper()
	body, kind, err := login.Render(form, runs...)
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

// TestJUnitHasTheFormOfItsSchema holds order, counts and what is required, as
// the schema of Ant's JUnit task has them.
func TestJUnitHasTheFormOfItsSchema(t *testing.T) {
	t.Parallel()
	runs := []contract.Login{sample(1, contract.LoginFailed), sample(2, contract.LoginAborted), sample(3, contract.LoginPassed)}
	runs[2].Steps = runs[2].Steps[:1]
	text := render(t, contract.LoginReportJUnit, runs...)
	var got struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []struct {
			Attrs    []xml.Attr `xml:",any,attr"`
			Tests    int        `xml:"tests,attr"`
			Failures int        `xml:"failures,attr"`
			Errors   int        `xml:"errors,attr"`
			Cases    []struct {
				Failure *struct {
					Type string `xml:"type,attr"`
				} `xml:"failure"`
				Error *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	must(t, xml.Unmarshal([]byte(text), &got))
	if len(got.Suites) != 3 {
		t.Fatalf("%s", text)
	}
	for i, s := range got.Suites {
		failures, errs := 0, 0
		for _, c := range s.Cases {
			if c.Failure != nil {
				failures++
				if c.Failure.Type != "TOK_SUB" {
					t.Errorf("type %q", c.Failure.Type)
				}
			}
			if c.Error != nil {
				errs++
			}
		}
		if s.Tests != len(s.Cases) || s.Failures != failures || s.Errors != errs {
			t.Errorf("suite %d: %+v", i, s)
		}
	}
	if got.Suites[1].Errors != 1 || got.Suites[2].Failures != 0 {
		t.Errorf("%s", text)
	}
}

// TestAMatrixOfAThousandRuns holds that a report of many is made at once and
// stands alone. With AUTHBRIDGE_REPORTS set it is left there, to be looked at.
func TestAMatrixOfAThousandRuns(t *testing.T) {
	t.Parallel()
	var runs []contract.Login
	for n := range 1000 {
		runs = append(runs, sample(n, []contract.LoginState{contract.LoginPassed, contract.LoginFailed, contract.LoginAborted}[n%3]))
	}
	for form, name := range map[contract.LoginReportForm]string{
		contract.LoginReportHTML: "matrix.html", contract.LoginReportJUnit: "matrix.xml", contract.LoginReportJSON: "matrix.json",
	} {
		body := []byte(render(t, form, runs...))
		if bytes.Count(body, []byte("login-999")) == 0 {
			t.Errorf("%s: the last one is not there", name)
		}
		if dir := os.Getenv("AUTHBRIDGE_REPORTS"); dir != "" {
			must(t, os.WriteFile(filepath.Join(dir, name), body, 0o600))
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
