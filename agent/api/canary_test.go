package api_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

func dialSocket(s *apitest.Server) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.Socket)
	}
}

// TestAPINInTheWrongPlaceIsNotRepeated sends one wherever a body can hold it,
// in bodies that are wrong in every way, as the owner and as somebody else:
// neither answer nor log nor event tells it.
func TestAPINInTheWrongPlaceIsNotRepeated(t *testing.T) {
	const canary = "48151623"
	const head = `{"lease":"` + apitest.SampleLease + `","fence":1,"type":"get"`
	long := strings.Repeat(canary, 40)
	var log strings.Builder
	s := apitest.Start(t, apitest.Options{Log: &log})
	own := lend(s, contract.Owner{Name: "user 1000"})
	pin := "/v1/ceremonies/" + apitest.SampleCeremony + "/pin"
	var answers []answer
	for _, c := range []struct{ target, body string }{
		{"/v1/ceremonies", head + `,"pin":"` + canary + `"}`},
		{"/v1/ceremonies", head + `,"pin":` + canary + `}`},
		{"/v1/ceremonies", head + `,"pin":["` + canary + `"]}`},
		{"/v1/ceremonies", head + `,"pin":{"value":` + canary + `}}`},
		{"/v1/ceremonies", head + `,"pin":{"value":["` + canary + `"]}}`},
		{"/v1/ceremonies", head + `,"pin":{"value":{"x":"` + canary + `"}}}`},
		{"/v1/ceremonies", head + `,"pin":{"value":"` + long + `"}}`},
		{"/v1/ceremonies", head + `,"pin":{"secret":"` + long + `"}}`},
		{"/v1/ceremonies", head + `,"pin":{"secret":"<` + canary + `>"}}`},
		{"/v1/ceremonies", head + `,"pin":{"` + canary + `":1}}`},
		{"/v1/ceremonies", head + `,"pin":{"pin":"` + canary + `"}}`},
		{"/v1/ceremonies", head + `,"pin":{"value":"` + canary + `","value":"` + canary + `"}}`},
		{"/v1/ceremonies", head + `,"pin":{"value":"` + canary + `"},"pin":{"value":"` + canary + `"}}`},
		{"/v1/ceremonies", head + `,"pin":{"value":"` + canary + `"},"surprise":1}`},
		{"/v1/ceremonies", head + `,"pin":{"value":"` + canary + `"}`},
		{"/v1/ceremonies", head + `,"pin":{"value":"` + canary + ``},
		{"/v1/ceremonies", head + `,"pin":{"value":"` + canary + `\x"}}`},
		{"/v1/ceremonies", head + `,"pin":{"value":"` + canary + "\xff" + `"}}`},
		{"/v1/ceremonies", head + `,"pin":{"value":"` + canary + `"}} ` + canary},
		{"/v1/ceremonies", head + `,"value":"` + canary + `"}`},
		{"/v1/ceremonies", head + `,"` + canary + `":"x"}`},
		{"/v1/ceremonies", head + `,"origin":"` + long + `"}`},
		{"/v1/ceremonies", head + `,"data":"` + canary + `!"}`},
		{"/v1/ceremonies", head + `,"slot":"` + canary + `"}`},
		{"/v1/ceremonies", head + `,"wait":"` + canary + `"}`},
		{"/v1/ceremonies", `{"lease":"` + canary + `","fence":"` + canary + `","type":"` + canary + `"}`},
		{"/v1/ceremonies", `["` + canary + `"]`},
		{"/v1/ceremonies", `"` + canary + `"`},
		{"/v1/ceremonies", canary},
		{"/v1/ceremonies", `{"lease":"other-9","fence":1,"type":"get","pin":{"value":"` + canary + `"}}`},
		{pin, `{"pin":` + canary + `}`},
		{pin, `{"pin":{"value":"` + canary + `"}}`},
		{pin, `{"pin":"` + long + `"}`},
		{pin, `{"value":"` + canary + `"}`},
		{pin, `{"pin":"` + canary + `","surprise":"` + canary + `"}`},
		{pin, `{"PIN":"` + canary + `","pin":"` + canary + `"}`},
		{pin, canary},
		{pin, `{}`},
		{"/v1/leases", `{"aal":3,"target":"mock","pin":"` + canary + `"}`},
		{"/v1/leases", `{"aal":3,"target":"mock","purpose":"<` + canary + `>"}`},
		{"/v1/tokens", `{"name":"x","rights":["read"],"pin":{"value":"` + canary + `"}}`},
	} {
		for _, secret := range []string{own, s.Secret} {
			got := call(t, s, secret, "POST", c.target, c.body)
			if got.status < 400 || got.status > 499 {
				t.Errorf("%s %s: %d %s", c.target, c.body, got.status, got.body)
			}
			if got.problem(t); strings.Contains(got.body, canary) {
				t.Errorf("%s: it came back: %s", c.body, got.body)
			}
			answers = append(answers, got)
		}
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded"} {
		r := newRequest("POST", row{target: pin, body: "pin=" + canary}, portOf(s.URL), own)
		r.set("Content-Type", kind)
		if got := r.send(t, "tcp", strings.TrimPrefix(s.URL, "http://")); got.status != http.StatusUnsupportedMediaType || strings.Contains(got.body, canary) {
			t.Errorf("%s: %d %s", kind, got.status, got.body)
		}
	}
	if pins := s.Ceremonies.PINs(); len(pins) != 0 {
		t.Errorf("some were used: %d", len(pins))
	}

	// And where it belongs.
	if got := call(t, s, own, "POST", pin, `{"pin":"`+canary+`"}`); got.status != http.StatusNoContent || strings.Contains(got.body, canary) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := call(t, s, own, "POST", "/v1/ceremonies", head+`,"pin":{"value":"`+canary+`"}}`); got.status != http.StatusAccepted || strings.Contains(got.body, canary) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if pins := s.Ceremonies.PINs(); !slices.Equal(pins, []string{canary, canary}) {
		t.Errorf("%d arrived as they were sent", len(pins))
	}
	for _, target := range []string{"/v1/status", "/v1/ceremonies", "/v1/leases", "/metrics"} {
		if got := call(t, s, s.Secret, "GET", target, ""); strings.Contains(got.body, canary) {
			t.Errorf("it is in %s", target)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), canary) || strings.Contains(log.String(), "authbridge_lease_") {
		t.Error("a secret is in the log")
	}
	if len(answers) == 0 || !strings.Contains(log.String(), "begin-ceremony") {
		t.Error("the log is empty: the test proves little")
	}
}

// TestAPINArrivesAsItWasMeant: escapes, letters beyond ASCII, names in another
// case as encoding/json takes them.
func TestAPINArrivesAsItWasMeant(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	own := lend(s, contract.Owner{Name: "user 1000"})
	for body, want := range map[string]string{
		`{"pin":"1234"}`:                                  "1234",
		`{ "pin" : "\u0031234" }`:                         "1234",
		`{"p\u0069n":"äöü-€-𝄞"}`:                          "äöü-€-𝄞",
		`{"PIN":"\"\\\/\b\f\n\r\t"}`:                      "\"\\/\b\f\n\r\t",
		`{"pin":"\ud834\udd1e\u00e4"}`:                    "𝄞ä",
		`{"pin":"` + strings.Repeat("\\u00e4", 63) + `"}`: strings.Repeat("ä", 63),
	} {
		lend(s, contract.Owner{Name: "user 1000"})
		if got := call(t, s, own, "POST", "/v1/ceremonies/"+apitest.SampleCeremony+"/pin", body); got.status != http.StatusNoContent {
			t.Errorf("%s: %d %s", body, got.status, got.body)
			continue
		}
		if pins := s.Ceremonies.PINs(); pins[len(pins)-1] != want {
			t.Errorf("%s arrived as %q", body, pins[len(pins)-1])
		}
	}
}
