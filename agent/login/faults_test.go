package login_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/login"
	"authbridge/agent/mockcis2"
)

// TestFaultsOfTheMockShowAtTheirSteps is what a login test is for: what is wrong
// with the service fails a named step, with a code and a remedy.
func TestFaultsOfTheMockShowAtTheirSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, row := range []struct{ fault, step, code string }{
		{mockcis2.NoACR, "acr", "TOK_ACR_AMR"},
		{mockcis2.NoLevel, "authentication-level", "TOK_AAL"},
		{mockcis2.LevelTooLow, "authentication-level", "TOK_AAL"},
		{mockcis2.IdentityTooLow, "identity-level", "TOK_IAL"},
		{mockcis2.WrongAudience, "audience", "TOK_AUD"},
		{mockcis2.WrongSubject, "subject-card", "TOK_SUB"},
		{mockcis2.OtherUserinfo, "subject-userinfo", "TOK_SUB"},
		{mockcis2.Expired, "expiry", "TOK_FRESH"},
		{mockcis2.BadSignature, "signature", "TOK_SIG"},
		{mockcis2.IssuerNoPort, "issuer", "TOK_ISS"},
		{mockcis2.WrongNonce, "nonce", "LOGIN_STATE"},
		{mockcis2.StaleAuthTime, "auth-time", "TOK_FRESH"},
		{"clock-skew:10m", "issued-at", "TOK_FRESH"},
		{"clock-skew:-10m", "auth-time", "TOK_FRESH"},
		{mockcis2.InternalError, "token", "LOGIN_ANSWER"},
	} {
		fault, err := mockcis2.ParseFault(row.fault)
		must(t, err)
		w.mock.SetFaults(mockcis2.Faulting{Client: clientID, Faults: []mockcis2.Fault{fault}})
		l := w.fails(contract.LoginRequest{Kind: contract.Smartcard}, row.step, row.code)
		if got := stepOf(l, "roles").State; (got == contract.StepPass) != (row.fault != mockcis2.InternalError) {
			t.Errorf("%s: what follows is %q", row.fault, got)
		}
	}
	for _, fault := range []string{mockcis2.LevelAsNumber, mockcis2.LevelAsText} {
		w.mock.SetFaults(mockcis2.Faulting{Client: clientID, Faults: []mockcis2.Fault{{Name: fault}}})
		w.passes(contract.LoginRequest{Kind: contract.Smartcard})
	}
}

// instead answers some requests in the place of the service.
type instead struct {
	http.RoundTripper
	path   string
	answer func(*http.Request) (*http.Response, error)
}

func (i instead) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, i.path) {
		return i.answer(r)
	}
	return i.RoundTripper.RoundTrip(r)
}

func says(status int, kind, body string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}
}

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func down(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

// TestABadServiceIsAFailedStep holds that whatever a service or what is in
// between does, the run ends at the step where it showed.
func TestABadServiceIsAFailedStep(t *testing.T) {
	t.Parallel()
	const html = "<!DOCTYPE html><title>Blocked by policy canary-body</title>"
	for _, row := range []struct {
		name, path string
		answer     func(*http.Request) (*http.Response, error)
		step, code string
	}{
		{"discovery down", "/openid-configuration", down, "discovery", "NET_ISSUER"},
		{"discovery hangs", "/openid-configuration", hangs, "discovery", "NET_ISSUER"},
		{"discovery is a proxy's page", "/openid-configuration", says(200, "text/html", html), "discovery", "NET_ISSUER"},
		{"discovery of another issuer", "/openid-configuration", says(200, "application/json", `{"issuer":"http://localhost"}`), "discovery", "NET_ISSUER"},
		{"keys are none", "/jwk_uri", says(200, "application/json", `{"keys":[]}`), "keys", "LOGIN_ANSWER"},
		{"keys are a proxy's page", "/jwk_uri", says(200, "text/html", html), "keys", "LOGIN_ANSWER"},
		{"authorization is down", "/authorize", says(500, "text/plain", "canary-body"), "authorize", "LOGIN_ANSWER"},
		{"authorization is a proxy's page", "/authorize", says(200, "text/html", html), "authorize", "LOGIN_ANSWER"},
		{"authorization sends elsewhere", "/authorize", func(r *http.Request) (*http.Response, error) {
			response, err := says(302, "text/plain", "")(r)
			response.Header.Set("Location", "https://elsewhere.example/?code=x")
			return response, err
		}, "authorize", "LOGIN_STATE"},
		{"the proof hangs", "/proof", hangs, "proof", "LOGIN_NO_ANSWER"},
		{"tokens hang", "/access_token", hangs, "token", "LOGIN_NO_ANSWER"},
		{"tokens are a page", "/access_token", says(200, "text/html", html), "token", "LOGIN_ANSWER"},
		{"tokens are too long", "/access_token", says(200, "application/json", strings.Repeat(" ", 2<<20)), "token", "LOGIN_ANSWER"},
		{"the client is refused", "/access_token", says(401, "application/json", `{"error":"invalid_client"}`), "token", "LOGIN_CLIENT"},
		{"the code is refused", "/access_token", says(400, "application/json", `{"error":"invalid_grant","error_description":"used by 656005750107"}`), "token", "LOGIN_REFUSED"},
		{"no ID token", "/access_token", says(200, "application/json", `{"access_token":"canary-token","token_type":"Bearer"}`), "token", "LOGIN_ANSWER"},
		{"userinfo is down", "/userinfo", says(503, "text/html", html), "userinfo", "LOGIN_ANSWER"},
		{"userinfo is no JSON", "/userinfo", says(200, "application/json", `{"sub":`), "subject-userinfo", "TOK_SUB"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(w *world) {
				w.config.Transport = instead{w.config.Transport, row.path, row.answer}
				if row.code == "LOGIN_NO_ANSWER" || row.name == "discovery hangs" {
					w.config.CallTime = 300 * time.Millisecond
				}
			})
			l := w.fails(contract.LoginRequest{Kind: contract.Smartcard}, row.step, row.code)
			report, _, err := login.Render(contract.LoginReportJSON, l)
			must(t, err)
			if strings.Contains(string(report), "canary") || strings.Contains(string(report), "656005750107") {
				t.Errorf("what came back is repeated: %s", report)
			}
			if stepOf(l, "signature").State == contract.StepPass && row.step != "subject-userinfo" {
				t.Error("what was not reached passes")
			}
		})
	}
}

// TestRequestsThatAreWrong holds what is refused before there is a run.
func TestRequestsThatAreWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, row := range []struct {
		request     contract.LoginRequest
		code, field string
	}{
		{contract.LoginRequest{Target: "moon"}, "LOGIN_TARGET", "body.target"},
		{contract.LoginRequest{ACR: "AAL4_ANY"}, "BAD_REQUEST", "body.acr"},
		{contract.LoginRequest{User: "12"}, "BAD_REQUEST", "body.user"},
		{contract.LoginRequest{Kind: "platform"}, "BAD_REQUEST", "body.kind"},
		{contract.LoginRequest{Scenario: "luck"}, "BAD_REQUEST", "body.scenario"},
		{contract.LoginRequest{Mode: "magic"}, "BAD_REQUEST", "body.mode"},
		{contract.LoginRequest{Mode: contract.DriveBrowser}, "LOGIN_MODE", "body.mode"},
		{contract.LoginRequest{Timeout: "1h"}, "BAD_REQUEST", "body.timeout"},
		{contract.LoginRequest{Timeout: "soon"}, "BAD_REQUEST", "body.timeout"},
		{contract.LoginRequest{Queue: "11m"}, "BAD_REQUEST", "body.queue"},
		{contract.LoginRequest{Mode: contract.DriveTokens}, "BAD_REQUEST", "body.tokens.id_token"},
		{contract.LoginRequest{Tokens: &contract.LoginTokens{}}, "BAD_REQUEST", "body.tokens"},
		{contract.LoginRequest{Mode: contract.DriveTokens, Tokens: &contract.LoginTokens{IDToken: []byte("x"), MaxAge: "x"}}, "BAD_REQUEST", "body.tokens.max_age"},
		{contract.LoginRequest{Mode: contract.DriveTokens, Scenario: contract.ScenarioSSO, Tokens: &contract.LoginTokens{IDToken: []byte("x")}}, "BAD_REQUEST", "body.scenario"},
		{contract.LoginRequest{Scenario: contract.ScenarioWrongUser, Kind: contract.SecurityKey}, "LOGIN_MISMATCH", "body.kind"},
		{contract.LoginRequest{Scenario: contract.ScenarioPINBlocked, User: cardUser}, "LOGIN_MISMATCH", "body.authenticator"},
		{contract.LoginRequest{Scenario: contract.ScenarioTouchTimeout, ACR: "AAL3_SMARTCARD"}, "LOGIN_MISMATCH", "body.acr"},
		{contract.LoginRequest{Scenario: contract.ScenarioAAL2ForAAL3, ACR: "AAL2_ANY"}, "LOGIN_MISMATCH", "body.acr"},
	} {
		pin := []byte("canary-pin")
		row.request.PIN = &contract.PINSource{Value: pin}
		if row.request.Target == "" {
			row.request.Target = "mock"
		}
		_, err := w.runner.Begin(soon(t), ci, row.request)
		var e *failure.Error
		if !errors.As(err, &e) || string(e.Code) != row.code || e.Field != row.field || e.Detail == "" {
			t.Errorf("%+v: %v", row.request, err)
		}
		if string(pin) == "canary-pin" {
			t.Errorf("%s: the PIN is not wiped", row.field)
		}
	}
	if all, err := w.runner.Logins(soon(t)); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestWhatCannotReachTheLevelIsRefusedFirst holds that nothing is begun then: no
// lease, and no question to the service.
func TestWhatCannotReachTheLevelIsRefusedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		w.config.Transport = instead{w.config.Transport, "", func(*http.Request) (*http.Response, error) {
			w.t.Error("the service is asked")
			return nil, errors.New("no")
		}}
	})
	_, err := w.devices.SetFaults(soon(t), contract.Smartcard, "virtual-reader-1", []contract.Fault{{Name: "cert-expired"}})
	must(t, err)
	card := w.authenticator("virtual-reader-1")
	_, err = w.inv.Await(soon(t), func(s *contract.Snapshot) bool {
		for _, a := range s.Authenticators {
			for _, c := range a.Checks {
				if a.ID == card && c.Code == "CERT_VALID" && c.State == contract.Fail {
					return true
				}
			}
		}
		return false
	})
	must(t, err)
	for _, request := range []contract.LoginRequest{
		{ACR: "AAL2_TOTP"},
		{ACR: "AAL1_USERPASS"},
		{Kind: contract.Smartcard},
		{Authenticator: "nobody"},
		{Authenticator: card},
		{Authenticator: card, ACR: "AAL3_FIDO2"},
		{User: "555200000009", Kind: contract.Smartcard},
	} {
		code := "LOGIN_NOT_READY"
		if strings.Contains(request.ACR, "TOTP") || strings.Contains(request.ACR, "USERPASS") {
			code = "LOGIN_MISMATCH" // nothing that a run drives could ever
		}
		l := w.fails(request, "preflight", code)
		if l.Lease != "" || stepOf(l, "discovery").State != contract.StepSkipped {
			t.Errorf("%+v", l)
		}
	}
	if all := w.leases.Leases(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

func TestWhoTheServiceDoesNotLetIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fails(contract.LoginRequest{Kind: contract.SecurityKey, User: "656005750111"}, "enrolment", "LOGIN_REFUSED") // AAL2 at most
	w.fails(contract.LoginRequest{Kind: contract.SecurityKey, User: "999999999999"}, "enrolment", "LOGIN_REFUSED") // nobody
	w.fails(contract.LoginRequest{Kind: contract.SecurityKey, User: "555031999105"}, "identity-level", "TOK_IAL")
	// A user's own level is enough for less.
	must(t, knows{w.mock}.Know(cardUser))
	w.passes(contract.LoginRequest{ACR: "AAL2_OR_AAL3_ANY", Kind: contract.Smartcard, User: cardUser})
}

// TestWithoutANetwork holds that a real target that is not reached says so, and
// what to do.
func TestWithoutANetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.fails(contract.LoginRequest{Target: "int", Mode: contract.DriveTokens, Tokens: &contract.LoginTokens{IDToken: []byte("x.y.z")}}, "discovery", "NET_ISSUER")
	if l.Problem.Remedy == "" || l.EndedAt.Sub(l.StartedAt) > 10*time.Second {
		t.Errorf("%+v", l)
	}
}

func TestTheWrongClient(t *testing.T) {
	t.Parallel()
	for step, change := range map[string]func(*login.Target){
		"authorize": func(target *login.Target) { target.ClientID = "nobody" },
		"token":     func(target *login.Target) { target.Client.Secret = []byte("wrong") },
	} {
		newWorld(t, func(w *world) { change(&w.config.Targets[0]) }).fails(contract.LoginRequest{Kind: contract.Smartcard}, step, "LOGIN_CLIENT")
	}
	scoped := newWorld(t, func(w *world) { w.config.Targets[0].Scopes = []string{"openid", "moonlight"} })
	scoped.fails(contract.LoginRequest{Kind: contract.Smartcard}, "authorize", "LOGIN_REFUSED")
	acr := newWorld(t, func(w *world) {
		w.config.Targets[0].ACRs = append(cis2.DefaultACRs(), cis2.ACR{Value: "AAL3_MOON", Lowest: 3, Highest: 3})
	})
	acr.fails(contract.LoginRequest{ACR: "AAL3_MOON", Kind: contract.Smartcard}, "acr-offered", "NET_ACR")
}

// TestPrivateKeyJWT signs in as a client that proves itself by a key, as CIS2
// prefers.
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	key := desk().key
	for _, algorithm := range []string{"", "RS256"} {
		w := newWorld(t, func(w *world) {
			must(w.t, w.mock.SetClient(mockcis2.Client{Registration: cis2.Registration{
				ClientID: "jwt", Redirects: []string{redirect}, Pattern: cis2.PrivateKeyJWT, JWKS: jwksOf(w.t, key),
			}}))
			w.config.Targets[0].ClientID, w.config.Targets[0].Client = "jwt", login.ClientAuth{Key: key, KeyID: "one", Algorithm: algorithm}
		})
		w.passes(contract.LoginRequest{Kind: contract.Smartcard})
	}
}

func TestTheDaemonsOwnDeadlines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		w.config.Transport = instead{w.config.Transport, "/access_token", hangs}
		w.config.CallTime = time.Minute
	})
	begun := time.Now()
	w.fails(contract.LoginRequest{Kind: contract.Smartcard, Timeout: "1s"}, "token", "LOGIN_TIMEOUT")
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}
