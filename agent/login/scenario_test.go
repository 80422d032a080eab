package login_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/assurance"
	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/agent/login"
	"authbridge/agent/mockcis2"
)

// lax is a relying party that skips a check.
func lax(code failure.Code) func(*world) {
	return func(w *world) {
		w.config.Party = func(t login.Tokens, want login.Expectation) []contract.LoginStep {
			steps := login.Assert(t, want)
			for i := range steps {
				if steps[i].Code == string(code) {
					steps[i].State, steps[i].Code = contract.StepPass, ""
				}
			}
			return steps
		}
	}
}

func mockFault(name string) func(*world) {
	return func(w *world) {
		w.mock.SetFaults(mockcis2.Faulting{Client: clientID, Faults: []mockcis2.Fault{{Name: name}}})
	}
}

// anyway is a bridge that claims each ceremony to be done, whatever became of
// it.
type anyway struct{ login.Ceremonies }

func (a anyway) Begin(ctx context.Context, by lease.Caller, request contract.CeremonyRequest) (contract.Ceremony, error) {
	c, err := a.Ceremonies.Begin(ctx, by, request)
	if err != nil {
		return contract.Ceremony{ID: "forged"}, nil
	}
	return c, nil
}

func (a anyway) Await(ctx context.Context, id string) (contract.Ceremony, error) {
	c, _ := a.Ceremonies.Await(ctx, id)
	c.State, c.Problem = contract.CeremonyDone, nil
	if c.Result == nil {
		c.Result = &contract.CeremonyResult{Signature: []byte("x"), Certificate: []byte("y"), Credential: []byte(`{}`)}
	}
	return c, nil
}

func claimsAll(w *world) { w.config.Ceremonies = anyway{w.use} }

// lender lends virtual authenticators for real targets.
type lender struct{ login.Leases }

func (l lender) Take(ctx context.Context, by lease.Caller, request contract.LeaseRequest, told func(contract.Lease)) (contract.NewLease, error) {
	request.Target = "mock"
	return l.Leases.Take(ctx, by, request, told)
}

// TestEachScenarioIsRedAgainstOneWhoDoesNotRefuse holds the scenarios
// themselves: each is green where all refuse who must, and red, at the step of
// the one who does not, where one of them does not.
func TestEachScenarioIsRedAgainstOneWhoDoesNotRefuse(t *testing.T) {
	t.Parallel()
	type culprit struct {
		name   string
		change func(*world)
		step   string // that is red
	}
	rows := []struct {
		scenario contract.LoginScenario
		green    []string // steps
		culprits []culprit
	}{
		{
			contract.ScenarioAAL2ForAAL3,
			[]string{"refused-by-mock-user", "refused-by-relying-party-level"},
			[]culprit{
				{"a relying party that skips the level", lax(failure.TokAAL), "refused-by-relying-party-level"},
				{"a mock that takes the user for one of AAL3", func(w *world) {
					must(w.t, w.mock.SetUser(mockcis2.User{User: cis2.User{UUID: "656005750109", AAL: 3, IAL: 3}}))
				}, "refused-by-mock-user"},
			},
		},
		{
			contract.ScenarioWrongUser,
			[]string{"refused-by-mock-proof", "no-code", "refused-by-relying-party-subject"},
			[]culprit{
				{"a mock that accepts any proof", mockFault(mockcis2.AcceptAnyProof), "refused-by-mock-proof"},
				{"a relying party that skips the subject", lax(failure.TokSub), "refused-by-relying-party-subject"},
			},
		},
		{
			contract.ScenarioExpiredCertificate,
			[]string{"refused-by-mock-proof", "no-code"},
			[]culprit{{"a mock that accepts any proof", mockFault(mockcis2.AcceptAnyProof), "refused-by-mock-proof"}},
		},
		{
			contract.ScenarioTamperedToken,
			[]string{
				"refused-by-relying-party-audience", "refused-by-relying-party-claim-changed", "refused-by-relying-party-signature-changed",
				"refused-by-relying-party-alg-none", "refused-by-relying-party-alg-hmac", "refused-by-relying-party-other-key",
			},
			[]culprit{
				{"a relying party that skips the audience", lax(failure.TokAUD), "refused-by-relying-party-audience"},
				{"a relying party that skips the signature", lax(failure.TokSIG), "refused-by-relying-party-claim-changed"},
			},
		},
		{
			contract.ScenarioStaleAuthTime,
			[]string{"refused-by-relying-party-auth-time"},
			[]culprit{{"a relying party that skips auth_time", lax(failure.TokFresh), "refused-by-relying-party-auth-time"}},
		},
		{
			contract.ScenarioPINBlocked,
			[]string{"refused-by-bridge-pin"},
			[]culprit{{"a bridge that signs all the same", claimsAll, "refused-by-bridge-pin"}},
		},
		{
			contract.ScenarioCardPulled,
			[]string{"refused-by-bridge-ceremony"},
			[]culprit{{"a bridge that signs all the same", claimsAll, "refused-by-bridge-ceremony"}},
		},
		{
			contract.ScenarioTouchTimeout,
			[]string{"refused-by-bridge-ceremony"},
			[]culprit{{"a bridge that needs no touch", claimsAll, "refused-by-bridge-ceremony"}},
		},
		{
			contract.ScenarioVirtualForINT,
			[]string{"refused-by-bridge-readiness", "refused-by-bridge-lease"},
			[]culprit{
				{"a desk that lends virtual ones for real targets", func(w *world) { w.config.Leases = lender{w.leases} }, "refused-by-bridge-lease"},
				{"a judge that counts them", func(w *world) {
					w.config.Judge = func(q contract.Question, s *contract.Snapshot) contract.Verdict {
						q.Target = "mock"
						return assurance.Judge(s, q)
					}
				}, "refused-by-bridge-readiness"},
			},
		},
	}
	played := 0
	for _, row := range rows {
		played++
		t.Run(string(row.scenario), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			l := w.passes(contract.LoginRequest{Scenario: row.scenario})
			if left := w.mock.Faulted(); len(left) != 0 {
				t.Errorf("the mock still goes wrong: %+v", left)
			}
			if len(l.Refusers) == 0 {
				t.Error("it does not say who must refuse")
			}
			t.Log(story(l))
			for _, name := range row.green {
				if stepOf(l, name).State != contract.StepPass {
					t.Errorf("%s is not there\n%s", name, story(l))
				}
			}
			for _, c := range row.culprits {
				red := newWorld(t, c.change).fails(contract.LoginRequest{Scenario: row.scenario}, c.step, string(failure.LoginNotRefused))
				if s := stepOf(red, c.step); s.Got == "" || s.Expected == "" {
					t.Errorf("%s: %+v", c.name, s)
				}
			}
		})
	}
	for _, s := range contract.LoginScenarios {
		if !slices.Contains([]contract.LoginScenario{contract.ScenarioSignIn, contract.ScenarioSSO, contract.ScenarioStepUp, contract.ScenarioReauthentication, contract.ScenarioLogout}, s) {
			played--
		}
	}
	if played != 0 {
		t.Error("a scenario has no row")
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for scenario, step := range map[contract.LoginScenario]string{
		contract.ScenarioStepUp: "new-sign-in", contract.ScenarioSSO: "again-same-sign-in", contract.ScenarioReauthentication: "again-auth-time", contract.ScenarioLogout: "again-authorize",
	} {
		for _, kind := range []contract.Kind{contract.Smartcard, contract.SecurityKey} {
			l := w.passes(contract.LoginRequest{Scenario: scenario, Kind: kind})
			if stepOf(l, step).State != contract.StepPass {
				t.Errorf("%s: %s is not there\n%s", scenario, step, story(l))
			}
			if lower := stepOf(l, "lower-authentication-level"); scenario == contract.ScenarioStepUp &&
				(!strings.HasPrefix(lower.Got, "2") || !strings.HasPrefix(stepOf(l, "authentication-level").Got, "3")) {
				t.Errorf("it goes from %q\n%s", lower.Got, story(l))
			}
		}
	}
}

// detour changes requests on the way.
type detour struct {
	http.RoundTripper
	change func(*http.Request)
}

func (j detour) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	j.change(r)
	return j.RoundTripper.RoundTrip(r)
}

// TestSessionsThatAreTreatedWrong holds that each of these scenarios can be red:
// against a service that has no sessions, ignores prompt=login, or takes a
// session for more than it is.
func TestSessionsThatAreTreatedWrong(t *testing.T) {
	t.Parallel()
	asks := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/authorize") {
				r.URL.RawQuery = strings.Replace(r.URL.RawQuery, from, to, 1)
			}
		}
	}
	first := true
	var skewed *world
	requests := 0
	for _, row := range []struct {
		scenario contract.LoginScenario
		change   func(*http.Request)
		step     string
	}{
		// The second token says that the user signed in a little later.
		{contract.ScenarioSSO, func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/authorize") {
				requests++
			}
			if requests == 2 {
				skewed.mock.SetFaults(mockcis2.Faulting{Client: clientID, Faults: []mockcis2.Fault{{Name: mockcis2.ClockSkew, Amount: 20 * time.Second}}})
			}
		}, "again-same-sign-in"},
		{contract.ScenarioSSO, asks("max_age=300", "max_age=0"), "again-authorize"},
		{contract.ScenarioReauthentication, func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/authorize") && !first {
				r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "prompt=login&", "", 1)
			}
			first = first && !strings.HasSuffix(r.URL.Path, "/authorize")
		}, "again-authorize"},
		{contract.ScenarioLogout, func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/endSession") {
				r.URL.Path = "/"
				r.Method = http.MethodGet
			}
		}, "again-authorize"},
		{contract.ScenarioStepUp, asks("acr_values=AAL3_ANY", "acr_values=AAL2_ANY"), "authorize"},
		// The second token says that the user signed in when the first did.
		{contract.ScenarioStepUp, func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/authorize") && strings.Contains(r.URL.RawQuery, "AAL3_ANY") {
				skewed.mock.SetFaults(mockcis2.Faulting{Client: clientID, Faults: []mockcis2.Fault{{Name: mockcis2.ClockSkew, Amount: -20 * time.Second}}})
			}
		}, "new-sign-in"},
	} {
		w := newWorld(t, func(w *world) {
			skewed = w
			w.config.Transport = detour{w.config.Transport, row.change}
		})
		l := w.run(contract.LoginRequest{Scenario: row.scenario, Kind: contract.Smartcard})
		red := false
		for _, s := range l.Steps {
			red = red || s.Name == row.step && s.Code == string(failure.LoginSession)
		}
		if l.State != contract.LoginFailed || !red {
			t.Errorf("%s: %s\n%s", row.scenario, l.Summary, story(l))
		}
	}
}
