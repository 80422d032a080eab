package target_test

import (
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/target"
	"authbridge/agent/target/targettest"
)

// looker looks at a stand-in of INT.
func looker(t *testing.T, s *targettest.INT, change ...func(*target.Config)) *target.Source {
	t.Helper()
	config := target.Config{
		Targets:   []target.Target{{Name: "int", Issuer: s.Environment.Issuer}},
		Transport: s.Reach(t, target.OwnTransport()),
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "gas.test"}}
		},
	}
	for _, c := range change {
		c(&config)
	}
	return target.New(config)
}

// found is a check of a look at INT.
func found(t *testing.T, s *target.Source, code failure.Code) contract.Check {
	t.Helper()
	for _, c := range s.Look(t.Context(), "int") {
		if c.Code == string(code) {
			return c
		}
	}
	t.Fatalf("no %s", code)
	return contract.Check{}
}

// TestINTPasses is the contract with the integration environment, served under
// its real name.
func TestINTPasses(t *testing.T) {
	t.Parallel()
	env := targettest.New(t)
	checks := looker(t, env).Look(t.Context(), "int")
	if len(checks) != 4 {
		t.Fatalf("it has the checks %+v", checks)
	}
	for _, c := range checks {
		want := contract.Pass
		if c.Code == string(failure.NetHSCN) {
			want = contract.Unknown // none is configured
		}
		if c.State != want || c.Target != "int" || c.ObservedAt.IsZero() {
			t.Errorf("%+v", c)
		}
	}
	if env.Asked() != 1 {
		t.Errorf("it was asked %d times", env.Asked())
	}
}

// TestWhatIsWrongWithATargetIsSaid: each row is a way in which networks, proxies
// and services go wrong.
func TestWhatIsWrongWithATargetIsSaid(t *testing.T) {
	t.Parallel()
	document := func(change func(map[string]any)) func(*targettest.INT) {
		return func(s *targettest.INT) {
			s.Document = maps.Clone(s.Document)
			change(s.Document)
		}
	}
	issuer := func(from, to string) func(*targettest.INT) {
		return document(func(d map[string]any) { d["issuer"] = strings.Replace(d["issuer"].(string), from, to, 1) })
	}
	answers := func(status int, kind, body string, header ...string) func(*targettest.INT) {
		return func(s *targettest.INT) {
			s.Discovery = func(w http.ResponseWriter, _ *http.Request) {
				for ; len(header) > 1; header = header[2:] {
					w.Header().Set(header[0], header[1])
				}
				w.Header().Set("Content-Type", kind)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			}
		}
	}
	clock := func(off time.Duration) func(*targettest.INT) {
		return func(s *targettest.INT) {
			s.Discovery = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"issuer":"`+s.Environment.Issuer+`","acr_values_supported":["AAL3_ANY","AAL2_OR_AAL3_ANY"]}`)
			}
		}
	}
	tests := []struct {
		name  string
		env   func(*targettest.INT)
		code  failure.Code
		state contract.CheckState
		says  string
	}{
		{"a page of a proxy", answers(200, "text/html", "<html>Sign in to the Wi-Fi</html>"), failure.NetIssuer, contract.Fail, "perhaps of a proxy"},
		{"a page that says it is JSON", answers(200, "application/json", "\n<!DOCTYPE html>"), failure.NetIssuer, contract.Fail, "perhaps of a proxy"},
		{"a page that forbids", answers(403, "text/html; charset=utf-8", "<html>Blocked</html>"), failure.NetIssuer, contract.Fail, "perhaps of a proxy: status 403"},
		{"no JSON", answers(200, "application/json", "soon"), failure.NetIssuer, contract.Fail, "no discovery document"},
		{"JSON of another shape", answers(200, "application/json", `{"issuer": 7}`), failure.NetIssuer, contract.Fail, "no discovery document"},
		{"an endless document", answers(200, "application/json", `{"issuer":"`+strings.Repeat("x", 300<<10)+`"}`), failure.NetIssuer, contract.Fail, "more than 256 KiB"},
		{"503", answers(503, "application/json", `{}`), failure.NetIssuer, contract.Fail, "an error: status 503"},
		{"sends elsewhere", answers(302, "text/html", "", "Location", "https://sso.trust.test/login?from=nhs"), failure.NetIssuer, contract.Fail, "sends elsewhere: to sso.trust.test"},
		{"sends to a host that is none", answers(302, "text/plain", "", "Location", "https://a\u202eb/"), failure.NetIssuer, contract.Fail, "nowhere that can be told"},
		{"another realm", issuer("Healthcare", "Healthcarf"), failure.NetIssuer, contract.Fail, "another issuer: it differs from octet"},
		{"without the port", issuer(":443", ""), failure.NetIssuer, contract.Fail, "the port :443 is missing"},
		{"no issuer", document(func(d map[string]any) { delete(d, "issuer") }), failure.NetIssuer, contract.Fail, "it is missing"},
		{"no list of acr values", document(func(d map[string]any) { delete(d, "acr_values_supported") }), failure.NetACR, contract.Warn, "no acr_values_supported"},
		{"no AAL3", document(func(d map[string]any) { d["acr_values_supported"] = []string{"AAL2_ANY"} }), failure.NetACR, contract.Fail, "does not offer AAL3_ANY"},
		{"TLS 1.1", func(s *targettest.INT) { s.MaxTLS = tls.VersionTLS11 }, failure.NetIssuer, contract.Fail, "no TLS 1.2"},
		{"expired", func(s *targettest.INT) { s.Until = time.Now().Add(-time.Hour) }, failure.NetIssuer, contract.Fail, "it has expired"},
		{"another host", func(s *targettest.INT) { s.Host = "other.test" }, failure.NetIssuer, contract.Fail, "for another host than am.nhsint"},
		{"7 s ahead", clock(7 * time.Second), failure.ClockSkew, contract.Warn, "s behind that of the sign-in service"},
		{"2 min behind", clock(-2 * time.Minute), failure.ClockSkew, contract.Fail, "s ahead of that of the sign-in service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := looker(t, targettest.New(t, tt.env))
			if c := found(t, s, tt.code); c.State != tt.state || !strings.Contains(c.Evidence, tt.says) {
				t.Errorf("%s is %s (%q), want %s with %q", c.Code, c.State, c.Evidence, tt.state, tt.says)
			}
		})
	}
}

// TestAnAuthorityThatIsNotKnownIsSaid: a proxy that looks into TLS has one of its
// own.
func TestAnAuthorityThatIsNotKnownIsSaid(t *testing.T) {
	t.Parallel()
	one, other := targettest.New(t), targettest.New(t)
	s := looker(t, one, func(c *target.Config) {
		mixed := one.Transport(t)
		mixed.DialContext = other.Transport(t).DialContext
		c.Transport = mixed
	})
	if c := found(t, s, failure.NetIssuer); c.State != contract.Fail || !strings.Contains(c.Evidence, "authority is not known") {
		t.Errorf("%+v", c)
	}
}

func TestASlowTargetIsGivenUp(t *testing.T) {
	t.Parallel()
	env := targettest.New(t, func(s *targettest.INT) {
		s.Discovery = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	})
	s := looker(t, env, func(c *target.Config) { c.Bound = 200 * time.Millisecond })
	if c := found(t, s, failure.NetIssuer); c.State != contract.Fail || !strings.Contains(c.Evidence, "not within 200ms") {
		t.Errorf("%+v", c)
	}
}

func TestWithoutANetworkTheNameIsNotFound(t *testing.T) {
	t.Parallel()
	s := looker(t, targettest.New(t), func(c *target.Config) {
		c.Targets[0].Issuer = "https://nowhere.test:443/openam"
		c.Targets[0].HSCN = "gas.test:443"
	})
	if c := found(t, s, failure.NetIssuer); c.State != contract.Fail || c.Evidence != "its name is not found in the DNS: nowhere.test" || c.Remedy == "" || c.NHSCode != "ERR1002" {
		t.Errorf("%+v", c)
	}
	if c := found(t, s, failure.NetHSCN); c.State != contract.Fail || !strings.Contains(c.Evidence, "gas.test") {
		t.Errorf("%+v", c)
	}
}

// TestAProxyThatRefusesIsNamed: the environment's proxy is used, which is how
// most NHS networks are left.
func TestAProxyThatRefusesIsNamed(t *testing.T) {
	t.Parallel()
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.Host
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := target.OwnTransport()
	transport.Proxy = http.ProxyURL(at)
	s := looker(t, targettest.New(t), func(c *target.Config) { c.Transport = transport })
	if c := found(t, s, failure.NetIssuer); c.State != contract.Fail || !strings.Contains(c.Evidence, "does not let it through: status 407") {
		t.Errorf("%+v", c)
	}
	if !strings.HasPrefix(asked, "CONNECT am.nhsint") || !strings.HasSuffix(asked, ":443") {
		t.Errorf("the proxy was asked for %q", asked)
	}
	proxy.Close()
	if c := found(t, s, failure.NetIssuer); c.State != contract.Fail || !strings.Contains(c.Evidence, "no connection to the proxy") {
		t.Errorf("%+v", c)
	}
}

func TestTheNHSNetworkIsAConnection(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := looker(t, targettest.New(t), func(c *target.Config) {
		c.Targets[0].HSCN = l.Addr().String()
		c.Dial = nil
	})
	if c := found(t, s, failure.NetHSCN); c.State != contract.Pass {
		t.Errorf("%+v", c)
	}
}

// TestABodyWithoutAnEndIsLeft: nothing of another's is read for ever.
func TestABodyWithoutAnEndIsLeft(t *testing.T) {
	t.Parallel()
	env := targettest.New(t, func(s *targettest.INT) {
		s.Discovery = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 32<<10)); err != nil {
					return
				}
			}
		}
	})
	s := looker(t, env, func(c *target.Config) { c.Bound = time.Minute })
	if c := found(t, s, failure.NetIssuer); c.State != contract.Fail || !strings.Contains(c.Evidence, "more than 256 KiB") {
		t.Errorf("%+v", c)
	}
}

// TestClocksAreSaidToDifferByNoMoreThanIsSure: the Date is in whole seconds, the
// way there and back takes time, and what was kept on the way is old.
func TestClocksAreSaidToDifferByNoMoreThanIsSure(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }
	for _, row := range []struct {
		date, age       string
		asked, answered float64 // after noon
		want            time.Duration
	}{
		{noon.Format(http.TimeFormat), "", 0.9, 0.95, 0},
		{noon.Format(http.TimeFormat), "", -3, 5, 0},
		{noon.Format(http.TimeFormat), "", 8, 9, -7 * time.Second},
		{noon.Format(http.TimeFormat), "", -9, -8, 8 * time.Second},
		{noon.Format(http.TimeFormat), "600", 600, 601, 0},
		{noon.Format(http.TimeFormat), "600", 0, 1, 599 * time.Second},
	} {
		header := http.Header{"Date": {row.date}}
		if row.age != "" {
			header.Set("Age", row.age)
		}
		if got := target.Ahead(header, at(row.asked), at(row.answered)); got == nil || *got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
	for _, date := range []string{"", "soon"} {
		if got := target.Ahead(http.Header{"Date": {date}}, noon, noon); got != nil {
			t.Errorf("%q tells %v", date, *got)
		}
	}
}
