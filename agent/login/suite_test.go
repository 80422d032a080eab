package login_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/login"
	"authbridge/agent/store"
)

var forms = []contract.LoginReportForm{contract.LoginReportJSON, contract.LoginReportJUnit, contract.LoginReportHTML}

// ordinary are the scenarios that bring no authenticator of their own.
var ordinary = []contract.LoginScenario{
	contract.ScenarioSignIn, contract.ScenarioSSO, contract.ScenarioStepUp, contract.ScenarioReauthentication, contract.ScenarioLogout,
	contract.ScenarioAAL2ForAAL3, contract.ScenarioWrongUser, contract.ScenarioTamperedToken, contract.ScenarioStaleAuthTime, contract.ScenarioVirtualForINT,
}

// thousand is a suite of 1,000 runs: 25 users by two kinds of authenticator, two
// levels by ten scenarios.
func thousand() login.Suite {
	full := make(map[string]contract.Login)
	s := login.Suite{ID: "suite-0123456789abcdef", Load: func(id string) (contract.Login, error) { return full[id], nil }}
	for user := range 25 {
		for _, kind := range []contract.Kind{contract.Smartcard, contract.SecurityKey} {
			for _, acr := range []string{"AAL3_ANY", "AAL2_OR_AAL3_ANY"} {
				for _, scenario := range ordinary {
					n := len(s.Runs)
					state := contract.LoginPassed
					switch {
					case n%37 == 5:
						state = contract.LoginFailed
					case n%101 == 7:
						state = contract.LoginAborted
					}
					l := sample(n, state)
					l.User, l.Kind, l.ACR, l.Scenario = fmt.Sprintf("656005750%03d", user), kind, acr, scenario
					if state != contract.LoginFailed {
						l.Steps[1].State = contract.StepPass
					}
					full[l.ID] = l
					l.Steps = nil
					s.Runs = append(s.Runs, l)
				}
			}
		}
	}
	return s
}

func written(t *testing.T, s login.Suite, form contract.LoginReportForm) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, s.Write(&b, form))
	return b.Bytes()
}

// TestAMatrixOfAThousandRuns holds that the page of a suite stands alone, shows
// every run once in the picture and once below with a way from the one to the
// other, and says nobody's UUID. With AUTHBRIDGE_REPORTS set the reports are
// left there, to be looked at.
func TestAMatrixOfAThousandRuns(t *testing.T) {
	t.Parallel()
	s := thousand()
	if len(s.Runs) != 1000 {
		t.Fatalf("%d runs", len(s.Runs))
	}
	for _, form := range forms {
		text := written(t, s, form)
		if bytes.Contains(text, []byte("656005750")) {
			t.Errorf("%s says whose it is", form)
		}
		if dir := os.Getenv("AUTHBRIDGE_REPORTS"); dir != "" {
			must(t, os.WriteFile(filepath.Join(dir, "matrix."+string(form)), text, 0o600))
		}
	}
	page, err := html.Parse(bytes.NewReader(written(t, s, contract.LoginReportHTML)))
	must(t, err)
	links, targets, cells := map[string]int{}, map[string]int{}, map[string]int{}
	for n := range page.Descendants() {
		for _, a := range n.Attr {
			switch {
			case n.Data == "a" && a.Key == "href":
				links[strings.TrimPrefix(a.Val, "#")]++
			case n.Data == "div" && a.Key == "id":
				targets[a.Val]++
			case n.Data == "td" && a.Key == "class":
				cells[a.Val]++
				if letter := textOf(n); letter != a.Val {
					t.Errorf("a cell that is coloured %s says %q", a.Val, letter)
				}
			case slices.Contains([]string{"src", "action", "onclick"}, a.Key):
				t.Errorf("the page has %s=%q", a.Key, a.Val)
			}
		}
		if n.Data == "script" || n.Data == "link" {
			t.Errorf("the page has a %s", n.Data)
		}
	}
	for i := range s.Runs {
		if id := s.Runs[i].ID; links[id] != 1 || targets[id] != 1 {
			t.Fatalf("%s: %d ways to it, %d places", id, links[id], targets[id])
		}
	}
	if len(links) != 1000 || len(targets) != 1000 || cells["P"]+cells["F"]+cells["A"] != 1000 || cells["F"] != 27 || cells["A"] < 9 {
		t.Errorf("%d links, %d places, cells %v", len(links), len(targets), cells)
	}
}

func textOf(n *html.Node) (text string) {
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			text += d.Data
		}
	}
	return text
}

// TestASuiteInJSON: it is a contract.LoginSuite, its runs in their order with
// their steps.
func TestASuiteInJSON(t *testing.T) {
	t.Parallel()
	s := thousand()
	var got contract.LoginSuite
	must(t, json.Unmarshal(written(t, s, contract.LoginReportJSON), &got))
	if got.Suite != s.ID || got.Passed+got.Failed+got.Aborted != 1000 || got.Failed != 27 || len(got.Logins) != 1000 || got.StartedAt.IsZero() || got.EndedAt.IsZero() {
		t.Fatalf("%d runs, %d failed", len(got.Logins), got.Failed)
	}
	for i, l := range got.Logins {
		if l.ID != s.Runs[i].ID || len(l.Steps) != 3 {
			t.Fatalf("%d is %s with %d steps", i, l.ID, len(l.Steps))
		}
	}
	s.Runs[3].State, s.Runs[3].EndedAt = contract.LoginRunning, time.Time{}
	must(t, json.Unmarshal(written(t, s, contract.LoginReportJSON), &got))
	if got.UnderWay != 1 {
		t.Errorf("%+v", got.UnderWay)
	}
}

// TestRunsOfOneCellAreCounted: the cell shows the worst of them and how many
// there are of it.
func TestRunsOfOneCellAreCounted(t *testing.T) {
	t.Parallel()
	s := thousand()
	s.Runs = []contract.Login{s.Runs[0], s.Runs[0], s.Runs[0], s.Runs[1]}
	s.Runs[1].State, s.Runs[3].State = contract.LoginFailed, contract.LoginQueued
	brought := s.Runs[0]
	brought.Scenario, brought.User = contract.ScenarioPINBlocked, "555299990001"
	s.Runs = append(s.Runs, brought)
	text := string(written(t, s, contract.LoginReportHTML))
	if !strings.Contains(text, ">F<small> 1/3</small>") || !strings.Contains(text, ">U</a>") || !strings.Contains(text, "the scenario&#39;s own</th>") {
		t.Error(text)
	}
}

// TestJUnitPassesItsSchema is judged by libxml2, and so that it means something
// by documents that do not pass.
func TestJUnitPassesItsSchema(t *testing.T) {
	t.Parallel()
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("there is no xmllint; scripts/need test installs it")
	}
	passes := func(document []byte) (bool, string) {
		c := exec.CommandContext(t.Context(), xmllint, "--noout", "--nonet", "--schema", "testdata/junit.xsd", "-")
		c.Stdin = bytes.NewReader(document)
		out, err := c.CombinedOutput()
		return err == nil, string(out)
	}
	odd := sample(1, contract.LoginFailed)
	odd.Steps[0].Evidence = "\x00 \x1b[31m \uffff ]]> &"
	one := render(t, contract.LoginReportJUnit, odd)
	many := written(t, thousand(), contract.LoginReportJUnit)
	s := thousand()
	s.Runs = s.Runs[:3]
	s.Runs[0].State, s.Runs[1].Problem, s.Runs[1].State = contract.LoginRunning, nil, contract.LoginFailed
	for name, document := range map[string][]byte{
		"a run": []byte(one), "a run that is queued": []byte(render(t, contract.LoginReportJUnit, contract.Login{ID: "login-1", Target: "mock", State: contract.LoginQueued, ACR: "AAL3_ANY"})),
		"a thousand": many, "some of them under way": written(t, s, contract.LoginReportJUnit),
	} {
		if ok, why := passes(document); !ok {
			t.Errorf("%s: %s", name, why)
		}
	}
	for _, broken := range [][2]string{
		{`tests="1000"`, ``},
		{`tests="1000"`, `tests="all"`},
		{`<system-err></system-err>`, ``},
		{`<testcase name=`, `<testcase nam=`},
		{`<properties>`, `<system-out></system-out><properties>`},
		{`timestamp="2026-`, `timestamp="26-`},
		{`hostname="localhost"`, ``},
	} {
		spoilt := bytes.Replace(many, []byte(broken[0]), []byte(broken[1]), 1)
		if bytes.Equal(spoilt, many) {
			t.Errorf("there is no %s", broken[0])
		}
		if ok, _ := passes(spoilt); ok {
			t.Errorf("it passes with %q for %q", broken[1], broken[0])
		}
	}
	var got struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Cases    []struct {
				Failure, Error *struct{}
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	must(t, xml.Unmarshal(many, &got))
	if len(got.Suites) != 1 || len(got.Suites[0].Cases) != 1000 || got.Suites[0].Tests != 1000 || got.Suites[0].Failures != 27 {
		t.Errorf("%d suites", len(got.Suites))
	}
}

// TestASuiteIsItsOwners: its report has the runs of who asks, and there is none
// for who has none in it. One that was forgotten meanwhile is shown without its
// steps.
func TestASuiteIsItsOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const suite = "suite-00000000000000aa"
	request := contract.LoginRequest{Scenario: contract.ScenarioVirtualForINT, Suite: suite, Authenticator: w.authenticator("virtual-reader-1"), ACR: "AAL3_ANY"}
	first, second := w.passes(request), w.passes(request)
	if first.Suite != suite || first.Only == "" {
		t.Errorf("%+v", first)
	}
	for n, l := range map[int]contract.Login{1: first, 2: second} {
		theirs := store.Login{Login: l, Owner: contract.Owner{TokenID: "t2", Name: "token ci"}}
		theirs.ID = fmt.Sprint("login-theirs-", n)
		must(t, w.kept.PutLogin(soon(t), theirs))
	}
	write, kind, err := w.runner.SuiteReport(soon(t), ci.Owner, suite, contract.LoginReportJSON)
	must(t, err)
	var b bytes.Buffer
	must(t, write(soon(t), &b))
	var got contract.LoginSuite
	must(t, json.Unmarshal(b.Bytes(), &got))
	if kind != "application/json" || len(got.Logins) != 2 || got.Logins[0].ID != first.ID || got.Logins[1].ID != second.ID || len(got.Logins[0].Steps) != len(first.Steps) {
		t.Errorf("%s %s", kind, b.String())
	}
	if _, err := w.kept.PruneLogins(soon(t), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	must(t, write(soon(t), io.Discard))
	for _, none := range []contract.Owner{{TokenID: "t3", Name: "token ci"}, {Name: "token ci"}, {Lease: "lease-1"}} {
		if _, _, err := w.runner.SuiteReport(soon(t), none, suite, contract.LoginReportHTML); err == nil {
			t.Errorf("%+v has a report", none)
		}
	}
	if _, _, err := w.runner.SuiteReport(soon(t), ci.Owner, suite, "pdf"); err == nil {
		t.Error("there is a form that there is not")
	}
}

// TestWhatCanNeverBeIsKnownBefore: what does not go together is told from what is
// wrong, and nothing is begun.
func TestWhatCanNeverBeIsKnownBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	card, key := w.authenticator("virtual-reader-1"), w.authenticator("virtual-key-1")
	for _, row := range []struct {
		name    string
		request contract.LoginRequest
		code    string
	}{
		{"a sign-in", contract.LoginRequest{}, ""},
		{"by the card that is here", contract.LoginRequest{ACR: "AAL3_SMARTCARD", Authenticator: card}, ""},
		{"by one that is not here now", contract.LoginRequest{Authenticator: "card-elsewhere"}, ""},
		{"a touch that a card has not", contract.LoginRequest{Scenario: contract.ScenarioTouchTimeout, Kind: contract.Smartcard}, "LOGIN_MISMATCH"},
		{"a user of a scenario that brings its own", contract.LoginRequest{Scenario: contract.ScenarioPINBlocked, User: cardUser}, "LOGIN_MISMATCH"},
		{"AAL2 for the refusal of AAL3", contract.LoginRequest{Scenario: contract.ScenarioAAL2ForAAL3, ACR: "AAL2_ANY"}, "LOGIN_MISMATCH"},
		{"a card's level by a key", contract.LoginRequest{ACR: "AAL3_SMARTCARD", Kind: contract.SecurityKey}, "LOGIN_MISMATCH"},
		{"a card's level by the key that is here", contract.LoginRequest{ACR: "AAL3_SMARTCARD", Authenticator: key}, "LOGIN_MISMATCH"},
		{"a level that nothing of ours has", contract.LoginRequest{ACR: "AAL3_IOS"}, "LOGIN_MISMATCH"},
		{"a level that there is not", contract.LoginRequest{ACR: "AAL9"}, "BAD_REQUEST"},
		{"a suite of no form", contract.LoginRequest{Suite: "suite-1"}, "BAD_REQUEST"},
		{"a target that there is not", contract.LoginRequest{Target: "nowhere"}, "LOGIN_TARGET"},
		{"a target that is not driven, as a run says that has looked at it", contract.LoginRequest{Target: "int"}, ""},
		{"a browser, for a client that is not native", contract.LoginRequest{Mode: contract.DriveBrowser}, "LOGIN_MODE"},
	} {
		if row.request.Target == "" {
			row.request.Target = "mock"
		}
		row.request.PIN = &contract.PINSource{Value: []byte("123456")}
		if err := w.runner.Check(row.request); string(failure.CodeOf(err)) != row.code {
			t.Errorf("%s: %v, want %s", row.name, err, row.code)
		}
		if !bytes.Equal(row.request.PIN.Value, make([]byte, 6)) {
			t.Errorf("%s: the PIN is not wiped", row.name)
		}
	}
	if all, err := w.runner.Logins(soon(t)); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
