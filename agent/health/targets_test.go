package health_test

import (
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

// TestATargetIsJudgedByWhatWasSeenOfIt goes through the table of domain 7.2:
// each row changes one thing of a target where all is well.
func TestATargetIsJudgedByWhatWasSeenOfIt(t *testing.T) {
	t.Parallel()
	look := func(change func(*health.Look)) func(*health.Target) {
		return func(t *health.Target) { change(t.Look) }
	}
	trouble := func(of health.Trouble, detail string) func(*health.Target) {
		return look(func(l *health.Look) { l.Trouble, l.Detail = of, detail })
	}
	found := func(issuer string) func(*health.Target) { return look(func(l *health.Look) { l.Issuer = issuer }) }
	offers := func(acrs ...string) func(*health.Target) { return look(func(l *health.Look) { l.ACRs = acrs }) }
	ahead := func(d time.Duration) func(*health.Target) { return look(func(l *health.Look) { l.Ahead = &d }) }
	hscn := func(why string) func(*health.Target) {
		return func(t *health.Target) { t.HSCN, t.Look.NoHSCN = "gas.test:443", why }
	}
	aged := func(by time.Duration, change ...func(*health.Target)) func(*health.Target) {
		return func(t *health.Target) {
			for _, c := range change {
				c(t)
			}
			t.Look.At = noon.Add(-by)
		}
	}
	never := func(t *health.Target) { t.Look = nil }
	nobodys := func(t *health.Target) { t.Issuer, t.Look = "", nil }
	const issuer, acr, net, clock = failure.NetIssuer, failure.NetACR, failure.NetHSCN, failure.ClockSkew
	tests := []struct {
		name   string
		change func(*health.Target)
		code   failure.Code
		state  contract.CheckState
		says   string
	}{
		{"all is well", func(*health.Target) {}, issuer, contract.Pass, "the issuer that it must have"},
		{"nobody looked", never, issuer, contract.Unknown, "nobody has looked yet"},
		{"nobody said which issuer", nobodys, issuer, contract.Unknown, "[[target]]"},
		{"no name", trouble(health.TroubleName, "am.test"), issuer, contract.Fail, "its name is not found in the DNS: am.test"},
		{"TLS 1.1", trouble(health.TroubleTLS, ""), issuer, contract.Fail, "no TLS 1.2"},
		{"expired", trouble(health.TroubleCertificate, "it has expired"), issuer, contract.Fail, "not to be trusted: it has expired"},
		{"a page", trouble(health.TroublePage, "status 200"), issuer, contract.Fail, "perhaps of a proxy"},
		{"a trouble of a later version", trouble("new", ""), issuer, contract.Fail, "no connection"},
		{"no port", found("https://int.test/openam"), issuer, contract.Fail, "the port :443 is missing"},
		{"one octet", found("https://int.test:443/opename"), issuer, contract.Fail, "differs from octet 27 on"},
		{"no issuer", found(""), issuer, contract.Fail, "it is missing"},
		{"slow", look(func(l *health.Look) { l.Took = 4 * time.Second }), issuer, contract.Warn, "takes more than 3 s"},
		{"an hour old", aged(time.Hour), issuer, contract.Pass, ""},
		{"more than an hour old", aged(2 * time.Hour), issuer, contract.Warn, "more than an hour ago"},
		// What failed long ago is no reason not to be ready now.
		{"failed an hour ago", aged(2*time.Hour, trouble(health.TroubleName, "")), issuer, contract.Unknown, "more than an hour ago: its name"},

		{"both levels", func(*health.Target) {}, acr, contract.Pass, "AAL3_ANY and AAL2_OR_AAL3_ANY"},
		{"no list", offers(), acr, contract.Warn, "no acr_values_supported"},
		{"an empty list", look(func(l *health.Look) { l.ACRs = []string{} }), acr, contract.Fail, "does not offer AAL3_ANY"},
		{"AAL2 only", offers("AAL2_OR_AAL3_ANY"), acr, contract.Fail, "does not offer AAL3_ANY"},
		{"AAL3 only", offers("AAL3_ANY"), acr, contract.Warn, "no AAL2_OR_AAL3_ANY"},
		{"waits for the issuer", trouble(health.TroubleName, ""), acr, contract.Unknown, "waits for NET_ISSUER"},

		{"none configured", func(*health.Target) {}, net, contract.Unknown, "no `hscn` is configured"},
		{"reached", hscn(""), net, contract.Pass, "gas.test:443 takes connections"},
		{"not reached", hscn("connection refused"), net, contract.Fail, "cannot be reached: connection refused"},
		{"not reached long ago", aged(2*time.Hour, hscn("x")), net, contract.Unknown, "more than an hour ago"},
		{"reached, while the issuer is not", func(t *health.Target) { hscn("")(t); trouble(health.TroubleName, "")(t) }, net, contract.Pass, ""},

		{"the same", func(*health.Target) {}, clock, contract.Pass, "goes with"},
		{"4 s", ahead(4 * time.Second), clock, contract.Pass, ""},
		{"5 s", ahead(5 * time.Second), clock, contract.Warn, "is 5 s behind"},
		{"60 s the other way", ahead(-time.Minute), clock, contract.Warn, "is 60 s ahead of"},
		{"61 s", ahead(61 * time.Second), clock, contract.Fail, "is 61 s behind"},
		{"not told", look(func(l *health.Look) { l.Ahead = nil }), clock, contract.Unknown, "does not tell the time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := goodTarget("int")
			tt.change(&target)
			facts := world()
			facts.Targets = []health.Target{goodTarget("prod"), target}
			checks := health.Judge(facts, noon).Machine
			for i, c := range checks {
				if c.Target == "prod" && c.State == contract.Fail {
					t.Errorf("what is wrong with int fails %s for prod", c.Code)
				}
				if c.Target != "int" {
					checks[i].Code = "" // looked up by code
				}
			}
			c := check(t, checks, tt.code)
			if c.State != tt.state || !strings.Contains(c.Evidence, tt.says) {
				t.Errorf("%s is %s (%q), want %s with %q", tt.code, c.State, c.Evidence, tt.state, tt.says)
			}
			if alone := check(t, health.JudgeTarget(target, noon), tt.code); alone != c && !c.ObservedAt.IsZero() {
				t.Errorf("judged alone it is %+v", alone)
			}
		})
	}
}

// TestALookGoesStaleWhenTheReportSaysSo: nothing happens, and what is known
// changes.
func TestALookGoesStaleWhenTheReportSaysSo(t *testing.T) {
	t.Parallel()
	facts := health.Facts{Targets: []health.Target{goodTarget("int")}}
	state := func(now time.Time) contract.CheckState {
		return check(t, health.Judge(facts, now).Machine, failure.NetIssuer).State
	}
	turns := health.Judge(facts, noon).Again
	if turns.Sub(noon) < time.Hour || turns.Sub(noon) > time.Hour+5*time.Minute {
		t.Fatalf("it is to be judged again at %s", turns)
	}
	if state(turns.Add(-time.Second)) != contract.Pass || state(turns) != contract.Warn {
		t.Errorf("it is %s and then %s", state(turns.Add(-time.Second)), state(turns))
	}
	if again := health.Judge(facts, turns).Again; !again.IsZero() {
		t.Errorf("and to be judged again at %s, for nothing", again)
	}
}
