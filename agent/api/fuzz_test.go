package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
)

type noTokens struct{ TokenStore }

func (noTokens) Token([]byte) (contract.Token, bool) { return contract.Token{}, false }

// FuzzGuard: whatever the headers are, nobody without a token gets in on TCP,
// and who gets as far as the token came from our own page or none.
func FuzzGuard(f *testing.F) {
	f.Add("127.0.0.1:17823", "http://127.0.0.1:17823", "same-origin", "Bearer x", "application/json", "a=1")
	f.Add("evil.example:17823", "", "", "", "text/plain", "a=1&a=2")
	f.Add("localhost:17823", "null", "cross-site", "Basic x", "", "%zz")
	f.Add("[::1]:17823", "http://[::1]:17823", "none", "bearer ", "application/json; charset=utf-8", "a=")
	f.Fuzz(func(t *testing.T, host, origin, site, authorization, kind, query string) {
		d := &door{hosts: hostsFor(17823)}
		r := &http.Request{Method: http.MethodPost, Host: host, URL: &url.URL{Path: "/v1/status", RawQuery: query}, Header: http.Header{}}
		for name, value := range map[string]string{"Origin": origin, "Sec-Fetch-Site": site, "Authorization": authorization, "Content-Type": kind} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if e := checkOrigins(d, r); e == nil {
			if !slices.Contains([]string{"127.0.0.1:17823", "localhost:17823", "[::1]:17823"}, host) {
				t.Errorf("Host %q", host)
			}
			if origin != "" && origin != "http://"+host {
				t.Errorf("Origin %q", origin)
			}
			if site != "" && site != "same-origin" && site != "none" {
				t.Errorf("Sec-Fetch-Site %q", site)
			}
		}
		s := &Server{config: Config{Tokens: noTokens{}, Users: everybody{}, Leases: lendsNothing{}}, pages: newPageBook()}
		if c, e := s.authenticate(d, r.Header); e == nil || len(c.Rights) != 0 {
			t.Errorf("in without a token: %+v", c)
		}
		if isJSON(r.Header) && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(kind)), "application/json") {
			t.Errorf("content type %q", kind)
		}
		if e := checkQuery(query); e == nil {
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Errorf("query %q: %v", query, err)
			}
			for name, v := range values {
				if len(v) != 1 || v[0] == "" {
					t.Errorf("query %q: %s is %q", query, name, v)
				}
			}
		} else if strings.ContainsAny(e.Field, "\n\r\x00<>\"'") {
			t.Errorf("field %q", e.Field)
		}
	})
}

func FuzzWait(f *testing.F) {
	for _, seed := range []string{"30s", "5m", "5m1ns", "-1s", "1h", "", "9223372036854775807ns", "0", "1e9s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if wait, err := parseWait(text, maxWait); err == nil && (wait < 0 || wait > 5*time.Minute) {
			t.Errorf("%q is %s", text, wait)
		}
	})
}

func FuzzPlace(f *testing.F) {
	f.Add("body.rights[0]")
	f.Add("query.<script>")
	f.Fuzz(func(t *testing.T, location string) {
		for _, r := range place(location) {
			if r > 'z' || r < '-' || r == '<' || r == '>' {
				t.Errorf("%q came through as %q", location, place(location))
			}
		}
	})
}
