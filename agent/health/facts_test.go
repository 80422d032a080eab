package health_test

import (
	"math/rand/v2"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// personal data that no evidence may show.
const (
	canaryUser   = "555299887766"
	canaryHolder = "Amelia Zzyzxová"
	canaryName   = "CN=555299887766_Zzyzxová_Amelia,OU=People,O=nhs"
)

// goodCard is a physical NHS test card without any fault.
func goodCard(id string) health.Card {
	certificate := func(slot string) contract.Certificate {
		return contract.Certificate{
			Slot: slot, Subject: canaryName, Issuer: "CN=NHS INT Level 1D,OU=CA,O=nhs", Environment: "test",
			NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0), Key: "RSA-2048",
		}
	}
	return health.Card{
		Authenticator: contract.Authenticator{
			ID: id, Name: "card " + id, Kind: contract.Smartcard, Origin: contract.Physical, Source: "pcsc", Transport: "pcsc",
			Condition: contract.Ready, Reader: "reader-" + id, Environment: "test", User: canaryUser, Holder: canaryHolder,
			PIN: contract.PIN{State: "ok", TriesLeft: ptr(3)}, ReadAt: noon.Add(-time.Minute), ObservedAt: noon,
		},
		ATR: []byte{0x3B, 0xD6, 0x97, 0x00}, PIV: true,
		Certificates: []contract.Certificate{certificate("9A"), certificate("9C")},
	}
}

// goodKey is a physical FIDO2 key with a PIN.
func goodKey(id string) health.Key {
	return health.Key{
		Authenticator: contract.Authenticator{
			ID: id, Name: "key " + id, Kind: contract.SecurityKey, Origin: contract.Physical, Source: "fido", Transport: "hid",
			Condition: contract.Ready, PIN: contract.PIN{State: "ok", TriesLeft: ptr(8)}, ReadAt: noon.Add(-time.Minute), ObservedAt: noon,
		},
		Info: &health.KeyInfo{FIDO2: true, ClientPIN: ptr(true)},
	}
}

func reader(id string, condition contract.Condition) contract.Reader {
	return contract.Reader{ID: "reader-" + id, Name: "Reader " + id, Source: "pcsc", Origin: contract.Physical, Condition: condition, ObservedAt: noon}
}

// world is a machine with one good card and one good key.
func world() health.Facts {
	return health.Facts{
		OS: "windows", Workstation: goodWorkstation(),
		Sources: []contract.Source{
			{Name: "pcsc", State: "up", ObservedAt: noon},
			{Name: "fido", State: "up", ObservedAt: noon},
		},
		Readers: []contract.Reader{reader("a", contract.Ready)},
		Cards:   []health.Card{goodCard("a")},
		Keys:    []health.Key{goodKey("k")},
		Targets: []health.Target{goodTarget("int"), goodTarget("prod")},
	}
}

// goodTarget is one that answers as it must.
func goodTarget(name string) health.Target {
	issuer := "https://" + name + ".test:443/openam"
	return health.Target{Name: name, Issuer: issuer, Look: &health.Look{
		At: noon, Issuer: issuer, ACRs: []string{"AAL3_ANY", "AAL2_OR_AAL3_ANY"}, Ahead: new(time.Duration),
	}}
}

// goodWorkstation has all that a sign-in by smartcard needs: Credential
// Management 4 with Smartcard Connect.
func goodWorkstation() *health.Workstation {
	return &health.Workstation{
		At:      noon,
		Windows: health.Seen[string]{Is: "10.0.22631"},
		Service: health.Seen[health.PortService]{Is: health.PortService{
			Port: "43487", HTTP: true, HTTPS: true, Manager: health.Manager{Port: 51234, Accepts: true},
		}},
		Programs:  health.Seen[[]health.Program]{Is: []health.Program{{Is: health.CredentialManagement, Name: "NHS Credential Management", Version: "4.1.0.0"}}},
		PIVDriver: health.Seen[bool]{Is: true},
		Oberthur:  health.Seen[bool]{Is: true},
		Power:     health.Seen[health.Power]{Is: health.Power{Mains: true, Percent: 80}},
		Chip:      health.Seen[health.Chip]{Is: health.Chip{Version: 2}},
		Port:      health.Port{Own: "17823"},
	}
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// anyWorkstation is one that a look might have found, sane or not.
func anyWorkstation(r *rand.Rand) *health.Workstation {
	if r.IntN(5) == 0 {
		return nil
	}
	why := func() string { return one(r, "", "", "", "access is denied") }
	flag := func() bool { return r.IntN(2) == 0 }
	w := &health.Workstation{
		At:        noon,
		Windows:   health.Seen[string]{Is: one(r, "", "6.1.7601", "10.0.22631", "ten"), Unknown: why()},
		Programs:  health.Seen[[]health.Program]{Unknown: why()},
		Gateway:   health.Seen[string]{Is: one(r, "", "gas.nis1.national.ncrs.nhs.uk", "gas.national.ncrs.nhs.uk", "gas.new.national.ncrs.nhs.uk"), Unknown: why()},
		PIVDriver: health.Seen[bool]{Is: flag(), Unknown: why()}, Oberthur: health.Seen[bool]{Is: flag(), Unknown: why()},
		Power:    health.Seen[health.Power]{Is: health.Power{Mains: flag(), Saver: flag(), Percent: r.IntN(102) - 1}, Unknown: why()},
		Chip:     health.Seen[health.Chip]{Is: health.Chip{Version: r.IntN(4), Emulated: flag()}, Unknown: why()},
		Policies: health.Seen[[]health.Policy]{Unknown: why()},
		Port:     health.Port{Own: one(r, "", "17823"), NHS: flag(), Neighbour: health.Seen[bool]{Is: flag(), Unknown: why()}},
		Service: health.Seen[health.PortService]{Unknown: why(), Is: health.PortService{
			Port: one(r, "", "43487"), HTTP: flag(), HTTPS: flag(),
			Manager: health.Manager{Port: one(r, 0, 51234), Accepts: flag(), Fault: one(r, "", "PR30007"), Unknown: why()},
		}},
	}
	for range r.IntN(3) {
		w.Sessions = append(w.Sessions, health.Session{Who: one(r, "user 1", "token ci"), At: noon, API: r.IntN(3), Available: flag(), Remote: flag()})
	}
	for range r.IntN(4) {
		w.Programs.Is = append(w.Programs.Is, health.Program{
			Is:      one(r, health.IdentityAgent, health.CredentialManagement, health.SmartcardConnect, health.OberthurMiddleware, "other"),
			Version: one(r, "", "2.4.10.0", "1.4.2.0", "3", "new", "v4.1", "1.."),
		})
		w.Policies.Is = append(w.Policies.Is, health.Policy{Browser: "Edge", Name: "Rule", Effect: one(r, health.BlocksCookies, health.BlocksAll, health.BlocksSome, health.Lets, "")})
	}
	return w
}

// anything makes facts that a source might report, sane or not.
func anything(seed uint64) health.Facts {
	r := rand.New(rand.NewPCG(seed, 1))
	conditions := []contract.Condition{
		contract.Empty, contract.Present, contract.Ready, contract.Mute, contract.Hung, contract.InUse,
		contract.Unreadable, contract.Forbidden, contract.Unavailable, "", "new",
	}
	origins := []contract.Origin{contract.Physical, contract.Virtual, ""}
	environments := []string{"test", "live", "unknown", ""}
	pin := func() contract.PIN {
		p := contract.PIN{State: one(r, "ok", "blocked", "not_set", "verified", "power_cycle", "unknown", "")}
		if r.IntN(3) > 0 {
			p.TriesLeft = ptr(r.IntN(10) - 1)
		}
		if r.IntN(3) == 0 {
			p.UVTries = ptr(r.IntN(4))
		}
		return p
	}
	authenticator := func(a contract.Authenticator) contract.Authenticator {
		a.Condition, a.Origin, a.PIN = one(r, conditions...), one(r, origins...), pin()
		a.Code = one(r, "", "", "CARD_MUTE", "KEY_BUSY", "PIN_RETRIES", "NO_SUCH_CODE")
		if r.IntN(3) == 0 {
			a.ReadAt = time.Time{}
		}
		if r.IntN(3) == 0 {
			a.User = one(r, "", "123", "999999999999")
		}
		return a
	}
	f := health.Facts{OS: one(r, "linux", "windows", "darwin", "", "plan9"), Workstation: anyWorkstation(r)}
	for _, name := range []string{"pcsc", "fido", "virtual-pcsc", "virtual-fido"} {
		if r.IntN(5) > 0 {
			f.Sources = append(f.Sources, contract.Source{
				Name: name, State: one(r, "up", "up", "up", "down", "off", "starting", ""),
				Code: one(r, "", "PCSC_DENIED", "PHYSICAL_LOCKED", "NO_SUCH_CODE"), Detail: one(r, "", "0x8010001D"), ObservedAt: noon,
			})
		}
	}
	for i := range r.IntN(4) {
		rd := reader(string(rune('a'+i)), one(r, conditions...))
		rd.Origin, rd.Source = one(r, origins...), one(r, "pcsc", "virtual-pcsc", "elsewhere")
		f.Readers = append(f.Readers, rd)
	}
	for i := range r.IntN(4) {
		c := goodCard(string(rune('a' + i)))
		c.Authenticator = authenticator(c.Authenticator)
		c.Environment, c.PIV = one(r, environments...), r.IntN(4) > 0
		c.Certificates = c.Certificates[:r.IntN(3)]
		for n := range c.Certificates {
			c.Certificates[n].NotAfter = noon.AddDate(0, 0, r.IntN(300)-100)
			c.Certificates[n].Slot = one(r, "9A", "9C", "9a", "")
		}
		if r.IntN(4) == 0 {
			c.Malformed = []string{"9C"}
		}
		f.Cards = append(f.Cards, c)
	}
	for i := range r.IntN(4) {
		k := goodKey(string(rune('p' + i)))
		k.Authenticator = authenticator(k.Authenticator)
		switch r.IntN(4) {
		case 0:
			k.Info = nil
		case 1:
			k.Info = &health.KeyInfo{FIDO2: r.IntN(2) == 0, ClientPIN: one(r, nil, ptr(false), ptr(true)), UV: one(r, nil, ptr(false), ptr(true)), ForcePINChange: r.IntN(4) == 0, CCID: r.IntN(2) == 0}
		}
		f.Keys = append(f.Keys, k)
	}
	for i := range r.IntN(4) {
		t := goodTarget(string(rune('t' + i)))
		t.HSCN = one(r, "", "gas.test:443")
		switch look := t.Look; r.IntN(8) {
		case 0:
			t.Look = nil
		case 1:
			t.Issuer = ""
		case 2:
			look.Trouble, look.Detail = one(r, health.TroubleName, health.TroubleStatus, "new"), one(r, "", "status 503")
		case 3:
			look.Issuer = one(r, "", t.Issuer+"/")
		case 4:
			look.At, look.ACRs, look.Took = noon.Add(-2*time.Hour), one(r, nil, []string{}, []string{"AAL3_ANY"}), one(r, 0, time.Minute)
		case 5:
			look.Ahead, look.NoHSCN = one(r, nil, ptr(-7*time.Second), ptr(3*time.Minute)), one(r, "", "refused")
		}
		f.Targets = append(f.Targets, t)
	}
	return f
}
