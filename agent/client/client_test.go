package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"authbridge/agent/api/apitest"
	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	holder = "Quillfeather Testina"
	user   = "555012345678"
)

func cards(ids ...string) inventory.Observation {
	var o inventory.Observation
	for _, id := range ids {
		o.Cards = append(o.Cards, apitest.Card(id, holder, user))
	}
	return o
}

func overSocket(t *testing.T, s *apitest.Server) *client.Client {
	t.Helper()
	c := &client.Client{URL: "unix://" + s.Socket}
	t.Cleanup(c.Close)
	return c
}

func overTCP(t *testing.T, s *apitest.Server, secret string) *client.Client {
	t.Helper()
	c := &client.Client{URL: s.URL, Token: secret}
	t.Cleanup(c.Close)
	return c
}

func wantProblem(t *testing.T, err error, code string) contract.Problem {
	t.Helper()
	var p *contract.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want the problem %s", err, code)
	}
	if p.Code != code {
		t.Fatalf("got the problem %s (%s), want %s", p.Code, p.Detail, code)
	}
	return *p
}

// TestEveryRouteThroughTheRealServer goes through all the client can ask, over
// both doors.
func TestEveryRouteThroughTheRealServer(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	s.Observe(t, inventory.Observation{Cards: []health.Card{apitest.Card("card-1", holder, user)}, Keys: []health.Key{apitest.Key("key 1/ä")}})
	for name, c := range map[string]*client.Client{"socket": overSocket(t, s), "tcp": overTCP(t, s, s.Secret)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			status, err := c.Status(ctx)
			must(err)
			if len(status.Authenticators) != 2 || status.Authenticators[0].Holder != holder {
				t.Errorf("status %+v", status)
			}
			list, err := c.Authenticators(ctx)
			must(err)
			if len(list) != 2 {
				t.Errorf("authenticators %+v", list)
			}
			key, err := c.Authenticator(ctx, "key 1/ä")
			must(err)
			if key.Kind != contract.SecurityKey {
				t.Errorf("key %+v", key)
			}
			certificates, err := c.Certificates(ctx, "card-1")
			must(err)
			if len(certificates) != 1 || len(certificates[0].DER) == 0 {
				t.Errorf("certificates %+v", certificates)
			}
			must(c.Read(ctx, "card-1"))
			if got := s.Source.Rereads(); got[len(got)-1] != "card-1" {
				t.Errorf("rereads %v", got)
			}
			v, err := c.Ready(ctx, contract.Question{AAL: 3, Target: "mock", Kind: contract.Smartcard, User: user}, 0)
			must(err)
			if v.Outcome != contract.VerdictReady || v.Authenticator != "card-1" || v.AAL != 3 {
				t.Errorf("verdict %+v", v)
			}
			if v, err = c.Ready(ctx, contract.Question{AAL: 3, Target: "int"}, 0); err != nil || v.Outcome != contract.VerdictNotReady {
				t.Errorf("verdict %+v, %v: virtual was passed off as real", v, err)
			}
			devices, err := c.Virtual(ctx)
			must(err)
			if devices == nil {
				t.Error("the list of devices is null")
			}
			d, err := c.InsertCard(ctx, contract.VirtualInsert{Name: "r 1", User: user, Faults: []contract.Fault{{Name: "slow", Delay: "1s"}}})
			must(err)
			if d.Name != "r 1" {
				t.Errorf("device %+v", d)
			}
			_, err = c.SwapCard(ctx, "r 1", contract.VirtualInsert{})
			must(err)
			_, err = c.SetCardFaults(ctx, "r 1", contract.Fault{Name: "mute"})
			must(err)
			_, err = c.SetCardFaults(ctx, "r 1")
			must(err)
			_, err = c.RemoveCard(ctx, "r 1")
			must(err)
			_, err = c.PlugKey(ctx, contract.VirtualPlug{Name: "k1", Touch: "command"})
			must(err)
			must(c.TouchKey(ctx, "k1"))
			_, err = c.SetKeyFaults(ctx, "k1", contract.Fault{Name: "busy"})
			must(err)
			_, err = c.UnplugKey(ctx, "k1")
			must(err)
			must(c.DeleteDevice(ctx, "k1"))
			wantProblem(t, c.DeleteDevice(ctx, apitest.Missing), "NOT_FOUND")
			_, err = c.RemoveCard(ctx, apitest.Missing)
			wantProblem(t, err, "NOT_FOUND")

			token, err := c.CreateToken(ctx, contract.TokenRequest{Name: "ci " + name, Rights: []contract.Right{contract.RightRead}, TTL: "1h"})
			must(err)
			if token.Secret == "" || token.ExpiresAt.IsZero() {
				t.Errorf("token %+v", token.Token)
			}
			small := overTCP(t, s, token.Secret)
			_, err = small.Status(ctx)
			must(err)
			_, err = small.Tokens(ctx)
			wantProblem(t, err, "FORBIDDEN")
			tokens, err := c.Tokens(ctx)
			must(err)
			if len(tokens) < 2 {
				t.Errorf("tokens %+v", tokens)
			}
			must(c.RevokeToken(ctx, "ci "+name))
			_, err = small.Status(ctx)
			wantProblem(t, err, "UNAUTHORIZED")

			metrics, err := c.Metrics(ctx)
			must(err)
			if !strings.Contains(string(metrics), `authbridge_authenticators{kind="smartcard",origin="virtual",condition="ready"} 1`) {
				t.Errorf("metrics:\n%s", metrics)
			}
			document, err := c.OpenAPI(ctx)
			must(err)
			if !strings.Contains(string(document), `"openapi":"3.1.0"`) {
				t.Errorf("openapi: %.200s", document)
			}
		})
	}
}

func TestItFindsTheDaemonByItsStateFolder(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	// The real daemon's socket has the platform's own name in that folder;
	// here the dialler leads to the test's.
	c := &client.Client{StateDir: s.Dir, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if network != "unix" || !strings.HasPrefix(address, s.Dir) {
			t.Errorf("dialled %s %s", network, address)
		}
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.Socket)
	}}
	defer c.Close()
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAnExplicitAddressTakesTheTokenOfTheStateFolder(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	if err := os.WriteFile(filepath.Join(s.Dir, client.TokenFile), []byte(s.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &client.Client{URL: s.URL, StateDir: s.Dir}
	defer c.Close()
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutADaemonItSaysHowToStartOne(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]*client.Client{
		"state folder": {StateDir: dir},
		"socket":       {URL: "unix://" + filepath.Join(dir, "none")},
		"tcp":          {URL: "http://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			defer c.Close()
			for what, err := range map[string]error{
				"status": second(c.Status(t.Context())),
				"events": c.Events(t.Context(), "", func(client.Event) error { return nil }),
			} {
				var n *client.NotReachableError
				if !errors.Is(err, client.ErrNotReachable) || !errors.As(err, &n) {
					t.Fatalf("%s: got %v, want ErrNotReachable", what, err)
				}
				if !strings.Contains(n.Hint, "authbridge run") {
					t.Errorf("%s: the hint %q does not say how to start one", what, n.Hint)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// TestTheTokenGoesNowhereElse: not to another machine, not behind a redirect,
// not to a proxy.
func TestTheTokenGoesNowhereElse(t *testing.T) {
	for _, address := range []string{
		"http://192.0.2.1:17823", "http://daemon.example:17823", "https://127.0.0.1:17823", "http://127.0.0.1.evil.example:1",
		"http://user:pass@127.0.0.1:1", "http://127.0.0.1:1/path", "ftp://127.0.0.1", "127.0.0.1:17823", "unix:",
	} {
		c := &client.Client{URL: address, Token: "secret", Dial: func(context.Context, string, string) (net.Conn, error) {
			t.Errorf("%s: dialled", address)
			return nil, errors.New("no")
		}}
		var usage *client.UsageError
		if _, err := c.Status(t.Context()); !errors.As(err, &usage) {
			t.Errorf("%s: got %v, want a usage error", address, err)
		}
	}

	var reached bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer elsewhere.Close()
	t.Setenv("HTTP_PROXY", elsewhere.URL)
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer redirecting.Close()
	c := &client.Client{URL: redirecting.URL, Token: "secret"}
	defer c.Close()
	var foreign *client.ForeignError
	if _, err := c.Status(t.Context()); !errors.As(err, &foreign) {
		t.Errorf("got %v, want a ForeignError", err)
	}
	if reached {
		t.Error("the client followed")
	}
}

func TestWaitingEndsWhenTheCardComes(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	type answer struct {
		v   contract.Verdict
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		v, err := c.Ready(context.WithoutCancel(t.Context()), contract.Question{AAL: 3, Target: "mock"}, time.Minute)
		answered <- answer{v, err}
	}()
	s.Observe(t, cards("card-1"))
	a := <-answered
	if a.err != nil || a.v.Outcome != contract.VerdictReady {
		t.Fatalf("%+v, %v", a.v, a.err)
	}
}

func TestWaitingEndsWithTheTime(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	v, err := overSocket(t, s).Ready(t.Context(), contract.Question{AAL: 3, Target: "mock"}, 20*time.Millisecond)
	if err != nil || v.Outcome != contract.VerdictNotReady {
		t.Fatalf("%+v, %v", v, err)
	}
}

func TestACallerThatGivesUpGetsItsOwnError(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := overSocket(t, s).Status(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrNotReachable) {
		t.Fatalf("got %v", err)
	}
}

// TestAWaitEndsWithTheDaemon: what it saw last is no answer.
func TestAWaitEndsWithTheDaemon(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	type answer struct {
		verdict contract.Verdict
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		v, err := c.Ready(context.Background(), contract.Question{AAL: 3, Target: "mock"}, 5*time.Minute)
		answered <- answer{v, err}
	}()
	for {
		metrics, err := c.Metrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(metrics), "authbridge_http_held_requests 1") {
			break
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	a := <-answered
	if !errors.Is(a.err, client.ErrNotReachable) || !strings.Contains(a.err.Error(), "the daemon stopped while") || a.verdict.Outcome != "" {
		t.Errorf("%+v, %v", a.verdict, a.err)
	}
}
