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
