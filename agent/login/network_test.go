package login_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/login"
	"authbridge/agent/mockcis2"
)

// downFrom is a service that goes down as it is asked for a path, and stays so.
type downFrom struct {
	http.RoundTripper
	path string
	down atomic.Bool
}

func (d *downFrom) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, d.path) {
		d.down.Store(true)
	}
	if d.down.Load() {
		return down(r)
	}
	return d.RoundTripper.RoundTrip(r)
}

// TestAServiceThatGoesDownInMidRun ends the run where it was, with a report of
// what was seen, and leaves the authenticator to the next.
func TestAServiceThatGoesDownInMidRun(t *testing.T) {
	t.Parallel()
	for path, step := range map[string]string{"/jwk_uri": "keys", "/authorize": "authorize", "/proof": "proof", "/continue": "back", "/access_token": "token", "/userinfo": "userinfo"} {
		service := &downFrom{path: path}
		w := newWorld(t, func(w *world) { service.RoundTripper, w.config.Transport = w.config.Transport, service })
		l := w.fails(contract.LoginRequest{Kind: contract.Smartcard}, step, "LOGIN_NO_ANSWER")
		if stepOf(l, "roles").State != contract.StepSkipped || stepOf(l, "discovery").State != contract.StepPass {
			t.Errorf("%s\n%s", path, story(l))
		}
		for _, form := range []contract.LoginReportForm{contract.LoginReportJSON, contract.LoginReportJUnit, contract.LoginReportHTML} {
			report, _, err := w.runner.Report(soon(t), l.ID, form)
			if err != nil || !bytes.Contains(report, []byte("LOGIN_NO_ANSWER")) {
				t.Errorf("%s: the report as %s: %v", path, form, err)
			}
		}
		service.path = "/nowhere"
		service.down.Store(false)
		w.passes(contract.LoginRequest{Kind: contract.Smartcard})
	}
}

// TestASlowServiceIsNotWaitedForLong has the mock itself be slow.
func TestASlowServiceIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.config.CallTime = 300 * time.Millisecond })
	w.mock.SetFaults(mockcis2.Faulting{Client: clientID, Faults: []mockcis2.Fault{{Name: mockcis2.Slow, Amount: time.Hour}}})
	l := w.fails(contract.LoginRequest{Kind: contract.SecurityKey}, "token", "LOGIN_NO_ANSWER")
	if !strings.Contains(l.Problem.Detail, "300ms") {
		t.Errorf("%+v", l.Problem)
	}
}

// altered changes answers on their way back.
type altered struct {
	http.RoundTripper
	change func(path string, header http.Header, body []byte) []byte
}

func (a altered) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := a.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(a.change(r.URL.Path, response.Header, body)))
	return response, nil
}

// TestAnIssuerThatDiffersByOneByte is what a proxy, or a hand, makes of one.
func TestAnIssuerThatDiffersByOneByte(t *testing.T) {
	t.Parallel()
	for _, change := range [][2]string{{`"issuer":"http://localhost`, `"issuer":"http://Localhost`}, {`Healthcare"`, `Healthcare/"`}, {`NHSIdentity/realms/Healthcare"`, `NHSldentity/realms/Healthcare"`}} {
		w := newWorld(t, func(w *world) {
			w.config.Transport = altered{w.config.Transport, func(path string, _ http.Header, body []byte) []byte {
				if !strings.HasSuffix(path, "/openid-configuration") {
					return body
				}
				return bytes.Replace(body, []byte(change[0]), []byte(change[1]), 1)
			}}
		})
		l := w.fails(contract.LoginRequest{Kind: contract.Smartcard}, "discovery", "NET_ISSUER")
		if s := stepOf(l, "discovery"); s.Evidence == "" || s.Got == s.Expected || l.Lease != "" {
			t.Errorf("%s: %+v", change[1], s)
		}
	}
}

// TestAClockThatIsOffIsNamed where a time is wrong because of it.
func TestAClockThatIsOffIsNamed(t *testing.T) {
	t.Parallel()
	for skew, words := range map[time.Duration]string{10 * time.Minute: "ahead of ours", -10 * time.Minute: "behind ours"} {
		w := newWorld(t, func(w *world) {
			w.config.Transport = altered{w.config.Transport, func(_ string, header http.Header, body []byte) []byte {
				header.Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
				return body
			}}
		})
		w.mock.SetFaults(mockcis2.Faulting{Client: clientID, Faults: []mockcis2.Fault{{Name: mockcis2.ClockSkew, Amount: skew}}})
		l := w.fails(contract.LoginRequest{Kind: contract.Smartcard}, "issued-at", "TOK_FRESH")
		for _, step := range []string{"discovery", "issued-at", "auth-time"} {
			if s := stepOf(l, step); !strings.Contains(s.Evidence, words) {
				t.Errorf("%s: %s does not name the clock: %+v", skew, step, s)
			}
		}
	}
}

// TestTLSBelow12IsRefused, by which version it is and not for its certificate: a
// service with TLS 1.2 comes further.
func TestTLSBelow12IsRefused(t *testing.T) {
	t.Parallel()
	for version, words := range map[uint16]string{tls.VersionTLS11: "protocol version", tls.VersionTLS12: "x509"} {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		w := newWorld(t, func(w *world) {
			w.config.Transport = nil // that of the program
			w.config.Targets = append(w.config.Targets, login.Target{Name: "old", Issuer: server.URL + cis2.RealmPath, ClientID: "x"})
		})
		l := w.fails(contract.LoginRequest{Target: "old", Mode: contract.DriveTokens, Tokens: &contract.LoginTokens{IDToken: []byte("x.y.z")}}, "discovery", "NET_ISSUER")
		if !strings.Contains(l.Problem.Detail, words) {
			t.Errorf("TLS %x: %+v", version, l.Problem)
		}
		must(t, w.runner.Shutdown(context.Background()))
		server.Close()
	}
}
