package rpcheck_test

import (
	"context"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/rpcheck"
)

func TestRedirectAddressesAreLookedAt(t *testing.T) {
	t.Parallel()
	statuses := map[string]int{"/fine": 200, "/refuses": 400, "/on": 302, "/breaks": 500, "/nothing": 404}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			t.Errorf("a redirect address is called with %s", r.URL.RawQuery)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(statuses[r.URL.Path])
	}))
	t.Cleanup(web.Close)
	party := rpcheck.Party{Registration: cis2.Registration{Environment: cis2.Mock, ClientID: client, Pattern: cis2.ClientSecret}}
	for path := range statuses {
		party.Redirects = append(party.Redirects, web.URL+path)
	}
	party.Redirects = append(party.Redirects, "http://127.0.0.1:1/gone")
	want := map[string]contract.CheckState{"/fine": contract.Pass, "/refuses": contract.Pass, "/on": contract.Pass, "/breaks": contract.Fail, "/nothing": contract.Warn, "/gone": contract.Unknown}
	for _, r := range checked(t, party).Checks {
		if r.Name == "redirect-reached" && r.State != want[r.Subject[strings.LastIndex(r.Subject, "/"):]] {
			t.Errorf("%+v", r)
		}
	}
	for address, advice := range map[string]string{
		"https://App.example.nhs.uk/cb": "capitals", "https://app.example.nhs.uk:443/cb": "usual", "https://app.example.nhs.uk": "no path",
		"https://app.example.nhs.uk/cb?x=1": "a query", "https://app.example.nhs.uk/cb/": "almost", "https://app.example.nhs.uk/other": "",
	} {
		party.Redirects = []string{"https://app.example.nhs.uk/cb", address}
		r := rowOf(t, checked(t, party, unconnected), "redirect-exact")
		if (r.State == contract.Warn) != (advice != "") || !strings.Contains(r.Got, advice) {
			t.Errorf("%s: %+v", address, r)
		}
	}
	party.Redirects = []string{"https://*.example.nhs.uk/cb#x"}
	if r := rowOf(t, checked(t, party, unconnected), "redirect-form"); r.State != contract.Fail || !strings.Contains(r.Got, "fragment") {
		t.Errorf("%+v", r)
	}
}

// TestWhatWasSeenIsHeldAgainstTheRegistration: without secrets, and only where
// something was seen.
func TestWhatWasSeenIsHeldAgainstTheRegistration(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const at = "http://127.0.0.1:1/cb"
	good := cis2.Usage{
		Asked:         cis2.Asked{At: now, Redirect: at, ACR: "AAL3_ANY", Scopes: []string{"openid"}, State: true, Nonce: true, PKCE: true},
		Authenticated: cis2.Authenticated{At: now, Method: "private_key_jwt", Alg: "RS512", Accepted: true},
	}
	for name, c := range map[string]struct {
		change func(*cis2.Usage)
		row    string
		state  contract.CheckState
	}{
		"good":          {func(*cis2.Usage) {}, "pattern", contract.Pass},
		"never":         {func(u *cis2.Usage) { u.Authenticated = cis2.Authenticated{} }, "pattern", contract.Unknown},
		"secret":        {func(u *cis2.Usage) { u.Authenticated.Method, u.Authenticated.Alg = "client_secret_post", "" }, "pattern", contract.Fail},
		"other alg":     {func(u *cis2.Usage) { u.Authenticated.Alg = "RS256" }, "pattern", contract.Fail},
		"refused":       {func(u *cis2.Usage) { u.Authenticated.Accepted = false }, "pattern", contract.Fail},
		"no PKCE":       {func(u *cis2.Usage) { u.Asked.PKCE = false }, "pkce", contract.Warn},
		"no nonce":      {func(u *cis2.Usage) { u.Asked.Nonce = false }, "state-nonce", contract.Warn},
		"no state":      {func(u *cis2.Usage) { u.Asked.State = false }, "state-nonce", contract.Warn},
		"other scope":   {func(u *cis2.Usage) { u.Asked.Scopes = []string{"openid", "email"} }, "asked", contract.Fail},
		"other address": {func(u *cis2.Usage) { u.Asked.Redirect = at + "/" }, "asked", contract.Fail},
		"asked nothing": {func(u *cis2.Usage) { u.Asked = cis2.Asked{} }, "pkce", contract.Unknown},
	} {
		usage := good
		c.change(&usage)
		done := checked(t, rpcheck.Party{
			Registration: cis2.Registration{
				Environment: cis2.Mock, ClientID: client, Pattern: cis2.PrivateKeyJWT, SigningAlgorithm: "RS512", JWKSURI: "http://127.0.0.1:1/jwks",
				Redirects: []string{at}, Scopes: []string{"openid"},
			},
			Usage: func(string) cis2.Usage { return usage },
		})
		if r := rowOf(t, done, c.row); r.State != c.state {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestWhichApplicationIsMeant(t *testing.T) {
	t.Parallel()
	party := func(id, environment string, demo bool) rpcheck.Party {
		return rpcheck.Party{Registration: cis2.Registration{ClientID: id, Environment: environment}, Demo: demo}
	}
	demo, one, other := party("demo", "mock", true), party("one", "mock", false), party("one", "int", false)
	for name, c := range map[string]struct {
		all            []rpcheck.Party
		client, target string
		want           string
		code           failure.Code
	}{
		"the demo alone":     {[]rpcheck.Party{demo}, "", "", "demo mock", ""},
		"the only other":     {[]rpcheck.Party{demo, one}, "", "", "one mock", ""},
		"the demo by name":   {[]rpcheck.Party{demo, one}, "demo", "", "demo mock", ""},
		"several":            {[]rpcheck.Party{demo, one, other}, "", "", "", failure.RPChoose},
		"in several places":  {[]rpcheck.Party{demo, one, other}, "one", "", "", failure.RPChoose},
		"in one of them":     {[]rpcheck.Party{demo, one, other}, "one", "int", "one int", ""},
		"nobody":             {[]rpcheck.Party{demo, one}, "two", "", "", failure.RPUnknown},
		"none is registered": {nil, "", "", "", failure.RPUnknown},
	} {
		done, err := rpcheck.New(rpcheck.Config{Parties: c.all, Dial: refuseAll}).Check(t.Context(), contract.RelyingPartyRequest{Client: c.client, Target: c.target})
		if got := strings.TrimSpace(done.Client + " " + done.Target); got != c.want || failure.CodeOf(err) != c.code {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestChecksEndWithTheirCallerAndAreFew: each calls somebody else's server.
func TestChecksEndWithTheirCallerAndAreFew(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	came := make(chan struct{}, 100)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // else it is not seen who goes away
		came <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(web.Close)
	c := rpcheck.New(rpcheck.Config{Parties: []rpcheck.Party{registered(web, noTokens{}, "")}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := c.Check(ctx, contract.RelyingPartyRequest{})
			ended <- err
		}()
	}
	for range 4 {
		<-came
	}
	if _, err := c.Check(t.Context(), contract.RelyingPartyRequest{}); failure.CodeOf(err) != failure.RPBusy {
		t.Errorf("a fifth at a time: %v", err)
	}
	cancel()
	for range 4 {
		if err := <-ended; err == nil {
			t.Error("it goes on without its caller")
		}
	}
	if n := calls.Load(); n != 4 {
		t.Errorf("%d calls: who has gone is called for again", n)
	}
}

// TestReportsShowWhatIsWrongAndRunNothing.
func TestReportsShowWhatIsWrongAndRunNothing(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	p := registered(web, noTokens{}, "http://localhost")
	p.Name = "<script>alert(1)</script>"
	p.Redirects = []string{web.URL + "/<script>alert(2)</script>"}
	done, err := rpcheck.New(rpcheck.Config{Parties: []rpcheck.Party{p}}).Check(t.Context(), contract.RelyingPartyRequest{Reports: true})
	if err != nil || done.Reports == nil {
		t.Fatal(err)
	}
	if page := done.Reports.HTML; strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;") || !strings.Contains(page, "BCL_SIM") || !strings.Contains(page, "2.8") {
		t.Errorf("%s", page)
	}
	var suites struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Failure *struct{} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(done.Reports.JUnit), &suites); err != nil {
		t.Fatal(err)
	}
	if s := suites.Suites[0]; s.Tests != len(done.Checks) || s.Failures != len(inState(done, contract.Fail)) || s.Skipped != len(inState(done, contract.Unknown)) || len(s.Cases) != s.Tests {
		t.Errorf("%+v", s)
	}
}

// TestEveryCheckIsDocumented: what a row says can be looked up.
func TestEveryCheckIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/relying-parties.md")
	if err != nil {
		t.Fatal(err)
	}
	mock := newMock(t)
	all := checked(t, registered(newParty(t, mock.Issuer(), ""), mock, mock.Issuer())).Checks
	all = append(all, setOf(jwk(&signingKey().PublicKey, "one", "")).checked(t, "").Checks...)
	names := []string{"certificate-chain", "certificate-root", "certificate-dates", "certificate-name", "public-address", "pattern", "pkce", "state-nonce", "asked"}
	for _, r := range all {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/relying-parties.md does not say what %s is", name)
		}
	}
}

// TestNobodyIsCalledButWhoIsRegistered: an application that sends on sends nobody
// on, and the daemon is no way to reach what only this machine reaches.
func TestNobodyIsCalledButWhoIsRegistered(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s is called", r.Method, r.URL.Path) }))
	t.Cleanup(inside.Close)
	web := httptest.NewServer(http.RedirectHandler(inside.URL+"/metadata?token=secret", http.StatusTemporaryRedirect))
	t.Cleanup(web.Close)
	p := registered(web, noTokens{}, "")
	p.Pattern, p.JWKSURI = cis2.PrivateKeyJWT, web.URL+"/jwks"
	done := checked(t, p)
	for _, name := range []string{"logout-valid", "jwks-reached"} {
		if r := rowOf(t, done, name); r.State != contract.Fail || !strings.Contains(r.Got+r.Evidence, inside.URL+"/metadata") || strings.Contains(r.Got+r.Evidence, "secret") {
			t.Errorf("%+v", r)
		}
	}
}

// TestACheckOfWhoNeverAnswersEnds within a minute, however many addresses there
// are.
func TestACheckOfWhoNeverAnswersEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := rpcheck.Party{Registration: cis2.Registration{Environment: cis2.Mock, ClientID: client, Pattern: cis2.PrivateKeyJWT, BackChannelLogout: "https://mute.example/logout", JWKSURI: "https://mute.example/jwks"}, Tokens: noTokens{}}
		for range 20 {
			p.Redirects = append(p.Redirects, "https://mute.example/callback")
		}
		began := time.Now()
		done := checked(t, p, func(c *rpcheck.Config) {
			c.Dial = func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, there) }()
				return here, nil
			}
		})
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it takes %s", took)
		}
		if r := rowOf(t, done, "logout-valid"); r.State != contract.Fail || r.Got != "no answer in time" || r.TookMS > 10_000 {
			t.Errorf("%+v", r)
		}
		if r := rowOf(t, done, "logout-forged"); r.State != contract.Unknown {
			t.Errorf("%+v", r)
		}
	})
}
