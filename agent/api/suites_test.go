package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

const sampleSuite = "/v1/logins/report?suite=" + apitest.SampleSuite

// TestTheReportOfASuiteIsForWhoAskedForIt, and is kept and not run, as that of
// one run is.
func TestTheReportOfASuiteIsForWhoAskedForIt(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	token := s.NamedToken(t, "owner", time.Hour, contract.RightLease, contract.RightRead).Secret
	begun := decodeLogin(t, call(t, s, token, "POST", "/v1/logins", `{"target":"mock","suite":"`+apitest.SampleSuite+`"}`).body)
	if begun.Suite != apitest.SampleSuite {
		t.Errorf("%+v", begun)
	}
	for query, want := range map[string][3]string{
		"":              {"application/json", ".json", "json"},
		"&format=junit": {"application/xml", ".xml", "junit"},
		"&format=html":  {"text/html; charset=utf-8", ".html", "html"},
	} {
		got := call(t, s, token, "GET", sampleSuite+query, "")
		got.wantSafeHeaders(t)
		if got.status != 200 || got.header.Get("Content-Type") != want[0] || got.header.Get("Content-Disposition") != `attachment; filename="`+apitest.SampleSuite+want[1]+`"` || got.body != want[2]+" of "+begun.ID {
			t.Errorf("%s: %d %v %s", query, got.status, got.header, got.body)
		}
		if policies := got.header.Values("Content-Security-Policy"); len(policies) != 1 || !strings.HasSuffix(policies[0], "; sandbox") {
			t.Errorf("%s: %q", query, policies)
		}
	}
	other := s.NamedToken(t, "other", time.Hour, contract.RightLease, contract.RightRead).Secret
	if got := call(t, s, other, "GET", sampleSuite, ""); got.status != 404 || !strings.Contains(got.body, "LOGIN_UNKNOWN") {
		t.Errorf("another: %d %s", got.status, got.body)
	}
	if got := call(t, s, other, "GET", "/v1/logins/"+begun.ID, ""); strings.Contains(got.body, apitest.SampleSuite) {
		t.Errorf("another sees which suite it is in: %s", got.body)
	}
	for _, odd := range []string{"/v1/logins/report", "/v1/logins/report?suite=x", sampleSuite + "&format=pdf"} {
		if got := call(t, s, token, "GET", odd, ""); got.status != 400 {
			t.Errorf("%s: %d %s", odd, got.status, got.body)
		}
	}
}

// TestAReportThatIsBrokenOffIsNotTakenForWhole: the connection ends in the middle
// of it.
func TestAReportThatIsBrokenOffIsNotTakenForWhole(t *testing.T) {
	var log strings.Builder
	s := apitest.Start(t, apitest.Options{Log: &log})
	token := s.NamedToken(t, "owner", time.Hour, contract.RightLease, contract.RightRead).Secret
	call(t, s, token, "POST", "/v1/logins", `{"target":"mock","suite":"`+apitest.SampleSuite+`"}`)
	s.Logins.BreakOff = errors.New("the disk is gone")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+sampleSuite, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	if response, err := transport.RoundTrip(request); err == nil {
		response.Body.Close()
		t.Errorf("it is whole: %d", response.StatusCode)
	}
	if err := s.Stop(); err != nil || !strings.Contains(log.String(), "a report was broken off") {
		t.Errorf("%v; the log says %s", err, log.String())
	}
}

// TestALoginIsCheckedAndNotBegun: a file with many runs is looked over before the
// first of them.
func TestALoginIsCheckedAndNotBegun(t *testing.T) {
	const canary = "48151623"
	var log strings.Builder
	s := apitest.Start(t, apitest.Options{Log: &log})
	for body, want := range map[string]string{
		`{"target":"mock"}`: "",
		`{"target":"mock","pin":{"value":"` + canary + `"}}`: "",
		`{"target":"mock","acr":"AAL9"}`:                     "LOGIN_MISMATCH",
		`{"target":"nowhere"}`:                               "LOGIN_TARGET",
		`{"target":"mock","scenario":"bananas"}`:             "BAD_REQUEST",
		`{"target":"mock","suite":"` + canary + `"}`:         "BAD_REQUEST",
	} {
		got := call(t, s, s.Secret, "POST", "/v1/logins/check", body)
		if want == "" && (got.status != http.StatusNoContent || got.body != "") || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
		if strings.Contains(got.body, canary) {
			t.Errorf("it is repeated: %s", got.body)
		}
	}
	if calls := s.Logins.Calls(); len(calls) != 0 {
		t.Errorf("%q", calls)
	}
	if err := s.Stop(); err != nil || strings.Contains(log.String(), canary) {
		t.Errorf("%v, or the log has it", err)
	}
}
