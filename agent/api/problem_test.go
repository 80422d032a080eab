package api_test

import (
	"net/http"
	"strings"
	"testing"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// TestABadFieldIsNamedAndItsValueIsNot sends a secret in every place of a body
// where one could stand. The answer says which field and what is allowed.
func TestABadFieldIsNamedAndItsValueIsNot(t *testing.T) {
	const secret = "48151623"
	var log strings.Builder
	s := apitest.Start(t, apitest.Options{Log: &log})
	for _, c := range []struct{ method, target, body, location, given string }{
		{"POST", "/v1/tokens", `{"name":"a","rights":["` + secret + `"]}`, "body.rights[0]", ""},
		{"POST", "/v1/tokens", `{"name":"a","rights":` + secret + `}`, "body.rights", ""},
		{"POST", "/v1/tokens", `{"name":` + secret + `,"rights":["read"]}`, "body.name", ""},
		{"POST", "/v1/tokens", `{"name":"<` + secret + `>","rights":["read"]}`, "body.name", ""},
		{"POST", "/v1/tokens", `{"rights":["read"],"pin":"` + secret + `"}`, "body", ""},
		{"POST", "/v1/tokens", `{"name":"a","rights":["read"],"ttl":"` + secret + `"}`, "body.ttl", ""},
		{"POST", "/v1/tokens", `{"name":"a","rights":["read"],"` + secret + `":1}`, "body.?", ""},
		{"POST", "/v1/tokens", `{"name":"a","rights":["read"],"pin":"` + secret + `"}`, "body.pin", ""},
		{"POST", "/v1/tokens", `{"pin":"` + secret, "body", ""},
		{"POST", "/v1/tokens", `"` + secret + `"`, "body", ""},
		{"POST", "/v1/tokens", secret, "body", ""},
		{"POST", "/v1/virtual/cards", `{"user":"` + secret + `"}`, "body.user", ""},
		{"POST", "/v1/virtual/cards", `{"pcscd":` + secret + `}`, "body.pcscd", ""},
		{"POST", "/v1/virtual/cards", `{"vpcd":"192.0.2.1:` + secret + `"}`, "body.vpcd", ""},
		{"PUT", "/v1/virtual/cards/r/faults", `[{"name":"mute","pin":"` + secret + `"}]`, "body[0].pin", ""},
		{"PUT", "/v1/virtual/keys/k/faults", `{"pin":"` + secret + `"}`, "body", ""},
		{"POST", "/v1/virtual/keys", `{"touch":"` + secret + `"}`, "body.touch", ""},
		{"POST", "/v1/virtual/keys/k/touch", `{"pin":"` + secret + `"}`, "body.pin", ""},
		{"GET", "/v1/readiness?aal=4&target=mock", "", "query.aal", "4"},
		{"GET", "/v1/readiness?target=mock", "", "query.aal", ""},
		{"GET", "/v1/readiness?aal=3", "", "query.target", ""},
		{"GET", "/v1/readiness?aal=3&target=moon", "", "query.target", "moon"},
		{"GET", "/v1/readiness?aal=3&target=mock&kind=watch", "", "query.kind", "watch"},
		{"GET", "/v1/readiness?aal=3&target=mock&user=12", "", "query.user", "12"},
		{"GET", "/v1/readiness?aal=3&target=mock&wait=6m", "", "query.wait", "6m"},
		{"GET", "/v1/readiness?aal=3&target=mock&wait=soon", "", "query.wait", "soon"},
		{"GET", "/v1/readiness?aal=3&target=mock&wait=-1s", "", "query.wait", ""},
		{"GET", "/v1/readiness?aal=3&target=mock&origin=physical", "", "query.origin", ""},
		{"GET", "/v1/readiness?aal=3&target=mock&user=", "", "query.user", ""},
		{"GET", "/v1/events?last_event_id=tomorrow", "", "query.last_event_id", ""},
		{"GET", "/v1/status?pin=" + secret, "", "query.pin", ""},
		{"GET", "/v1/status?" + secret + "=1", "", "query.?", ""},
	} {
		t.Run(c.method+" "+c.target+" "+c.body, func(t *testing.T) {
			got := call(t, s, s.Secret, c.method, c.target, c.body)
			if got.status != http.StatusBadRequest {
				t.Fatalf("status %d, want 400: %s", got.status, got.body)
			}
			p := got.problem(t)
			var named bool
			for _, f := range p.Fields {
				named = named || f.Location == c.location && f.Message != ""
			}
			if c.given != "" && !strings.Contains(p.Detail, "given: "+c.given) {
				t.Errorf("it does not say that %s was given: %s", c.given, got.body)
			}
			if !named || p.Detail == "" {
				t.Errorf("no field %s with what is allowed: %s", c.location, got.body)
			}
			if strings.Contains(got.body, secret) {
				t.Errorf("the value came back: %s", got.body)
			}
		})
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), secret) {
		t.Error("the value is in the log")
	}
}

func TestNoSecretComesNearTheLog(t *testing.T) {
	var log strings.Builder
	s := apitest.Start(t, apitest.Options{Log: &log})
	got := call(t, s, s.Secret, "POST", "/v1/tokens", `{"name":"ci","rights":["read"]}`)
	if got.status != http.StatusCreated || !strings.Contains(got.body, "authbridge_") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	call(t, s, s.Secret+"x", "GET", "/v1/status", "")
	call(t, s, s.Secret, "DELETE", "/v1/tokens/"+s.Secret, "") // pasted into the wrong place
	call(t, s, s.Secret, "GET", "/v1/status?token="+s.Secret, "")
	call(t, s, s.Secret, "GET", "/"+s.Secret, "")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "authbridge_") {
		t.Errorf("a token is in the log:\n%s", log.String())
	}
	if !strings.Contains(log.String(), "request_id") {
		t.Error("the log is empty: the test proves nothing")
	}
}

func TestWhatIsNotThereIsAProblemToo(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	for _, c := range []struct {
		method, target string
		status         int
		code, word     string
	}{
		{"POST", "/", 404, "NOT_FOUND", ""},
		{"GET", "/v2/status", 404, "NOT_FOUND", "/openapi.json"},
		{"GET", "/v1/status/", 404, "NOT_FOUND", ""},
		{"GET", "/favicon.ico", 404, "NOT_FOUND", ""},
		{"GET", "/docs", 404, "NOT_FOUND", ""},
		{"GET", "/openapi.yaml", 404, "NOT_FOUND", ""},
		{"GET", "/schemas/Problem.json", 404, "NOT_FOUND", ""},
		{"POST", "/v1/status", 405, "METHOD_NOT_ALLOWED", "GET"},
		{"PATCH", "/v1/tokens", 405, "METHOD_NOT_ALLOWED", "GET, POST"},
		{"DELETE", "/v1/readiness", 405, "METHOD_NOT_ALLOWED", "GET"},
		{"GET", "/v1/authenticators/none", 404, "NOT_FOUND", "/v1/authenticators"},
		{"GET", "/v1/authenticators/none/certificates", 404, "NOT_FOUND", ""},
		{"POST", "/v1/authenticators/none/read", 404, "NOT_FOUND", ""},
		{"DELETE", "/v1/tokens/none", 404, "NOT_FOUND", ""},
		{"DELETE", "/v1/virtual/cards/" + apitest.Missing, 404, "NOT_FOUND", ""},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			got := call(t, s, s.Secret, c.method, c.target, "")
			if got.status != c.status {
				t.Fatalf("status %d, want %d: %s", got.status, c.status, got.body)
			}
			got.wantProblem(t, c.code)
			if !strings.Contains(got.problem(t).Detail, c.word) {
				t.Errorf("the detail does not help: %s", got.body)
			}
			if c.status == http.StatusMethodNotAllowed && got.header.Get("Allow") != c.word {
				t.Errorf("Allow %q, want %q", got.header.Get("Allow"), c.word)
			}
		})
	}
}

func TestHEADIsGETWithoutItsBody(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	if got := call(t, s, s.Secret, "HEAD", "/v1/status", ""); got.status != 200 || got.body != "" {
		t.Fatalf("%d %q", got.status, got.body)
	}
}

func TestWhatIsOffSaysSo(t *testing.T) {
	s := apitest.Start(t, apitest.Options{VirtualOff: true})
	for pattern, sample := range rows() {
		if sample.right != contract.RightVirtual {
			continue
		}
		method, _, _ := strings.Cut(pattern, " ")
		code := "VIRTUAL_OFF"
		if strings.HasPrefix(sample.target, "/v1/mock") {
			code = "MOCK_OFF"
		}
		call(t, s, s.Secret, method, sample.target, sample.body).wantProblem(t, code)
	}
}
