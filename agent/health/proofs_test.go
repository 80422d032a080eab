package health_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

const ada, ben = "555250000001", "555250000002"

func shown(id, target, user string, outcome contract.ProofOutcome, at time.Time) contract.Proof {
	return contract.Proof{Authenticator: id, Kind: contract.SecurityKey, Target: target, User: user, Outcome: outcome, At: at, Login: "login-" + user[11:]}
}

// TestRegistrationIsWhatLoginsHaveShown: at each target for itself.
func TestRegistrationIsWhatLoginsHaveShown(t *testing.T) {
	t.Parallel()
	read := world().Keys[0].ReadAt
	then, later := noon.Add(-time.Hour), noon.Add(-time.Minute)
	for name, tt := range map[string]struct {
		proofs []contract.Proof
		state  contract.CheckState
		says   string
		at     time.Time
	}{
		"no login":            {nil, contract.Unknown, "no login with this key at int is on record; one would settle it", read},
		"a login":             {[]contract.Proof{shown("k", "int", ada, contract.Proven, then)}, contract.Pass, "a login with this key at int proved it: login-1", then},
		"a refusal":           {[]contract.Proof{shown("k", "int", ada, contract.Refused, then)}, contract.Fail, "the last login with this key at int was refused: login-1", then},
		"of another key":      {[]contract.Proof{shown("x", "int", ada, contract.Proven, then)}, contract.Unknown, "settle", read},
		"at another target":   {[]contract.Proof{shown("k", "prod", ada, contract.Proven, then)}, contract.Unknown, "settle", read},
		"of the two the last": {[]contract.Proof{shown("k", "int", ada, contract.Proven, later), shown("k", "int", ben, contract.Proven, then)}, contract.Pass, "login-1", later},
		"refused as another user": {
			[]contract.Proof{shown("k", "int", ada, contract.Proven, then), shown("k", "int", ben, contract.Refused, later)}, contract.Pass, "login-1", then,
		},
		"refused as another user before": {
			[]contract.Proof{shown("k", "int", ben, contract.Refused, then), shown("k", "int", ada, contract.Proven, later)}, contract.Pass, "login-1", later,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := world()
			facts.Proofs = tt.proofs
			checks := health.Judge(facts, noon).Authenticators["k"]
			i := slices.IndexFunc(checks, func(c contract.Check) bool { return c.Code == string(failure.KeyRegistered) && c.Target == "int" })
			if i < 0 {
				t.Fatalf("no check in %+v", checks)
			}
			if c := checks[i]; c.State != tt.state || !c.ObservedAt.Equal(tt.at) || !strings.Contains(c.Evidence, tt.says) || (c.Remedy == "") != (tt.state == contract.Pass) {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestWindowsHelloIsProvedByAnyLoginWithIt(t *testing.T) {
	t.Parallel()
	facts := world()
	hello := shown("wh", "int", ada, contract.Proven, noon)
	hello.Kind = contract.Platform
	facts.Proofs = []contract.Proof{hello, shown("k", "prod", ada, contract.Proven, noon)}
	for _, r := range health.Rules() {
		if r.Code == failure.WHRegistered && (!r.PerTarget || !slices.Contains(r.DependsOn, failure.WHPlatform)) {
			t.Errorf("%+v", r)
		}
	}
	// Windows Hello itself is not looked for by this version, so that nothing
	// stands on it yet.
	everyCheck(health.Judge(facts, noon), func(c contract.Check) {
		if c.Code == string(failure.WHRegistered) && c.State != contract.Unknown {
			t.Errorf("%+v", c)
		}
	})
}

func TestASecretOfAnAppIsReadyWhenItsFileIs(t *testing.T) {
	t.Parallel()
	facts := world()
	facts.Apps = []health.App{
		{Authenticator: contract.Authenticator{ID: "t", Kind: contract.TOTP, ObservedAt: noon}},
		{Authenticator: contract.Authenticator{ID: "u", Kind: contract.TOTP, ObservedAt: noon}, Trouble: "its mode is 0644: chmod 600 it"},
	}
	r := health.Judge(facts, noon)
	if c := r.Authenticators["t"]; len(c) != 1 || c[0].Code != string(failure.TOTPReady) || c[0].State != contract.Pass {
		t.Errorf("%+v", c)
	}
	if c := r.Authenticators["u"]; len(c) != 1 || c[0].State != contract.Fail || !strings.Contains(c[0].Evidence, "0644") || c[0].Remedy == "" {
		t.Errorf("%+v", c)
	}
}

func TestWhoseAnAuthenticatorIs(t *testing.T) {
	t.Parallel()
	users := []health.User{
		{UUID: map[string]string{"mock": ada, "int": ben}, Authenticators: []string{"k", "l"}},
		{UUID: map[string]string{"mock": ben}, Authenticators: []string{"l"}},
		{UUID: map[string]string{"mock": "656005750108"}},
	}
	proofs := []contract.Proof{shown("k", "mock", ada, contract.Refused, noon), shown("k", "prod", ada, contract.Proven, noon), shown("m", "int", ben, contract.Proven, noon)}
	want := map[string][]contract.Binding{
		"k": {
			{Target: "int", User: ben, By: "configuration"},
			{Target: "mock", User: ada, By: "configuration", Login: "refused"},
			{Target: "prod", User: ada, By: "login", Login: "proven"},
		},
		"l": {{Target: "int", User: ben, By: "configuration"}, {Target: "mock", User: ada, By: "configuration"}, {Target: "mock", User: ben, By: "configuration"}},
		"m": {{Target: "int", User: ben, By: "login", Login: "proven"}},
	}
	if got := health.Bindings(users, proofs); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
