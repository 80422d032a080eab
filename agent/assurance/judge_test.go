package assurance_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/assurance"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

// TestVerdicts tells what a person gets to hear.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	bothVirtual := with(machine("linux"), []string{"vc"}, []string{"vk"}, contract.Virtual)
	ask := func(target string, kind contract.Kind) contract.Question {
		return contract.Question{AAL: 3, Target: target, Kind: kind}
	}
	change := func(f health.Facts, do ...func(*health.Facts)) *contract.Snapshot {
		for _, d := range do {
			d(&f)
		}
		return snapshot(f)
	}
	nhsCard := with(machine("windows"), []string{"c"}, nil, contract.Physical)
	service := func(s health.PortService) func(*health.Facts) {
		return func(f *health.Facts) {
			f.Workstation = goodWorkstation()
			f.Workstation.Service.Is = s
		}
	}
	physicalKey := with(machine("linux"), nil, []string{"k"}, contract.Physical)
	appOf := func(user string) func(*health.Facts) {
		return func(f *health.Facts) {
			f.Apps, f.Users = append(f.Apps, app("t", contract.Virtual)), append(f.Users, bound("t", user)...)
		}
	}
	shown := func(id, target, user string, outcome contract.ProofOutcome) contract.Proof {
		return contract.Proof{Authenticator: id, Kind: contract.SecurityKey, Target: target, User: user, Outcome: outcome, At: noon, Login: "login-1"}
	}
	helloAt := func(origin contract.Origin, proven bool) *contract.Snapshot {
		f := machine("windows")
		f.Workstation.Sessions = []health.Session{{Who: "user 1", At: noon, API: 4, Available: true}}
		if proven {
			p := shown("h", "int", amy, contract.Proven)
			p.Kind = contract.Platform
			f.Proofs = []contract.Proof{p}
		}
		s := snapshot(f)
		s.Authenticators = append(s.Authenticators, contract.Authenticator{
			ID: "h", Name: "Windows Hello h", Kind: contract.Platform, Origin: origin, Condition: contract.Ready, ReadAt: noon, ObservedAt: noon,
			Users: health.Bindings(f.Users, f.Proofs)["h"],
		})
		return s
	}
	tests := []struct {
		name     string
		snapshot *contract.Snapshot
		question contract.Question
		outcome  contract.Outcome
		decides  string       // authenticator
		code     failure.Code // among the reasons
		summary  string
	}{
		{
			"the embedded default at the mock", snapshot(bothVirtual), ask("mock", ""),
			contract.VerdictReady, "vc", "", "Ready for AAL3 at mock with card vc (virtual smartcard).",
		},
		{
			"the embedded default at the mock, by key", snapshot(bothVirtual), ask("mock", contract.SecurityKey),
			contract.VerdictReady, "vk", "", "Ready for AAL3 at mock with key vk (virtual security key).",
		},
		{
			"the embedded default at int", snapshot(bothVirtual), ask("int", ""),
			contract.VerdictNotReady, "", failure.VirtualNotCounted,
			"Not ready for AAL3 at int: only virtual authenticators are here, and they never count for a real target.",
		},
		{
			"AAL2 is met by what reaches AAL3", snapshot(bothVirtual),
			contract.Question{AAL: 2, Target: "mock"},
			contract.VerdictReady, "vc", "", "Ready for AAL2 at mock with card vc (virtual smartcard).",
		},
		{
			"nothing at all", snapshot(machine("linux")), ask("mock", contract.Smartcard),
			contract.VerdictNotReady, "", failure.NoAuthenticator, "Not ready for AAL3 at mock: no smartcard is here.",
		},
		{
			"at the very start", change(machine("linux"), func(f *health.Facts) { f.Sources[2].State = "starting" }), ask("mock", ""),
			contract.VerdictUnproven, "", failure.NotRead, "Not known for AAL3 at mock: the source virtual-pcsc has not looked yet.",
		},
		{
			"the start of the virtual source is no matter at int", change(machine("linux"), func(f *health.Facts) { f.Sources[2].State = "starting" }), ask("int", contract.Smartcard),
			contract.VerdictNotReady, "", failure.NoAuthenticator, "Not ready for AAL3 at int: no smartcard is here.",
		},
		{
			"a card that is being read", change(bothVirtual, func(f *health.Facts) {
				f.Readers = slices.Clone(f.Readers)
				f.Cards, f.Readers[0].Condition, f.Readers[0].Card = nil, contract.Present, ""
			}), ask("mock", contract.Smartcard),
			contract.VerdictUnproven, "", failure.NotRead, "Not known for AAL3 at mock: the card in Reader vc was not read yet.",
		},
		{
			"a mute card", change(bothVirtual, func(f *health.Facts) {
				f.Readers = slices.Clone(f.Readers)
				f.Cards, f.Readers[0].Condition, f.Readers[0].Card = nil, contract.Mute, ""
			}), ask("mock", contract.Smartcard),
			contract.VerdictNotReady, "", failure.CardMute, "",
		},
		{
			"the service is down", change(machine("linux"), func(f *health.Facts) { f.Sources[0].State = "down" }), ask("int", contract.Smartcard),
			contract.VerdictNotReady, "", failure.PCSCService, "",
		},
		{
			"a blocked virtual card", change(with(machine("linux"), []string{"vc"}, nil, contract.Virtual), func(f *health.Facts) {
				f.Cards[0].PIN = contract.PIN{State: "blocked"}
			}), ask("mock", ""),
			contract.VerdictNotReady, "vc", failure.PINRetries,
			"Not ready for AAL3 at mock with card vc (virtual smartcard): no tries are left: the passcode is blocked.",
		},
		{
			"a card that was left unlocked", change(with(machine("linux"), []string{"vc"}, nil, contract.Virtual), func(f *health.Facts) {
				f.Cards[0].PIN = contract.PIN{State: "verified"}
			}), ask("mock", ""),
			contract.VerdictUnproven, "vc", failure.PINTriesUnknown, "",
		},
		{
			"an expired card beside a good key", change(with(machine("linux"), []string{"vc"}, []string{"vk"}, contract.Virtual), func(f *health.Facts) {
				f.Cards[0].Certificates[0].NotAfter = noon.AddDate(0, 0, -1)
			}), ask("mock", ""),
			contract.VerdictReady, "vk", "", "Ready for AAL3 at mock with key vk (virtual security key).",
		},
		{
			"two cards at the mock", snapshot(with(machine("linux"), []string{"a", "b"}, nil, contract.Physical)), ask("mock", ""),
			contract.VerdictReady, "a", "", "Ready for AAL3 at mock with card a (physical smartcard).",
		},
		{
			"a live card at the mock", change(with(machine("linux"), []string{"vc"}, nil, contract.Virtual), func(f *health.Facts) { f.Cards[0].Environment = "live" }), ask("mock", ""),
			contract.VerdictReady, "vc", "", "",
		},
		{
			"somebody's own key is no choice for the mock", snapshot(with(with(machine("linux"), nil, []string{"aa"}, contract.Physical), nil, []string{"zz"}, contract.Virtual)), ask("mock", ""),
			contract.VerdictReady, "zz", "", "",
		},
		{
			"a broken virtual key does not bring somebody's own into play",
			change(with(with(machine("linux"), nil, []string{"aa"}, contract.Physical), nil, []string{"zz"}, contract.Virtual), func(f *health.Facts) {
				f.Keys[1].PIN = contract.PIN{State: "blocked"}
			}), ask("mock", ""),
			contract.VerdictNotReady, "zz", failure.KeyPINRetries, "",
		},
		{
			"a physical key at the mock", snapshot(with(machine("linux"), nil, []string{"k"}, contract.Physical)), ask("mock", ""),
			contract.VerdictReady, "k", "", "Ready for AAL3 at mock with key k (physical security key).",
		},
		{
			"a physical key at int", snapshot(with(machine("linux"), nil, []string{"k"}, contract.Physical)), ask("int", ""),
			contract.VerdictUnproven, "k", failure.KeyRegistered,
			"Not proven for AAL3 at int with key k (physical security key): no login with this key at int is on record; one would settle it.",
		},
		{
			"a physical key at int, all found out", settled(snapshot(with(machine("linux"), nil, []string{"k"}, contract.Physical))), ask("int", ""),
			contract.VerdictReady, "k", "", "Ready for AAL3 at int with key k (physical security key).",
		},
		{
			"a smartcard on Linux", settled(snapshot(with(machine("linux"), []string{"c"}, nil, contract.Physical))), ask("int", ""),
			contract.VerdictNotReady, "c", failure.OSSupport, "",
		},
		{
			"a smartcard on macOS", settled(snapshot(with(machine("darwin"), []string{"c"}, nil, contract.Physical))), ask("prod", ""),
			contract.VerdictNotReady, "c", failure.OSSupport, "",
		},
		{
			"a smartcard on Windows before anybody has looked at its software", change(nhsCard, func(f *health.Facts) { f.Workstation = nil }), ask("int", ""),
			contract.VerdictUnproven, "c", failure.NHSPortService,
			"Not proven for AAL3 at int with card c (physical smartcard): nobody has looked at the software of this machine yet.",
		},
		{
			"a smartcard without NHS Port Service", change(nhsCard, service(health.PortService{})), ask("int", ""),
			contract.VerdictNotReady, "c", failure.NHSPortService,
			"Not ready for AAL3 at int with card c (physical smartcard): NHS Port Service answers on none of its ports.",
		},
		{
			"a smartcard without Credential Management", change(nhsCard, service(health.PortService{Port: "43487", HTTP: true, Manager: health.Manager{Fault: "PR30007"}})), ask("int", ""),
			contract.VerdictNotReady, "c", failure.NHSCM,
			"Not ready for AAL3 at int with card c (physical smartcard): NHS Port Service says that no NHS Credential Management runs in this Windows session: PR30007.",
		},
		{
			"a smartcard at the mock misses no NHS software", change(nhsCard, func(f *health.Facts) { f.OS, f.Workstation = "linux", nil }), ask("mock", contract.Smartcard),
			contract.VerdictReady, "c", "", "",
		},
		{
			"a security key misses no NHS software", looked(change(with(machine("windows"), nil, []string{"k"}, contract.Physical), func(f *health.Facts) {
				service(health.PortService{})(f)
				f.Proofs = []contract.Proof{shown("k", "int", amy, contract.Proven)}
			})), ask("int", ""),
			contract.VerdictReady, "k", "", "",
		},
		{
			"a smartcard on Windows", settled(snapshot(with(machine("windows"), []string{"c"}, nil, contract.Physical))), ask("int", ""),
			contract.VerdictReady, "c", "", "Ready for AAL3 at int with card c (physical smartcard).",
		},
		{
			"two cards at int", settled(snapshot(with(machine("windows"), []string{"a", "b"}, nil, contract.Physical))), ask("int", ""),
			contract.VerdictNotReady, "a", failure.CardSingle, "",
		},
		{
			"a virtual card beside is not counted", settled(snapshot(with(with(machine("windows"), []string{"c"}, nil, contract.Physical), []string{"v"}, nil, contract.Virtual))), ask("int", ""),
			contract.VerdictReady, "c", "", "",
		},
		{
			"a test card at live", settled(snapshot(with(machine("windows"), []string{"c"}, nil, contract.Physical))), ask("prod", ""),
			contract.VerdictNotReady, "c", failure.CertIssuerEnv, "",
		},
		{
			"a live card at int", settled(change(with(machine("windows"), []string{"c"}, nil, contract.Physical), func(f *health.Facts) { f.Cards[0].Environment = "live" })), ask("int", ""),
			contract.VerdictNotReady, "c", failure.CertIssuerEnv, "",
		},
		{
			"a card of an unknown issuer at int", settled(change(with(machine("windows"), []string{"c"}, nil, contract.Physical), func(f *health.Facts) { f.Cards[0].Environment = "unknown" })), ask("int", ""),
			contract.VerdictUnproven, "c", failure.CertIssuerEnv, "",
		},
		{
			"a card at a target of the configuration", settled(snapshot(with(machine("windows"), []string{"c"}, nil, contract.Physical))), ask("ours", ""),
			contract.VerdictUnproven, "c", failure.CertIssuerEnv, "",
		},
		{
			"the right user", snapshot(bothVirtual),
			contract.Question{AAL: 3, Target: "mock", Kind: contract.Smartcard, User: amy},
			contract.VerdictReady, "vc", "", "",
		},
		{
			"another user", snapshot(bothVirtual),
			contract.Question{AAL: 3, Target: "mock", Kind: contract.Smartcard, User: rory},
			contract.VerdictNotReady, "vc", failure.CertUUID, "",
		},
		{
			"one of two cards is the user's", change(with(machine("linux"), []string{"a", "b"}, nil, contract.Virtual), func(f *health.Facts) { f.Cards[1].User = rory }),
			contract.Question{AAL: 3, Target: "mock", Kind: contract.Smartcard, User: rory},
			contract.VerdictReady, "b", "", "",
		},
		{
			"a user whom no card here belongs to, and a key", snapshot(bothVirtual),
			contract.Question{AAL: 3, Target: "mock", User: rory},
			contract.VerdictUnproven, "vk", failure.AuthenticatorUser,
			"Not proven for AAL3 at mock with key vk (virtual security key): whose this security key is cannot be read from it, and neither the configuration nor a login says it; a login as this user would settle it.",
		},
		{
			"the user's card beside a key", snapshot(bothVirtual),
			contract.Question{AAL: 3, Target: "mock", User: amy},
			contract.VerdictReady, "vc", "", "",
		},
		{
			"the user's blocked card is named before a good key", change(bothVirtual, func(f *health.Facts) {
				f.Cards = slices.Clone(f.Cards)
				f.Cards[0].PIN = contract.PIN{State: "blocked"}
			}),
			contract.Question{AAL: 3, Target: "mock", User: amy},
			contract.VerdictNotReady, "vc", failure.PINRetries, "",
		},
		{
			"only a key, and a user", snapshot(with(machine("linux"), nil, []string{"k"}, contract.Physical)),
			contract.Question{AAL: 2, Target: "mock", User: amy},
			contract.VerdictUnproven, "k", failure.AuthenticatorUser, "",
		},
		{
			"a key at int, all found out but whose it is", settled(snapshot(with(machine("linux"), nil, []string{"k"}, contract.Physical))),
			contract.Question{AAL: 3, Target: "int", User: amy},
			contract.VerdictUnproven, "k", failure.AuthenticatorUser, "",
		},
		{
			"a key that the configuration says is the user's", change(bothVirtual, func(f *health.Facts) { f.Users = bound("vk", amy, rory) }),
			contract.Question{AAL: 3, Target: "mock", User: rory},
			contract.VerdictReady, "vk", "", "",
		},
		{
			"a key that the configuration says is another's", change(bothVirtual, func(f *health.Facts) { f.Users = bound("vk", rory) }),
			contract.Question{AAL: 3, Target: "mock", Kind: contract.SecurityKey, User: amy},
			contract.VerdictNotReady, "vk", failure.AuthenticatorUser, "",
		},
		{
			"a key that is the user's at another target", change(bothVirtual, func(f *health.Facts) {
				f.Users = []health.User{{UUID: map[string]string{"int": amy}, Authenticators: []string{"vk"}}}
			}),
			contract.Question{AAL: 3, Target: "mock", Kind: contract.SecurityKey, User: amy},
			contract.VerdictUnproven, "vk", failure.AuthenticatorUser, "",
		},
		{
			"a key as this user by a login", change(bothVirtual, func(f *health.Facts) { f.Proofs = []contract.Proof{shown("vk", "mock", amy, contract.Proven)} }),
			contract.Question{AAL: 3, Target: "mock", Kind: contract.SecurityKey, User: amy},
			contract.VerdictReady, "vk", "", "",
		},
		{
			"a key as another user by a login", change(bothVirtual, func(f *health.Facts) { f.Proofs = []contract.Proof{shown("vk", "mock", rory, contract.Proven)} }),
			contract.Question{AAL: 3, Target: "mock", Kind: contract.SecurityKey, User: amy},
			contract.VerdictUnproven, "vk", failure.AuthenticatorUser, "",
		},
		{
			"a key that was refused as this user", change(bothVirtual, func(f *health.Facts) {
				f.Users = bound("vk", amy)
				f.Proofs = []contract.Proof{shown("vk", "mock", amy, contract.Refused)}
			}),
			contract.Question{AAL: 3, Target: "mock", Kind: contract.SecurityKey, User: amy},
			contract.VerdictNotReady, "vk", failure.AuthenticatorUser,
			"Not ready for AAL3 at mock with key vk (virtual security key): the last login with the security key as the user who was asked for was refused.",
		},
		{
			"a key that a login proved at int", looked(change(physicalKey, func(f *health.Facts) { f.Proofs = []contract.Proof{shown("k", "int", amy, contract.Proven)} })),
			contract.Question{AAL: 3, Target: "int", User: amy},
			contract.VerdictReady, "k", "", "",
		},
		{
			"what was proved at int, at prod", looked(change(physicalKey, func(f *health.Facts) { f.Proofs = []contract.Proof{shown("k", "int", amy, contract.Proven)} })),
			ask("prod", ""),
			contract.VerdictUnproven, "k", failure.KeyRegistered, "",
		},
		{
			"a key that int refused", looked(change(physicalKey, func(f *health.Facts) { f.Proofs = []contract.Proof{shown("k", "int", amy, contract.Refused)} })),
			ask("int", ""),
			contract.VerdictNotReady, "k", failure.KeyRegistered,
			"Not ready for AAL3 at int with key k (physical security key): the last login with this key at int was refused: login-1.",
		},
		{
			"Windows Hello for a user, all found out", settled(snapshot(machine("windows"))),
			contract.Question{AAL: 3, Target: "int", Kind: contract.Platform, User: amy},
			contract.VerdictUnproven, "", failure.AuthenticatorUser, "",
		},
		{
			"a key that knows only U2F", change(with(machine("linux"), nil, []string{"k"}, contract.Virtual), func(f *health.Facts) { f.Keys[0].Info.FIDO2 = false }), ask("mock", ""),
			contract.VerdictNotReady, "k", failure.KeyFIDO2,
			"Not ready for AAL3 at mock with key k (virtual security key): the key lists no version of FIDO2, only the older U2F.",
		},
		{
			"Windows Hello that a login proved at int", helloAt(contract.Physical, true),
			contract.Question{AAL: 3, Target: "int", Kind: contract.Platform, User: amy},
			contract.VerdictReady, "h", "", "Ready for AAL3 at int with Windows Hello h (physical Windows Hello).",
		},
		{
			"Windows Hello that no login proved", helloAt(contract.Physical, false), ask("int", contract.Platform),
			contract.VerdictUnproven, "h", failure.WHRegistered, "",
		},
		{
			"Windows Hello of a virtual machine at int", helloAt(contract.Virtual, true), ask("int", contract.Platform),
			contract.VerdictUnproven, "", failure.VirtualNotCounted, "",
		},
		{
			"Windows Hello of a virtual machine at the mock", helloAt(contract.Virtual, false), ask("mock", contract.Platform),
			contract.VerdictReady, "h", "", "",
		},
		{
			"Windows Hello on Linux", snapshot(machine("linux")), ask("int", contract.Platform),
			contract.VerdictNotReady, "", failure.WHPlatform, "Not ready for AAL3 at int: Linux has no Windows Hello.",
		},
		{
			"Windows Hello on Windows", snapshot(machine("windows")), ask("int", contract.Platform),
			contract.VerdictUnproven, "", failure.WHPlatform, "",
		},
		{
			"an authenticator app for AAL3", settled(snapshot(machine("linux"))), ask("mock", contract.TOTP),
			contract.VerdictNotReady, "", failure.LevelNotReached, "",
		},
		{
			"no authenticator app for AAL2", snapshot(machine("linux")),
			contract.Question{AAL: 2, Target: "mock", Kind: contract.TOTP},
			contract.VerdictNotReady, "", failure.TOTPReady, "",
		},
		{
			"an authenticator app that nobody sees", settled(snapshot(machine("linux"))),
			contract.Question{AAL: 2, Target: "int", Kind: contract.TOTP},
			contract.VerdictUnproven, "", failure.TOTPReady, "",
		},
		{
			"an authenticator app for AAL2", change(machine("linux"), appOf(amy)),
			contract.Question{AAL: 2, Target: "mock", User: amy},
			contract.VerdictReady, "t", "", "Ready for AAL2 at mock with app t (virtual authenticator app).",
		},
		{
			"an authenticator app of another for AAL2", change(machine("linux"), appOf(rory)),
			contract.Question{AAL: 2, Target: "mock", User: amy},
			contract.VerdictNotReady, "t", failure.AuthenticatorUser, "",
		},
		{
			"an authenticator app alone for AAL3", change(machine("linux"), appOf(amy)), ask("mock", ""),
			contract.VerdictNotReady, "t", failure.LevelNotReached, "",
		},
		{
			"an authenticator app whose file others can read", change(machine("linux"), appOf(amy), func(f *health.Facts) { f.Apps[0].Trouble = "its mode is 0644" }),
			contract.Question{AAL: 2, Target: "mock"},
			contract.VerdictNotReady, "t", failure.TOTPReady, "Not ready for AAL2 at mock with app t (virtual authenticator app): its secret cannot be read: its mode is 0644.",
		},
		{
			"a secret in a file at int", settled(change(machine("linux"), appOf(amy))),
			contract.Question{AAL: 2, Target: "int", User: amy},
			contract.VerdictNotReady, "", failure.VirtualNotCounted, "",
		},
		{
			"a key is taken before an app", change(bothVirtual, appOf(amy)),
			contract.Question{AAL: 2, Target: "mock"},
			contract.VerdictReady, "vc", "", "",
		},
		{
			"a level that does not exist", snapshot(bothVirtual),
			contract.Question{AAL: 4, Target: "mock"},
			contract.VerdictNotReady, "vc", failure.LevelNotReached, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := assurance.Judge(tt.snapshot, tt.question)
			if v.Outcome != tt.outcome || v.Authenticator != tt.decides {
				t.Errorf("%s by %q, want %s by %q; %s", v.Outcome, v.Authenticator, tt.outcome, tt.decides, v.Summary)
			}
			if tt.summary != "" && v.Summary != tt.summary {
				t.Errorf("it says\n%q, want\n%q", v.Summary, tt.summary)
			}
			if tt.code == "" {
				return
			}
			reasons := slices.Clone(v.Checks)
			if len(v.Candidates) > 0 && v.Candidates[0].Authenticator == v.Authenticator {
				reasons = append(reasons, v.Candidates[0].Checks...)
			}
			i := slices.IndexFunc(reasons, func(c contract.Check) bool { return c.Code == string(tt.code) })
			if i < 0 || reasons[i].State == contract.Pass || reasons[i].Remedy == "" {
				t.Errorf("%s with its remedy is not among the reasons: %+v", tt.code, reasons)
			}
		})
	}
}

// TestVirtualNeverCountsForARealTarget is rule 4: whatever the snapshot.
func TestVirtualNeverCountsForARealTarget(t *testing.T) {
	t.Parallel()
	ready := 0
	for seed := range uint64(6000) {
		r := rand.New(rand.NewPCG(seed, 2))
		s, q := anything(r), anyQuestion(r)
		if q.Target == assurance.Mock {
			q.Target = "int"
		}
		if r.IntN(2) == 0 {
			settled(s)
		}
		v := assurance.Judge(s, q)
		if v.Authenticator != "" {
			i := slices.IndexFunc(s.Authenticators, func(a contract.Authenticator) bool { return a.ID == v.Authenticator })
			if s.Authenticators[i].Origin != contract.Physical || v.Origin != contract.Physical {
				t.Fatalf("seed %d: the verdict rests on an authenticator of origin %q", seed, s.Authenticators[i].Origin)
			}
		}
		if v.Outcome == contract.VerdictReady && v.Authenticator != "" {
			ready++
		}
		for _, c := range v.Candidates {
			if c.Origin == contract.Physical {
				continue
			}
			if c.Outcome != contract.VerdictNotReady || len(c.Checks) != 1 || c.Checks[0].Code != string(failure.VirtualNotCounted) {
				t.Fatalf("seed %d: a virtual candidate is %s with %+v", seed, c.Outcome, c.Checks)
			}
		}
		// Without its virtual authenticators the machine gets the same verdict.
		real := *s
		real.Authenticators = slices.DeleteFunc(slices.Clone(s.Authenticators), func(a contract.Authenticator) bool { return a.Origin != contract.Physical })
		if w := assurance.Judge(&real, q); w.Outcome != v.Outcome || w.Authenticator != v.Authenticator {
			t.Fatalf("seed %d: virtual authenticators turn %s into %s", seed, w.Outcome, v.Outcome)
		}
	}
	if ready < 10 {
		t.Errorf("only %d of the verdicts were ready: this test proves little", ready)
	}
}

func rank(o contract.Outcome) int {
	return slices.Index([]contract.Outcome{contract.VerdictReady, contract.VerdictUnproven, contract.VerdictNotReady}, o)
}

// TestAFailingCheckNeverImprovesAVerdict: nor does one that turns from pass to
// anything else.
func TestAFailingCheckNeverImprovesAVerdict(t *testing.T) {
	t.Parallel()
	worse := 0
	for seed := range uint64(6000) {
		r := rand.New(rand.NewPCG(seed, 3))
		s, q := anything(r), anyQuestion(r)
		before := assurance.Judge(s, q)
		list := &s.Checks
		if n := len(s.Authenticators); n > 0 && r.IntN(3) > 0 {
			list = &s.Authenticators[r.IntN(n)].Checks
		}
		if len(*list) == 0 {
			continue
		}
		i := r.IntN(len(*list))
		if c := (*list)[i]; c.State == contract.Pass || c.State == contract.Warn {
			to := one(r, contract.Fail, contract.Unknown)
			if c.Code == string(failure.CertIssuerEnv) {
				to = contract.Fail // from pass a target makes its own finding, which may be worse than unknown
			}
			(*list)[i] = health.Check(failure.Code(c.Code), to, "broken", noon)
			(*list)[i].Target = c.Target
		} else {
			*list = append(*list, health.Check(one(r, failure.PINRetries, failure.KeyPINSet, failure.OSSupport, failure.NetIssuer, failure.CardMute), contract.Fail, "broken", noon))
		}
		after := assurance.Judge(s, q)
		if rank(after.Outcome) < rank(before.Outcome) {
			t.Fatalf("seed %d: a failing check made %s of %s (%+v)", seed, after.Outcome, before.Outcome, q)
		}
		if rank(after.Outcome) > rank(before.Outcome) {
			worse++
		}
	}
	if worse < 50 {
		t.Errorf("only %d verdicts got worse: this test proves little", worse)
	}
}

func TestAVerdictSaysWhatItRestsOn(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6000) {
		r := rand.New(rand.NewPCG(seed, 4))
		s, q := anything(r), anyQuestion(r)
		v := assurance.Judge(s, q)
		switch {
		case rank(v.Outcome) < 0:
			t.Fatalf("seed %d: outcome %q", seed, v.Outcome)
		case v.Question != q || v.SnapshotID != s.ID || !v.ObservedAt.Equal(s.ObservedAt):
			t.Fatalf("seed %d: the verdict does not say on what it rests", seed)
		case v.Checks == nil || v.Candidates == nil:
			t.Fatalf("seed %d: a list is null", seed)
		case !strings.HasSuffix(v.Summary, ".") || strings.Contains(v.Summary, ": : ") || strings.HasSuffix(v.Summary, ": ."):
			t.Fatalf("seed %d: summary %q", seed, v.Summary)
		case strings.HasPrefix(v.Summary, "Ready ") != (v.Outcome == contract.VerdictReady):
			t.Fatalf("seed %d: %s, and %q", seed, v.Outcome, v.Summary)
		}
		if v.Outcome == contract.VerdictReady && q.Kind != contract.Platform && q.Kind != contract.TOTP && v.Authenticator == "" {
			t.Fatalf("seed %d: ready with nothing", seed)
		}
		reasons := slices.Clone(v.Checks)
		if v.Authenticator != "" {
			if v.Candidates[0].Authenticator != v.Authenticator || v.Candidates[0].Outcome != v.Outcome {
				t.Fatalf("seed %d: the first candidate did not decide", seed)
			}
			reasons = append(reasons, v.Candidates[0].Checks...)
		}
		broken := slices.ContainsFunc(reasons, func(c contract.Check) bool { return c.State == contract.Fail })
		if broken != (v.Outcome == contract.VerdictNotReady) && v.Authenticator != "" {
			t.Fatalf("seed %d: %s, and a failing check is there: %v", seed, v.Outcome, broken)
		}
		for _, c := range v.Candidates {
			if !slices.IsSortedFunc(c.Checks, func(a, b contract.Check) int { return severity(a.State) - severity(b.State) }) {
				t.Fatalf("seed %d: failures do not come first", seed)
			}
		}
	}
}

func severity(s contract.CheckState) int {
	return slices.Index([]contract.CheckState{contract.Fail, contract.Unknown, contract.Warn, contract.Pass}, s)
}

// TestTheOrderOfTheSnapshotDecidesNothing: equal states, equal verdicts.
func TestTheOrderOfTheSnapshotDecidesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 5))
		s, q := anything(r), anyQuestion(r)
		a := assurance.Judge(s, q)
		shuffled := *s
		shuffled.Authenticators = slices.Clone(s.Authenticators)
		r.Shuffle(len(shuffled.Authenticators), func(i, j int) {
			shuffled.Authenticators[i], shuffled.Authenticators[j] = shuffled.Authenticators[j], shuffled.Authenticators[i]
		})
		if b := assurance.Judge(&shuffled, q); !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: the order of the authenticators changes the verdict", seed)
		}
	}
}

func TestJudgingChangesNoSnapshot(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		s := anything(rand.New(rand.NewPCG(seed, 6)))
		r := rand.New(rand.NewPCG(seed, 7))
		for range 3 {
			assurance.Judge(s, anyQuestion(r))
		}
		if !reflect.DeepEqual(s, anything(rand.New(rand.NewPCG(seed, 6)))) {
			t.Fatalf("seed %d: the snapshot was changed", seed)
		}
	}
}

// TestNoVerdictSaysWhoTheUserIs: the person who asks may not know.
func TestNoVerdictSaysWhoTheUserIs(t *testing.T) {
	t.Parallel()
	s := snapshot(with(machine("windows"), []string{"a"}, nil, contract.Physical))
	for _, q := range []contract.Question{{AAL: 3, Target: "int", User: rory}, {AAL: 3, Target: "mock", User: rory}, {AAL: 3, Target: "int"}} {
		v := assurance.Judge(s, q)
		texts := []string{v.Summary}
		for _, c := range v.Candidates {
			for _, check := range c.Checks {
				texts = append(texts, check.Evidence)
			}
		}
		for _, text := range texts {
			if strings.Contains(text, amy) {
				t.Errorf("%q says whose card it is", text)
			}
		}
	}
}

// TestWhileACardIsReadNobodyIsToldToPlugSomethingIn: what is worth a look only
// is no reason for that.
func TestWhileACardIsReadNobodyIsToldToPlugSomethingIn(t *testing.T) {
	t.Parallel()
	f := with(machine("linux"), []string{"vc"}, nil, contract.Virtual)
	f.Cards, f.Readers[0].Condition, f.Readers[0].Card = nil, contract.Present, ""
	v := assurance.Judge(snapshot(f), contract.Question{AAL: 3, Target: "mock", Kind: contract.Smartcard})
	if len(v.Checks) != 1 || v.Checks[0].Code != string(failure.NotRead) {
		t.Errorf("%+v", v.Checks)
	}
}

// TestReadyForAUserIsOnlyWhatIsThatUsers: what does not say whose it is proves
// nothing, whatever its kind.
func TestReadyForAUserIsOnlyWhatIsThatUsers(t *testing.T) {
	t.Parallel()
	ready := 0
	for seed := range uint64(12000) {
		r := rand.New(rand.NewPCG(seed, 8))
		s, q := anything(r), anyQuestion(r)
		q.User = amy
		settled(s)
		v := assurance.Judge(s, q)
		for i, c := range v.Candidates {
			a := s.Authenticators[slices.IndexFunc(s.Authenticators, func(a contract.Authenticator) bool { return a.ID == c.Authenticator })]
			if c.Outcome == contract.VerdictReady && a.Belongs(amy, q.Target) != contract.Pass {
				t.Fatalf("seed %d: a %s of user %q, %v is ready", seed, a.Kind, a.User, a.Users)
			}
			if a.Belongs(amy, q.Target) == contract.Pass && i > 0 && c.Origin == v.Candidates[0].Origin && v.Authenticator != "" {
				first := s.Authenticators[slices.IndexFunc(s.Authenticators, func(a contract.Authenticator) bool { return a.ID == v.Authenticator })]
				if first.Belongs(amy, q.Target) != contract.Pass && first.Origin == a.Origin {
					t.Fatalf("seed %d: the headline names the authenticator of %q, %v, and the user's own is there", seed, first.User, first.Users)
				}
			}
		}
		if v.Outcome == contract.VerdictReady {
			if ready++; v.Authenticator == "" {
				t.Fatalf("seed %d: ready for a user with what is nobody's", seed)
			}
		}
	}
	if ready < 20 {
		t.Errorf("only %d verdicts were ready: this test proves little", ready)
	}
}

// TestASummaryDoesNotContradictItself: the titles of checks name what must be,
// and say nothing of what is.
func TestASummaryDoesNotContradictItself(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 9))
		v := assurance.Judge(anything(r), anyQuestion(r))
		for _, e := range failure.All() {
			if strings.Contains(v.Summary, ": "+e.Title+": ") {
				t.Fatalf("seed %d: %q", seed, v.Summary)
			}
		}
	}
}

// TestHowAUUIDBeginsOnlyWarns: of a card's own user, and of the one whose a key
// is by the configuration.
func TestHowAUUIDBeginsOnlyWarns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		user, target string
		state        contract.CheckState // empty: nothing is said
	}{
		{"555212345678", "int", contract.Pass},
		{"656005750108", "int", contract.Warn},
		{"123456789012", "int", contract.Warn},
		{"555212345678", "prod", contract.Warn},
		{"123456789012", "prod", contract.Pass},
		{"123456789012", "ours", contract.Pass},
		{"123456789012", "mock", ""},
	} {
		facts := with(machine("windows"), []string{"c"}, []string{"k"}, contract.Physical)
		facts.Cards[0].User = tt.user
		facts.Users = []health.User{{UUID: map[string]string{tt.target: tt.user}, Authenticators: []string{"k"}}}
		s := settled(snapshot(facts))
		for _, kind := range []contract.Kind{contract.Smartcard, contract.SecurityKey} {
			v := assurance.Judge(s, contract.Question{AAL: 3, Target: tt.target, Kind: kind})
			var state contract.CheckState
			for _, c := range v.Candidates[0].Checks {
				if c.Code == string(failure.EnvUUID) && (kind == contract.SecurityKey || tt.target != "mock") {
					state = c.State
				}
			}
			if state != tt.state {
				t.Errorf("%s at %s by %s: %q", tt.user, tt.target, kind, state)
			}
		}
	}
}
