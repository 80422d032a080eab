package api_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// FuzzQueries: any query of readiness and events is answered by a verdict, a
// stream or a problem, never by an internal failure.
func FuzzQueries(f *testing.F) {
	s := apitest.Start(f, apitest.Options{})
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.Socket)
	}}}
	f.Cleanup(client.CloseIdleConnections)
	for _, seed := range []string{
		"aal=3&target=mock", "aal=2&target=int&kind=smartcard&user=555012345678", "aal=3&target=mock&wait=1ns", "aal=99999999999999999999&target=mock",
		"last_event_id=a-1", "last_event_id=zzzzzzzzzzzz-0", "aal=3&aal=2", "%zz", "aal=%00", "target=%F0%9F%92%A9", "a;b", "last_event_id=-1-2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.Contains(query, "wait") {
			query = strings.ReplaceAll(query, "wait", "wait=1ns&x") // none is held
		}
		for _, path := range []string{"/v1/readiness", "/v1/events"} {
			ctx, cancel := context.WithCancel(t.Context())
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.RawQuery = query
			response, err := client.Do(r)
			if err != nil {
				cancel()
				return // net/http's client or server refused the bytes
			}
			switch kind := response.Header.Get("Content-Type"); {
			case response.StatusCode == http.StatusOK && (kind == "application/json" || kind == "text/event-stream"):
			case response.StatusCode >= 400 && response.StatusCode < 500 && kind == "application/problem+json":
				var p contract.Problem
				if err := json.NewDecoder(response.Body).Decode(&p); err != nil || p.Code == "" || p.Remedy == "" {
					t.Errorf("%s?%s: half a problem %+v, %v", path, query, p, err)
				}
			case response.StatusCode == http.StatusBadRequest && strings.HasPrefix(kind, "text/plain"): // net/http's own
			default:
				t.Errorf("%s?%s: %d %s", path, query, response.StatusCode, kind)
			}
			cancel()
			_ = response.Body.Close()
		}
	})
}

// FuzzBodies: any body of a lease or ceremony is answered by what was asked for
// or a problem, never by an internal failure, and no problem repeats it.
func FuzzBodies(f *testing.F) {
	s := apitest.Start(f, apitest.Options{})
	client := &http.Client{Transport: &http.Transport{DialContext: dialSocket(s)}}
	f.Cleanup(client.CloseIdleConnections)
	for _, seed := range []string{
		`{"aal":3,"target":"mock"}`, `{"aal":3,"target":"mock","hold":"connection","ttl":"1h"}`, sampleCeremony + "}", sampleCeremony + `,"pin":{"value":"48151623"}}`,
		`{"pin":"48151623"}`, `{"pin":{"pin":[{"value":48151623}]}}`, `{"ttl":"5m"}`, `{"lease":"` + apitest.SampleLease + `","fence":1e99,"type":"sign","data":"!"}`, `[`, "\x00", `{"options":{"options":{}}}`, "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if text := strings.ToLower(body); strings.Contains(text, "wait") || strings.Contains(text, `\u`) {
			return // none is held
		}
		for _, at := range []struct{ method, path string }{
			{"POST", "/v1/leases"}, {"PATCH", "/v1/leases/" + apitest.SampleLease}, {"POST", "/v1/ceremonies"}, {"POST", "/v1/ceremonies/" + apitest.SampleCeremony + "/pin"},
		} {
			s.Leases.Reset()
			lend(s, contract.Owner{Name: "user 1000"})
			r, err := http.NewRequestWithContext(t.Context(), at.method, "http://localhost"+at.path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			switch kind := response.Header.Get("Content-Type"); {
			case response.StatusCode < 300:
			case response.StatusCode < 500 && kind == "application/problem+json":
				var p contract.Problem
				if err := json.NewDecoder(response.Body).Decode(&p); err != nil || p.Code == "" || p.Remedy == "" {
					t.Errorf("%s %q: half a problem %+v, %v", at.path, body, p, err)
				}
				if strings.Contains(p.Detail, "48151623") {
					t.Errorf("%s %q: it came back: %+v", at.path, body, p)
				}
			default:
				t.Errorf("%s %q: %d %s", at.path, body, response.StatusCode, kind)
			}
			_ = response.Body.Close()
		}
	})
}
