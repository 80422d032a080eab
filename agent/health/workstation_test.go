package health_test

import (
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

// TestTheWorkstationIsJudgedByWhatWasSeenOfIt goes through the rules of NHS
// software and Windows Hello: each row changes one thing on a machine where all
// is well.
func TestTheWorkstationIsJudgedByWhatWasSeenOfIt(t *testing.T) {
	t.Parallel()
	type station = func(*health.Workstation)
	good := func(*health.Workstation) {}
	service := func(change func(*health.PortService)) station {
		return func(w *health.Workstation) { change(&w.Service.Is) }
	}
	manager := func(m health.Manager) station {
		return service(func(s *health.PortService) { s.Manager = m })
	}
	program := func(is health.Product, version string) health.Program {
		return health.Program{Is: is, Name: string(is), Version: version}
	}
	has := func(all ...health.Program) station {
		return func(w *health.Workstation) { w.Programs.Is = all }
	}
	agent := func(gateway string) station {
		return func(w *health.Workstation) {
			w.Programs.Is = []health.Program{program(health.IdentityAgent, "2.4.10.0")}
			w.Gateway.Is = gateway
		}
	}
	power := func(p health.Power) station { return func(w *health.Workstation) { w.Power.Is = p } }
	chip := func(c health.Chip) station { return func(w *health.Workstation) { w.Chip.Is = c } }
	rule := func(effect string) station {
		return func(w *health.Workstation) {
			w.Policies.Is = []health.Policy{{Browser: "Edge", Name: "SomeRule", Effect: effect}}
		}
	}
	said := func(all ...health.Session) station {
		return func(w *health.Workstation) { w.Sessions = all }
	}
	amy := health.Session{Who: "user amy", At: noon.Add(-time.Minute), API: 4, Available: true}
	without := health.Session{Who: "user ben", At: noon, API: 4}
	const why = "access is denied"
	tests := []struct {
		name   string
		change station
		code   failure.Code
		target string
		state  contract.CheckState
		says   string
	}{
		{"version of Windows", good, failure.OSSupport, "", contract.Pass, "Windows 10.0.22631"},
		{"Windows 7", func(w *health.Workstation) { w.Windows.Is = "6.1.7601" }, failure.OSSupport, "", contract.Warn, "older than Windows 10"},
		{"no version", func(w *health.Workstation) { w.Windows = health.Seen[string]{Unknown: why} }, failure.OSSupport, "", contract.Pass, "Windows"},

		{"by http and https", good, failure.NHSPortService, "", contract.Pass, "43487"},
		{"http only", service(func(s *health.PortService) { s.HTTPS = false }), failure.NHSPortService, "", contract.Warn, "http alone"},
		{"https only", service(func(s *health.PortService) { s.HTTP = false }), failure.NHSPortService, "", contract.Warn, "https alone"},
		{"nobody", service(func(s *health.PortService) { *s = health.PortService{} }), failure.NHSPortService, "", contract.Fail, "none of its ports"},
		{"somebody else", service(func(s *health.PortService) { *s = health.PortService{Strangers: []string{"44213"}} }), failure.NHSPortService, "", contract.Fail, "something else does on 44213"},
		{"service not seen", func(w *health.Workstation) { w.Service.Unknown = why }, failure.NHSPortService, "", contract.Unknown, why},

		{"Credential Management", good, failure.NHSCM, "", contract.Pass, "51234, and is version 4.1.0.0"},
		{"of no version", has(program(health.CredentialManagement, "")), failure.NHSCM, "", contract.Pass, "version unknown"},
		{"not in the list", has(), failure.NHSCM, "", contract.Pass, "51234"},
		{"an old one", has(program(health.CredentialManagement, "1.4.1.9")), failure.NHSCM, "", contract.Warn, "older than 1.4.2.0"},
		{"the oldest that is not", has(program(health.CredentialManagement, "1.4.2.0")), failure.NHSCM, "", contract.Pass, "1.4.2.0"},
		{"not in this session", manager(health.Manager{Fault: "PR30007"}), failure.NHSCM, "", contract.Fail, "PR30007"},
		{"a port that is shut", manager(health.Manager{Port: 51234}), failure.NHSCM, "", contract.Fail, "takes no connection"},
		{"nobody's session", manager(health.Manager{Unknown: "the daemon is a service"}), failure.NHSCM, "", contract.Unknown, "a service"},
		{"no Port Service", service(func(s *health.PortService) { *s = health.PortService{} }), failure.NHSCM, "", contract.Unknown, "waits for NHS_PORT_SERVICE"},

		{"one alone", good, failure.NHSClientConflict, "", contract.Pass, "nothing"},
		{"none", has(), failure.NHSClientConflict, "", contract.Pass, "no NHS smartcard program"},
		{"Identity Agent and version 1", has(program(health.IdentityAgent, "2.4.10.0"), program(health.CredentialManagement, "1.4.2.0")), failure.NHSClientConflict, "", contract.Pass, "nothing"},
		{"Identity Agent and version 3", has(program(health.IdentityAgent, "2.4.10.0"), program(health.CredentialManagement, "3.0.0.0")), failure.NHSClientConflict, "", contract.Fail, "together"},
		{"Identity Agent and Smartcard Connect", has(program(health.IdentityAgent, ""), program(health.SmartcardConnect, "")), failure.NHSClientConflict, "", contract.Fail, "together"},
		{"two copies", has(program(health.CredentialManagement, "3.1"), program(health.CredentialManagement, "4.1")), failure.NHSClientConflict, "", contract.Fail, "2 times"},
		{"a retired Identity Agent", has(program(health.IdentityAgent, "2.4.6.0")), failure.NHSClientConflict, "", contract.Fail, "2.4.10.0 are retired"},
		{"programs not seen", func(w *health.Workstation) { w.Programs.Unknown = why }, failure.NHSClientConflict, "", contract.Unknown, why},

		{"no Identity Agent", good, failure.NHSEnvReg, "int", contract.Pass, "not installed"},
		{"set to int", agent("gas.nis1.national.ncrs.nhs.uk"), failure.NHSEnvReg, "int", contract.Pass, "int"},
		{"set to int, for prod", agent("gas.nis1.national.ncrs.nhs.uk"), failure.NHSEnvReg, "prod", contract.Fail, "set to int"},
		{"set to live, for int", agent("gas.national.ncrs.nhs.uk"), failure.NHSEnvReg, "int", contract.Fail, "set to prod"},
		{"set to something new", agent("gas.new.national.ncrs.nhs.uk"), failure.NHSEnvReg, "int", contract.Unknown, "not known"},
		{"not found", agent(""), failure.NHSEnvReg, "int", contract.Unknown, "not found"},

		{"PIV driver", good, failure.MWPIV, "", contract.Pass, "PIV"},
		{"no PIV driver", func(w *health.Workstation) { w.PIVDriver.Is = false }, failure.MWPIV, "", contract.Fail, "none"},
		{"drivers not seen", func(w *health.Workstation) { w.PIVDriver.Unknown = why }, failure.MWPIV, "", contract.Unknown, why},
		{"Oberthur driver", good, failure.MWOberthur, "", contract.Pass, "driver"},
		{"Oberthur program", has(program(health.OberthurMiddleware, "5.3")), failure.MWOberthur, "", contract.Pass, "5.3"},
		{"no Oberthur", func(w *health.Workstation) { w.Oberthur.Is = false }, failure.MWOberthur, "", contract.Warn, "only series 8"},
		{"Oberthur not seen", func(w *health.Workstation) { w.Oberthur = health.Seen[bool]{Unknown: why} }, failure.MWOberthur, "", contract.Unknown, why},

		{"nobody has said", good, failure.WHPlatform, "", contract.Unknown, "run by you"},
		{"somebody has", said(amy), failure.WHPlatform, "", contract.Pass, "says user amy"},
		{"an old Windows", said(health.Session{Who: "user amy"}), failure.WHPlatform, "", contract.Fail, "no webauthn.dll, says user amy"},
		{"set up", said(amy), failure.WHEnrolled, "", contract.Pass, "user amy"},
		{"set up by one", said(without, amy), failure.WHEnrolled, "", contract.Pass, "user amy"},
		{"not set up", said(without), failure.WHEnrolled, "", contract.Fail, "not set up, says user ben"},
		{"over remote desktop", said(health.Session{Who: "user amy", API: 4, Remote: true}), failure.WHEnrolled, "", contract.Warn, "remote desktop"},
		{"nobody knows", good, failure.WHEnrolled, "", contract.Unknown, "waits for WH_PLATFORM"},

		{"TPM 2.0", good, failure.WHTPM, "", contract.Pass, "2.0"},
		{"TPM in software", chip(health.Chip{Version: 2, Emulated: true}), failure.WHTPM, "", contract.Pass, "virtual"},
		{"TPM 1.2", chip(health.Chip{Version: 1}), failure.WHTPM, "", contract.Fail, "1.2"},
		{"no TPM", chip(health.Chip{}), failure.WHTPM, "", contract.Fail, "no TPM"},
		{"TPM not seen", func(w *health.Workstation) { w.Chip.Unknown = why }, failure.WHTPM, "", contract.Unknown, why},

		{"mains", good, failure.WHBattery, "", contract.Pass, "mains"},
		{"20 %", power(health.Power{Percent: 20}), failure.WHBattery, "", contract.Pass, "20 %"},
		{"19 %", power(health.Power{Percent: 19}), failure.WHBattery, "", contract.Warn, "19 %"},
		{"19 %, on mains", power(health.Power{Percent: 19, Mains: true}), failure.WHBattery, "", contract.Pass, "mains"},
		{"saver", power(health.Power{Percent: 90, Saver: true}), failure.WHBattery, "", contract.Warn, "saver"},
		{"a battery that does not say", power(health.Power{Percent: -1}), failure.WHBattery, "", contract.Unknown, "does not say"},
		{"power not seen", func(w *health.Workstation) { w.Power.Unknown = why }, failure.WHBattery, "", contract.Unknown, why},

		{"own port", good, failure.PortClash, "", contract.Pass, "17823"},
		{"an NHS port", func(w *health.Workstation) { w.Port = health.Port{Own: "48853", NHS: true} }, failure.PortClash, "", contract.Fail, "48853"},
		{"a neighbour", func(w *health.Workstation) { w.Port.Neighbour.Is = true }, failure.PortClash, "", contract.Warn, "localhost"},
		{"port not seen", func(w *health.Workstation) { w.Port.Neighbour.Unknown = why }, failure.PortClash, "", contract.Unknown, why},

		{"no rules", good, failure.BrowserLNA, "", contract.Pass, "the user is asked"},
		{"cookies blocked", rule(health.BlocksCookies), failure.BrowserLNA, "", contract.Fail, "cookies of localhost are blocked: SomeRule of Edge"},
		{"all pages blocked", rule(health.BlocksAll), failure.BrowserLNA, "", contract.Fail, "no page"},
		{"some pages blocked", rule(health.BlocksSome), failure.BrowserLNA, "", contract.Warn, "some pages"},
		{"pages let", rule(health.Lets), failure.BrowserLNA, "", contract.Pass, "without being asked"},
		{"rules not seen", func(w *health.Workstation) { w.Policies.Unknown = why }, failure.BrowserLNA, "", contract.Unknown, why},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			facts := world()
			tt.change(facts.Workstation)
			var got contract.Check
			for _, c := range health.Judge(facts, noon).Machine {
				if c.Code == string(tt.code) && c.Target == tt.target {
					got = c
				}
			}
			if got.State != tt.state || !strings.Contains(got.Evidence, tt.says) {
				t.Errorf("%s is %s (%q), want %s with %q", tt.code, got.State, got.Evidence, tt.state, tt.says)
			}
		})
	}
}

// TestWhatExistsOnWindowsAloneFailsNowhereElse: it waits, and what it waits for
// says why.
func TestWhatExistsOnWindowsAloneFailsNowhereElse(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "darwin"} {
		for _, w := range []*health.Workstation{nil, goodWorkstation()} {
			facts := world()
			facts.OS, facts.Workstation = goos, w
			report := health.Judge(facts, noon)
			for _, code := range strings.Fields("NHS_PORT_SERVICE NHS_CM NHS_CLIENT_CONFLICT NHS_ENV_REG MW_PIV MW_OBERTHUR WH_TPM WH_BATTERY WH_ENROLLED") {
				if c := check(t, report.Machine, failure.Code(code)); c.State != contract.Unknown || c.Remedy != "" {
					t.Errorf("%s: %s is %s (%q)", goos, code, c.State, c.Evidence)
				}
			}
		}
	}
}

// TestIdentityAgentIsRemarkedOnWhenItsEndIsNear: the report says when that is.
func TestIdentityAgentIsRemarkedOnWhenItsEndIsNear(t *testing.T) {
	t.Parallel()
	facts := world()
	facts.Workstation.Programs.Is = []health.Program{{Is: health.IdentityAgent, Version: "2.4.10.0"}}
	facts.Targets = nil // a look at one goes stale before that
	before := health.Judge(facts, noon)
	if c := check(t, before.Machine, failure.NHSClientConflict); c.State != contract.Pass {
		t.Errorf("%+v", c)
	}
	if again := before.Again; again.IsZero() || again.After(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)) {
		t.Fatalf("it is judged anew at %v", again)
	}
	if c := check(t, health.Judge(facts, before.Again).Machine, failure.NHSClientConflict); c.State != contract.Warn {
		t.Errorf("then %+v", c)
	}
}
