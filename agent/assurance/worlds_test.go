package assurance_test

import (
	"math/rand/v2"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const amy, rory = "555212345678", "555387654321"

func ptr[T any](v T) *T { return &v }

// snapshot is what the inventory makes of facts.
func snapshot(f health.Facts) *contract.Snapshot {
	r := health.Judge(f, noon)
	s := &contract.Snapshot{ID: "e-1", ObservedAt: noon, Sources: f.Sources, Readers: f.Readers, Checks: r.Machine}
	for i := range s.Readers {
		s.Readers[i].Checks = r.Readers[s.Readers[i].ID]
	}
	for _, c := range f.Cards {
		s.Authenticators = append(s.Authenticators, c.Authenticator)
	}
	for _, k := range f.Keys {
		s.Authenticators = append(s.Authenticators, k.Authenticator)
	}
	for _, a := range f.Apps {
		s.Authenticators = append(s.Authenticators, a.Authenticator)
	}
	bound := health.Bindings(f.Users, f.Proofs)
	for i := range s.Authenticators {
		s.Authenticators[i].Users = bound[s.Authenticators[i].ID]
		s.Authenticators[i].Checks = r.Authenticators[s.Authenticators[i].ID]
	}
	return s
}

func machine(goos string) health.Facts {
	f := health.Facts{OS: goos, Sources: []contract.Source{
		{Name: "pcsc", State: "up", ObservedAt: noon},
		{Name: "fido", State: "up", ObservedAt: noon},
		{Name: "virtual-pcsc", State: "up", ObservedAt: noon},
		{Name: "virtual-fido", State: "up", ObservedAt: noon},
	}, Targets: []health.Target{goodTarget("int"), goodTarget("prod")}}
	if goos == "windows" {
		f.Workstation = goodWorkstation()
	}
	return f
}

// goodWorkstation has all that a sign-in by smartcard needs.
func goodWorkstation() *health.Workstation {
	return &health.Workstation{
		At: noon,
		Service: health.Seen[health.PortService]{Is: health.PortService{
			Port: "43487", HTTP: true, HTTPS: true, Manager: health.Manager{Port: 51234, Accepts: true},
		}},
		Programs:  health.Seen[[]health.Program]{Is: []health.Program{{Is: health.CredentialManagement, Version: "4.1.0.0"}}},
		PIVDriver: health.Seen[bool]{Is: true}, Oberthur: health.Seen[bool]{Is: true},
		Power: health.Seen[health.Power]{Is: health.Power{Mains: true}},
		Chip:  health.Seen[health.Chip]{Is: health.Chip{Version: 2}},
	}
}

// goodTarget is one that answers as it must.
func goodTarget(name string) health.Target {
	issuer := "https://" + name + ".test:443/openam"
	return health.Target{Name: name, Issuer: issuer, Look: &health.Look{
		At: noon, Issuer: issuer, ACRs: []string{"AAL3_ANY", "AAL2_OR_AAL3_ANY"}, Ahead: new(time.Duration),
	}}
}

func source(o contract.Origin, name string) string {
	if o == contract.Physical {
		return name
	}
	return "virtual-" + name
}

func card(id string, origin contract.Origin) (contract.Reader, health.Card) {
	src := source(origin, "pcsc")
	cert := func(slot string) contract.Certificate {
		return contract.Certificate{Slot: slot, Issuer: "CN=NHS INT Level 1D,OU=CA,O=nhs", Environment: "test", NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0)}
	}
	reader := contract.Reader{ID: "r" + id, Name: "Reader " + id, Source: src, Origin: origin, Condition: contract.Ready, Card: id, ObservedAt: noon}
	return reader, health.Card{
		Authenticator: contract.Authenticator{
			ID: id, Name: "card " + id, Kind: contract.Smartcard, Origin: origin, Source: src, Transport: "pcsc", Condition: contract.Ready,
			Reader: "r" + id, Environment: "test", User: amy, PIN: contract.PIN{State: "ok", TriesLeft: ptr(3)}, ReadAt: noon, ObservedAt: noon,
		},
		ATR: []byte{0x3B}, PIV: true, Certificates: []contract.Certificate{cert("9A"), cert("9C")},
	}
}

func key(id string, origin contract.Origin) health.Key {
	return health.Key{
		Authenticator: contract.Authenticator{
			ID: id, Name: "key " + id, Kind: contract.SecurityKey, Origin: origin, Source: source(origin, "fido"), Transport: "hid",
			Condition: contract.Ready, PIN: contract.PIN{State: "ok", TriesLeft: ptr(8)}, ReadAt: noon, ObservedAt: noon,
		},
		Info: &health.KeyInfo{FIDO2: true, ClientPIN: ptr(true)},
	}
}

func app(id string, origin contract.Origin) health.App {
	return health.App{Authenticator: contract.Authenticator{
		ID: id, Name: "app " + id, Kind: contract.TOTP, Origin: origin, Source: "logins", Transport: "file", Condition: contract.Ready, ReadAt: noon, ObservedAt: noon,
	}}
}

// bound are users of the configuration with one authenticator, at every target
// by the same UUID.
func bound(id string, users ...string) (all []health.User) {
	for _, u := range users {
		all = append(all, health.User{UUID: map[string]string{"mock": u, "int": u}, Authenticators: []string{id}})
	}
	return all
}

func with(f health.Facts, cards []string, keys []string, origin contract.Origin) health.Facts {
	for _, id := range cards {
		r, c := card(id, origin)
		f.Readers, f.Cards = append(f.Readers, r), append(f.Cards, c)
	}
	for _, id := range keys {
		f.Keys = append(f.Keys, key(id, origin))
	}
	return f
}

// settled makes every check that is unknown because nobody makes it a pass: a
// machine of a later version, where all was found out.
func settled(s *contract.Snapshot) *contract.Snapshot {
	return settle(s, func(c contract.Check) bool {
		return c.Evidence == health.NotChecked || c.Code == string(failure.KeyRegistered) || c.Code == string(failure.WHRegistered)
	})
}

// looked is the same, but for what a login alone settles.
func looked(s *contract.Snapshot) *contract.Snapshot {
	return settle(s, func(c contract.Check) bool { return c.Evidence == health.NotChecked })
}

func settle(s *contract.Snapshot, which func(contract.Check) bool) *contract.Snapshot {
	pass := func(checks []contract.Check) {
		for i, c := range checks {
			if c.State == contract.Unknown && which(c) {
				checks[i] = health.Check(failure.Code(c.Code), contract.Pass, "found out", noon)
				checks[i].Target = c.Target
			}
		}
	}
	pass(s.Checks)
	for i := range s.Authenticators {
		pass(s.Authenticators[i].Checks)
	}
	return s
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// anything is a snapshot that might come out of an inventory, sane or not.
func anything(r *rand.Rand) *contract.Snapshot {
	states := append(slices.Repeat([]contract.CheckState{contract.Pass}, 12), contract.Warn, contract.Fail, contract.Unknown, "")
	all := failure.All()
	checks := func(of ...failure.Code) []contract.Check {
		var list []contract.Check
		for _, code := range of {
			if r.IntN(10) > 0 {
				check := health.Check(code, one(r, states...), "seen", noon)
				check.Target = one(r, "", "", "", "", "", "", "", "", "int", "prod")
				list = append(list, check)
			}
		}
		for range r.IntN(2) {
			list = append(list, health.Check(all[r.IntN(len(all))].Code, one(r, states...), "seen", noon))
		}
		return list
	}
	var machineCodes, cardCodes, keyCodes, appCodes []failure.Code
	for _, rule := range health.Rules() {
		switch rule.Scope {
		case health.OfMachine:
			machineCodes = append(machineCodes, rule.Code)
		case health.OfCard:
			cardCodes = append(cardCodes, rule.Code)
		case health.OfKey:
			keyCodes = append(keyCodes, rule.Code)
		case health.OfApp:
			appCodes = append(appCodes, rule.Code)
		}
	}
	s := &contract.Snapshot{ID: "e-9", ObservedAt: noon, Checks: checks(machineCodes...)}
	for _, name := range []string{"pcsc", "fido", "virtual-pcsc", "virtual-fido", "other"} {
		s.Sources = append(s.Sources, contract.Source{Name: name, State: one(r, "up", "up", "starting", "down", "off")})
	}
	for i := range r.IntN(3) {
		s.Readers = append(s.Readers, contract.Reader{
			ID: string(rune('a' + i)), Name: "reader", Origin: one(r, contract.Physical, contract.Virtual),
			Condition: one(r, contract.Empty, contract.Present, contract.Mute, contract.InUse, contract.Ready), Checks: checks(failure.CardPresent),
		})
	}
	for i := range r.IntN(5) {
		a := contract.Authenticator{
			ID: string(rune('p' + i)), Name: one(r, "same", "other"), Kind: one(r, contract.Smartcard, contract.SecurityKey, contract.Platform, contract.TOTP, "new"),
			Origin: one(r, contract.Physical, contract.Physical, contract.Virtual, "", "PHYSICAL"), Environment: one(r, "test", "live", "unknown", ""),
			ReadAt: noon, ObservedAt: noon,
		}
		if a.Kind == contract.Smartcard {
			a.User = one(r, amy, rory, "")
		}
		for range r.IntN(3) {
			a.Users = append(a.Users, contract.Binding{
				Target: one(r, "mock", "int", "prod"), User: one(r, amy, rory), By: one(r, contract.ByConfiguration, contract.ByLogin), Login: one(r, "", contract.Proven, contract.Refused),
			})
		}
		switch a.Kind {
		case contract.Smartcard:
			a.Checks = checks(cardCodes...)
		case contract.SecurityKey:
			a.Checks = checks(keyCodes...)
		case contract.TOTP:
			a.Checks = checks(appCodes...)
		default:
			a.Checks = checks()
		}
		s.Authenticators = append(s.Authenticators, a)
	}
	return s
}

func anyQuestion(r *rand.Rand) contract.Question {
	return contract.Question{
		AAL: one(r, 2, 3, 3, 4), Target: one(r, "mock", "int", "dep", "prod", "ours"),
		Kind: one(r, "", "", contract.Smartcard, contract.SecurityKey, contract.Platform, contract.TOTP), User: one(r, "", "", amy, rory),
	}
}
