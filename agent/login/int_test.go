package login_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/login"
	"authbridge/agent/target"
	"authbridge/agent/target/targettest"
)

// byScheme sends what is for INT there, and the rest to the mock.
type byScheme struct{ https, http http.RoundTripper }

func (b byScheme) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return b.https.RoundTrip(r)
	}
	return b.http.RoundTrip(r)
}

// reaching gives a world a target int that is reached by a transport, and the
// looks of a source at it.
func reaching(transport http.RoundTripper, change ...func(*login.Target)) func(*world) {
	return func(w *world) {
		environment, _ := cis2.FindEnvironment(cis2.INT)
		one := login.Target{Name: cis2.INT, Issuer: environment.Issuer, ClientID: "123456789012.apps.national"}
		for _, c := range change {
			c(&one)
		}
		w.config.Targets[1] = one
		w.config.Transport = byScheme{transport, w.config.Transport}
		w.config.Look = target.New(target.Config{Targets: []target.Target{{Name: one.Name, Issuer: one.Issuer}}, Transport: transport}).Look
	}
}

// nobody is a machine without a network.
func nobody(t *testing.T) *http.Transport {
	transport := &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: strings.Split(address, ":")[0], IsNotFound: true}
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// driven is the registration of a client whose logins a browser drives.
func driven(t *login.Target) { t.Redirect, t.Native = "http://127.0.0.1:1/callback", true }

// TestARealTargetIsLookedAtFirst holds that without a network each way to drive a
// login there says so at once, with what to do, and that the mock goes on.
func TestARealTargetIsLookedAtFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reaching(nobody(t), driven))
	for _, mode := range []contract.LoginMode{contract.DriveHeadless, contract.DriveBrowser} {
		l := w.fails(contract.LoginRequest{Target: "int", Mode: mode}, "target", "NET_ISSUER")
		if len(l.Steps) == 0 || l.Steps[0].Name != "target" || l.Lease != "" || l.EndedAt.Sub(l.StartedAt) > 10*time.Second {
			t.Errorf("%s\n%s", mode, story(l))
		}
		if !strings.Contains(l.Problem.Remedy, "am.nhsint.auth-ptl.cis2.spineservices.nhs.uk") {
			t.Errorf("the remedy is %q", l.Problem.Remedy)
		}
		for _, s := range l.Steps[1:] {
			if s.State != contract.StepSkipped {
				t.Errorf("%s goes on with %s\n%s", mode, s.Name, story(l))
			}
		}
	}
	w.passes(contract.LoginRequest{Kind: contract.Smartcard})
}

// TestThePageOfARealTargetIsNotWalked: it says what to do instead, once the
// target was seen to be well.
func TestThePageOfARealTargetIsNotWalked(t *testing.T) {
	t.Parallel()
	env := targettest.New(t)
	w := newWorld(t, reaching(env.Transport(t), driven))
	l := w.fails(contract.LoginRequest{Target: "int"}, "mode", "LOGIN_MODE")
	if s := stepOf(l, "target"); s.State != contract.StepPass || s.Got == "" {
		t.Errorf("%s", story(l))
	}
	if env.Asked() != 1 {
		t.Errorf("INT was asked %d times", env.Asked())
	}
	// A browser may drive it, but what is here is virtual, and never for INT.
	l = w.fails(contract.LoginRequest{Target: "int", Mode: contract.DriveBrowser}, "preflight", "LOGIN_NOT_READY")
	if stepOf(l, "target").State != contract.StepPass {
		t.Errorf("%s", story(l))
	}
}

func TestWhatIsWrongWithARealTargetIsTheFirstStep(t *testing.T) {
	t.Parallel()
	ahead := targettest.New(t, func(s *targettest.INT) {
		s.Discovery = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-2*time.Minute).UTC().Format(http.TimeFormat))
			targettest.Answer(w, s.Document)
		}
	})
	newWorld(t, reaching(ahead.Transport(t))).fails(contract.LoginRequest{Target: "int"}, "target", "CLOCK_SKEW")
	page := targettest.New(t, func(s *targettest.INT) {
		s.Discovery = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") }
	})
	newWorld(t, reaching(page.Transport(t))).fails(contract.LoginRequest{Target: "int"}, "target", "NET_ISSUER")
}

// TestTokensOfINTAreJudged is the contract with INT for `login verify`: its
// discovery document and keys, by TLS under its real name, and a token as NHS
// tests show one.
func TestTokensOfINTAreJudged(t *testing.T) {
	t.Parallel()
	env := targettest.New(t)
	w := newWorld(t, reaching(env.Transport(t)))
	token := func(change func(map[string]any)) contract.LoginRequest {
		now := time.Now().Unix()
		claims := map[string]any{
			"iss": env.Environment.Issuer, "sub": "555250000001", "uid": "555250000001", "aud": "123456789012.apps.national", "azp": "123456789012.apps.national",
			"iat": now, "exp": now + 3600, "auth_time": now - 20, "acr": "AAL3_ANY", "amr": []string{"FIDO2"}, "nonce": "n-1",
			"id_assurance_level": "3", "authentication_assurance_level": "3", "selected_roleid": "555011111105",
			"realm": "/NHSIdentity/Healthcare", "tokenName": "id_token", "tokenType": "JWTToken", "sid": "s-1",
		}
		change(claims)
		return contract.LoginRequest{
			Target: "int", Mode: contract.DriveTokens, Kind: contract.SecurityKey, User: "555250000001",
			Tokens: &contract.LoginTokens{IDToken: env.Sign(t, claims), Nonce: "n-1"},
		}
	}
	l := w.passes(token(func(map[string]any) {}))
	for _, name := range []string{"discovery", "acr-offered", "keys", "signature", "issuer", "audience", "authentication-level", "subject"} {
		if stepOf(l, name).State != contract.StepPass {
			t.Errorf("%s\n%s", name, story(l))
		}
	}
	w.passes(token(func(c map[string]any) { c["authentication_assurance_level"] = 3 }))
	for _, row := range []struct {
		step, code string
		change     func(map[string]any)
	}{
		{"issuer", "TOK_ISS", func(c map[string]any) { c["iss"] = strings.Replace(env.Environment.Issuer, ":443", "", 1) }},
		{"audience", "TOK_AUD", func(c map[string]any) { c["aud"] = "000000000000.apps.national" }},
		{"authentication-level", "TOK_AAL", func(c map[string]any) { c["authentication_assurance_level"] = "2" }},
		{"subject", "TOK_SUB", func(c map[string]any) { c["sub"] = "555250000002" }},
	} {
		w.fails(token(row.change), row.step, row.code)
	}
	request := token(func(map[string]any) {})
	signature := request.Tokens.IDToken[len(request.Tokens.IDToken)-20:]
	for i := range signature {
		signature[i] = 'A'
	}
	w.fails(request, "signature", "TOK_SIG")
}
