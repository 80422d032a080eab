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

func check(t *testing.T, checks []contract.Check, code failure.Code) contract.Check {
	t.Helper()
	i := slices.IndexFunc(checks, func(c contract.Check) bool { return c.Code == string(code) })
	if i < 0 {
		codes := make([]string, len(checks))
		for n, c := range checks {
			codes[n] = c.Code
		}
		t.Fatalf("no check %s among %s", code, strings.Join(codes, " "))
	}
	return checks[i]
}

// TestEachFindingHasItsState goes through the tables of checks: each row
// changes one thing on a machine where all is well.
func TestEachFindingHasItsState(t *testing.T) {
	t.Parallel()
	type at string
	const machine, inReader, onCard, onKey at = "machine", "reader", "card", "key"
	card := func(change func(*health.Card)) func(*health.Facts) {
		return func(f *health.Facts) { change(&f.Cards[0]) }
	}
	key := func(change func(*health.Key)) func(*health.Facts) {
		return func(f *health.Facts) { change(&f.Keys[0]) }
	}
	read := func(change func(*contract.Reader)) func(*health.Facts) {
		return func(f *health.Facts) { change(&f.Readers[0]) }
	}
	condition := func(c contract.Condition) func(*health.Facts) {
		return func(f *health.Facts) { f.Cards[0].Condition, f.Readers[0].Condition = c, c }
	}
	source := func(name, state, code string) func(*health.Facts) {
		return func(f *health.Facts) {
			for i := range f.Sources {
				if f.Sources[i].Name == name {
					f.Sources[i].State, f.Sources[i].Code, f.Sources[i].Detail = state, code, "0x8010001D"
				}
			}
		}
	}
	certs := func(change func(*contract.Certificate)) func(*health.Facts) {
		return card(func(c *health.Card) {
			for i := range c.Certificates {
				change(&c.Certificates[i])
			}
		})
	}
	ends := func(in time.Duration) func(*health.Facts) {
		return certs(func(c *contract.Certificate) { c.NotAfter = noon.Add(in) })
	}
	const day = 24 * time.Hour
	tests := []struct {
		name   string
		change func(*health.Facts)
		where  at
		code   failure.Code
		state  contract.CheckState
		says   string
	}{
		{"service", func(*health.Facts) {}, machine, failure.PCSCService, contract.Pass, "answers"},
		{"service down", source("pcsc", "down", ""), machine, failure.PCSCService, contract.Fail, "0x8010001D"},
		{"service refuses", source("pcsc", "down", "PCSC_DENIED"), machine, failure.PCSCDenied, contract.Fail, "0x8010001D"},
		{"service not looked at yet", source("pcsc", "starting", ""), machine, failure.PCSCService, contract.Unknown, "yet"},
		{"physical off", source("pcsc", "off", ""), machine, failure.PhysicalOff, contract.Unknown, "does not use"},
		{"another daemon", source("pcsc", "off", "PHYSICAL_LOCKED"), machine, failure.PhysicalLocked, contract.Unknown, "does not use"},
		{"no source", func(f *health.Facts) { f.Sources = nil }, machine, failure.PCSCService, contract.Unknown, "does not look"},
		{"service down, and only virtual readers", func(f *health.Facts) {
			source("pcsc", "down", "")(f)
			for i := range f.Readers {
				f.Readers[i].Origin, f.Readers[i].Source = contract.Virtual, "virtual-pcsc"
			}
		}, machine, failure.PCSCService, contract.Warn, "only virtual readers are here"},
		{"service down, and a virtual reader of it", func(f *health.Facts) {
			source("pcsc", "down", "")(f)
			for i := range f.Readers {
				f.Readers[i].Origin, f.Readers[i].Source = contract.Virtual, "pcsc"
			}
		}, machine, failure.PCSCService, contract.Fail, ""},
		{"a code of a later version", source("pcsc", "down", "NO_SUCH_CODE"), machine, failure.PCSCService, contract.Fail, ""},

		{"reader", func(*health.Facts) {}, machine, failure.ReaderPresent, contract.Pass, "Reader a"},
		{"only a virtual reader", read(func(r *contract.Reader) { r.Origin = contract.Virtual }), machine, failure.ReaderPresent, contract.Warn, "virtual"},
		{"reader of unknown origin", read(func(r *contract.Reader) { r.Origin = "" }), machine, failure.ReaderPresent, contract.Warn, "virtual"},
		{"no reader", func(f *health.Facts) { f.Readers, f.Cards = nil, nil }, machine, failure.ReaderPresent, contract.Fail, "no reader"},
		{"driver of a physical reader", func(*health.Facts) {}, inReader, failure.ReaderDriver, contract.Unknown, "which driver"},
		{"reader in error", read(func(r *contract.Reader) { r.Condition = contract.Unavailable }), inReader, failure.ReaderDriver, contract.Fail, "error"},
		{"virtual reader", read(func(r *contract.Reader) { r.Origin = contract.Virtual }), inReader, failure.ReaderDriver, contract.Pass, "virtual"},
		{"empty virtual reader", read(func(r *contract.Reader) { r.Condition, r.Origin = contract.Empty, contract.Virtual }), inReader, failure.CardPresent, contract.Unknown, "is empty"},
		{"only empty virtual readers", func(f *health.Facts) {
			f.Readers[0].Condition, f.Readers[0].Origin, f.Cards = contract.Empty, contract.Virtual, nil
		}, machine, failure.CardPresent, contract.Warn, "virtual"},
		{"empty reader beside others", read(func(r *contract.Reader) { r.Condition = contract.Empty }), inReader, failure.CardPresent, contract.Warn, "empty"},

		{"card", func(*health.Facts) {}, machine, failure.CardPresent, contract.Pass, "1 card"},
		{"no card", func(f *health.Facts) { condition(contract.Empty)(f); f.Cards = nil }, machine, failure.CardPresent, contract.Fail, "no card"},
		{"mute card, machine", condition(contract.Mute), machine, failure.CardMute, contract.Fail, "Reader a (mute)"},
		{"hung card, machine", condition(contract.Hung), machine, failure.CardHung, contract.Fail, "Reader a (hung)"},
		{"mute card, reader", condition(contract.Mute), inReader, failure.CardMute, contract.Fail, ""},
		{"hung card", condition(contract.Hung), onCard, failure.CardHung, contract.Fail, ""},
		{"unreadable card", condition(contract.Unreadable), onCard, failure.CardUnreadable, contract.Fail, ""},
		{"card in use, read before", condition(contract.InUse), onCard, failure.CardInUse, contract.Warn, "another program"},
		{"card in use, never read", func(f *health.Facts) { condition(contract.InUse)(f); f.Cards[0].ReadAt = time.Time{} }, onCard, failure.CardInUse, contract.Unknown, "another program"},
		{"card not read yet", condition(contract.Present), onCard, failure.NotRead, contract.Unknown, "not read yet"},
		{"card whose source is down", source("pcsc", "down", ""), onCard, failure.CardPresent, contract.Unknown, "waits for the source pcsc"},
		{"condition of a later version", condition("asleep"), onCard, failure.CardUnreadable, contract.Fail, ""},

		{"one card", func(*health.Facts) {}, machine, failure.CardSingle, contract.Pass, "one NHS smartcard"},
		{"two cards", func(f *health.Facts) {
			f.Cards = append(f.Cards, goodCard("b"))
			f.Readers = append(f.Readers, reader("b", contract.Ready))
		}, machine, failure.CardSingle, contract.Fail, "2 NHS smartcards"},
		{"a virtual card beside", func(f *health.Facts) {
			f.Cards = append(f.Cards, goodCard("b"))
			f.Cards[1].Origin, f.Cards[1].Source = contract.Virtual, "virtual-pcsc"
		}, machine, failure.CardSingle, contract.Pass, "one NHS smartcard"},
		{"a bank card beside", func(f *health.Facts) {
			f.Cards = append(f.Cards, goodCard("b"))
			f.Cards[1].Environment = "unknown"
			f.Readers = append(f.Readers, reader("b", contract.Ready))
		}, machine, failure.CardSingle, contract.Warn, "1 other card"},
		{"a key with a smartcard side beside", key(func(k *health.Key) { k.Info.CCID = true }), machine, failure.CardSingle, contract.Warn, "1 other"},
		{"a card not read yet", condition(contract.Present), machine, failure.CardSingle, contract.Unknown, "not read"},

		{"series 9", func(*health.Facts) {}, onCard, failure.CardSeries, contract.Pass, "PIV"},
		{"series 5", card(func(c *health.Card) {
			c.ATR = []byte{0x3B, 0xF9, 0x18, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0x4A, 0x43, 0x4F, 0x50, 0x34, 0x31, 0x56, 0x32, 0x32, 0xAF}
		}), onCard, failure.CardSeries, contract.Fail, "blocked"},
		{"series 6", card(func(c *health.Card) {
			c.ATR = []byte{0x3B, 0x6A, 0x00, 0xFF, 0x4A, 0x43, 0x4F, 0x50, 0x34, 0x31, 0x56, 0x32, 0x32, 0x31}
		}), onCard, failure.CardSeries, contract.Fail, "blocked"},
		{"a PIV card of others", card(func(c *health.Card) { c.Environment = "unknown" }), onCard, failure.CardSeries, contract.Warn, "not known"},
		{"no PIV card", card(func(c *health.Card) { c.PIV, c.Certificates = false, nil }), onCard, failure.CardSeries, contract.Unknown, "no PIV"},

		{"both certificates", func(*health.Facts) {}, onCard, failure.CardBlank, contract.Pass, "9A"},
		{"one certificate", card(func(c *health.Card) { c.Certificates, c.Missing = c.Certificates[:1], []string{"9C"} }), onCard, failure.CardBlank, contract.Warn, "only"},
		{"only the wrong certificate", card(func(c *health.Card) { c.Certificates = c.Certificates[1:] }), onCard, failure.CardBlank, contract.Fail, "9A"},
		{"blank", card(func(c *health.Card) { c.Certificates = nil }), onCard, failure.CardBlank, contract.Fail, "no certificate"},
		{"broken certificate", card(func(c *health.Card) { c.Certificates, c.Malformed = nil, []string{"9A", "9C"} }), onCard, failure.CardBlank, contract.Fail, "9A and 9C"},

		{"valid", func(*health.Facts) {}, onCard, failure.CertValid, contract.Pass, "25 November 2027"},
		{"91 days left", ends(91 * day), onCard, failure.CertValid, contract.Pass, ""},
		{"90 days left", ends(90 * day), onCard, failure.CertValid, contract.Warn, "in 90 days"},
		{"one day left", ends(day), onCard, failure.CertValid, contract.Warn, "in 1 day"},
		{"last moment", ends(0), onCard, failure.CertValid, contract.Warn, "in 0 days"},
		{"expired", ends(-time.Second), onCard, failure.CertValid, contract.Fail, "expired"},
		{"not yet valid", certs(func(c *contract.Certificate) { c.NotBefore = noon.Add(time.Hour) }), onCard, failure.CertValid, contract.Fail, "from 25 November 2026 13:00 UTC"},
		{"only the signature's expired", card(func(c *health.Card) { c.Certificates[1].NotAfter = noon.Add(-day) }), onCard, failure.CertValid, contract.Fail, "9C"},

		{"test card", func(*health.Facts) {}, onCard, failure.CertIssuerEnv, contract.Pass, "test"},
		{"live card", card(func(c *health.Card) { c.Environment = "live" }), onCard, failure.CertIssuerEnv, contract.Pass, "live"},
		{"card of others", card(func(c *health.Card) { c.Environment = "" }), onCard, failure.CertIssuerEnv, contract.Warn, "neither"},
		{"UUID", func(*health.Facts) {}, onCard, failure.EnvUUID, contract.Pass, "12 digits"},
		{"no UUID", card(func(c *health.Card) { c.User = "" }), onCard, failure.EnvUUID, contract.Fail, ""},

		{"3 tries", func(*health.Facts) {}, onCard, failure.PINRetries, contract.Pass, "3 tries"},
		{"2 tries", card(func(c *health.Card) { c.PIN.TriesLeft = ptr(2) }), onCard, failure.PINRetries, contract.Warn, "2 tries"},
		{"1 try", card(func(c *health.Card) { c.PIN.TriesLeft = ptr(1) }), onCard, failure.PINRetries, contract.Warn, "1 try"},
		{"0 tries", card(func(c *health.Card) { c.PIN.TriesLeft = ptr(0) }), onCard, failure.PINRetries, contract.Fail, "blocked"},
		{"blocked", card(func(c *health.Card) { c.PIN = contract.PIN{State: "blocked"} }), onCard, failure.PINRetries, contract.Fail, "blocked"},
		{"left verified", card(func(c *health.Card) { c.PIN = contract.PIN{State: "verified"} }), onCard, failure.PINTriesUnknown, contract.Unknown, "unlocked"},
		{"tries not told", card(func(c *health.Card) { c.PIN = contract.PIN{State: "unknown"} }), onCard, failure.PINTriesUnknown, contract.Unknown, ""},

		{"Windows", func(*health.Facts) {}, machine, failure.OSSupport, contract.Pass, "Windows"},
		{"Linux", func(f *health.Facts) { f.OS = "linux" }, machine, failure.OSSupport, contract.Fail, "Linux"},
		{"macOS", func(f *health.Facts) { f.OS = "darwin" }, machine, failure.OSSupport, contract.Fail, "macOS"},
		{"Windows Hello on Linux", func(f *health.Facts) { f.OS = "linux" }, machine, failure.WHPlatform, contract.Fail, "Linux"},
		{"Windows Hello", func(*health.Facts) {}, machine, failure.WHPlatform, contract.Unknown, "run by you"},

		{"key", func(*health.Facts) {}, machine, failure.KeyPresent, contract.Pass, "one"},
		{"two keys", func(f *health.Facts) { f.Keys = append(f.Keys, goodKey("l")) }, machine, failure.KeyPresent, contract.Warn, "2"},
		{"no key", func(f *health.Facts) { f.Keys = nil }, machine, failure.KeyPresent, contract.Fail, ""},
		{"only a virtual key", key(func(k *health.Key) { k.Origin = contract.Virtual }), machine, failure.KeyPresent, contract.Warn, "virtual"},
		{"only a forbidden key", key(func(k *health.Key) { k.Condition, k.Info = contract.Forbidden, nil }), machine, failure.KeyForbidden, contract.Fail, ""},
		{"keys need an administrator", source("fido", "down", "FIDO_NEEDS_ADMIN"), machine, failure.FIDONeedsAdmin, contract.Fail, ""},
		{"forbidden key", key(func(k *health.Key) { k.Condition, k.Info = contract.Forbidden, nil }), onKey, failure.KeyForbidden, contract.Fail, ""},
		{"mute key", key(func(k *health.Key) { k.Condition, k.Info = contract.Mute, nil }), onKey, failure.KeyMute, contract.Fail, ""},
		{"hostile key", key(func(k *health.Key) { k.Condition, k.Code, k.Info = contract.Unreadable, "KEY_HOSTILE", nil }), onKey, failure.KeyHostile, contract.Fail, ""},
		{"busy key, never read", key(func(k *health.Key) { k.Condition, k.Info = contract.InUse, nil }), onKey, failure.KeyBusy, contract.Unknown, ""},
		{"busy key, read before", key(func(k *health.Key) { k.Condition = contract.InUse }), onKey, failure.KeyBusy, contract.Warn, ""},
		{"key not read yet", key(func(k *health.Key) { k.Condition, k.Info = contract.Present, nil }), onKey, failure.NotRead, contract.Unknown, ""},
		{"U2F only", key(func(k *health.Key) { k.Info.FIDO2 = false }), onKey, failure.KeyFIDO2, contract.Fail, "U2F"},
		{"PIN set", func(*health.Facts) {}, onKey, failure.KeyPINSet, contract.Pass, ""},
		{"no PIN", key(func(k *health.Key) { k.Info.ClientPIN = ptr(false) }), onKey, failure.KeyPINSet, contract.Fail, "no PIN"},
		{"neither PIN nor finger", key(func(k *health.Key) { k.Info.ClientPIN = nil }), onKey, failure.KeyPINSet, contract.Fail, "cannot have"},
		{"finger", key(func(k *health.Key) { k.Info.ClientPIN, k.Info.UV = ptr(false), ptr(true) }), onKey, failure.KeyPINSet, contract.Pass, "finger"},
		{"PIN must be changed", key(func(k *health.Key) { k.Info.ForcePINChange = true }), onKey, failure.KeyPINSet, contract.Warn, ""},
		{"8 tries", func(*health.Facts) {}, onKey, failure.KeyPINRetries, contract.Pass, "8 tries"},
		{"4 tries", key(func(k *health.Key) { k.PIN.TriesLeft = ptr(4) }), onKey, failure.KeyPINRetries, contract.Pass, ""},
		{"3 tries", key(func(k *health.Key) { k.PIN.TriesLeft = ptr(3) }), onKey, failure.KeyPINRetries, contract.Warn, ""},
		{"0 tries", key(func(k *health.Key) { k.PIN.TriesLeft = ptr(0) }), onKey, failure.KeyPINRetries, contract.Fail, ""},
		{"power cycle", key(func(k *health.Key) { k.PIN.State = "power_cycle" }), onKey, failure.KeyPINRetries, contract.Warn, "plugged in again"},
		{"tries not told", key(func(k *health.Key) { k.PIN.TriesLeft = nil }), onKey, failure.PINTriesUnknown, contract.Unknown, ""},
		{"no smartcard side", func(*health.Facts) {}, onKey, failure.KeyCCID, contract.Pass, ""},
		{"smartcard side", key(func(k *health.Key) { k.Info.CCID = true }), onKey, failure.KeyCCID, contract.Warn, ""},
		{"smartcard side on Linux", func(f *health.Facts) { f.OS = "linux"; f.Keys[0].Info.CCID = true }, onKey, failure.KeyCCID, contract.Pass, "Windows"},
		{"certification", func(*health.Facts) {}, onKey, failure.KeyL2, contract.Unknown, health.NotChecked},
		{"registration", func(*health.Facts) {}, onKey, failure.KeyRegistered, contract.Unknown, "settle"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			facts := world()
			tt.change(&facts)
			report := health.Judge(facts, noon)
			checks := map[at][]contract.Check{
				machine: report.Machine, inReader: report.Readers["reader-a"],
				onCard: report.Authenticators["a"], onKey: report.Authenticators["k"],
			}[tt.where]
			got := check(t, checks, tt.code)
			if got.State != tt.state || !strings.Contains(got.Evidence, tt.says) {
				t.Errorf("%s is %s (%q), want %s with %q", tt.code, got.State, got.Evidence, tt.state, tt.says)
			}
		})
	}
}

func TestWhatDependsOnSomethingBrokenIsUnknownAndSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	down := world()
	down.Sources[0].State = "down"
	mute := world()
	mute.Cards[0].Condition = contract.Mute
	busy := world()
	busy.Keys[0].Condition, busy.Keys[0].Info = contract.InUse, nil
	u2f := world()
	u2f.Keys[0].Info.FIDO2 = false
	tests := []struct {
		name   string
		facts  health.Facts
		checks func(health.Report) []contract.Check
		waits  map[failure.Code]string
	}{
		{"service down", down, func(r health.Report) []contract.Check { return r.Machine }, map[failure.Code]string{
			failure.ReaderPresent: "PCSC_SERVICE", failure.CardPresent: "READER_PRESENT", failure.CardSingle: "CARD_PRESENT",
		}},
		{"service down, card", down, func(r health.Report) []contract.Check { return r.Authenticators["a"] }, map[failure.Code]string{
			failure.CardPresent: "pcsc", failure.CardBlank: "CARD_PRESENT", failure.CertValid: "CARD_PRESENT", failure.PINRetries: "CARD_PRESENT",
		}},
		{"mute card", mute, func(r health.Report) []contract.Check { return r.Authenticators["a"] }, map[failure.Code]string{
			failure.CardSeries: "CARD_MUTE", failure.CertIssuerEnv: "CARD_MUTE", failure.EnvUUID: "CARD_MUTE", failure.CertValid: "CARD_MUTE", failure.PINRetries: "CARD_MUTE",
		}},
		{"busy key", busy, func(r health.Report) []contract.Check { return r.Authenticators["k"] }, map[failure.Code]string{
			failure.KeyFIDO2: "KEY_BUSY", failure.KeyCCID: "KEY_BUSY",
		}},
		{"U2F key", u2f, func(r health.Report) []contract.Check { return r.Authenticators["k"] }, map[failure.Code]string{
			failure.KeyPINSet: "KEY_FIDO2", failure.KeyPINRetries: "KEY_FIDO2", failure.KeyRegistered: "KEY_FIDO2",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checks := tt.checks(health.Judge(tt.facts, noon))
			for code, waits := range tt.waits {
				if c := check(t, checks, code); c.State != contract.Unknown || !strings.Contains(c.Evidence, "waits for") || !strings.Contains(c.Evidence, waits) {
					t.Errorf("%s is %s (%q), want unknown, waiting for %s", code, c.State, c.Evidence, waits)
				} else if c.Remedy != "" || c.NHSCode != "" {
					t.Errorf("%s only waits for %s, and says %q (%s)", code, waits, c.Remedy, c.NHSCode)
				}
			}
		})
	}
}

func TestACardOfAHealthySourceIsJudgedWhileAnotherSourceIsDown(t *testing.T) {
	t.Parallel()
	facts := world()
	facts.Sources[0].State = "down"
	facts.Sources = append(facts.Sources, contract.Source{Name: "virtual-pcsc", State: "up"})
	facts.Cards[0].Origin, facts.Cards[0].Source = contract.Virtual, "virtual-pcsc"
	for _, c := range health.Judge(facts, noon).Authenticators["a"] {
		if c.State != contract.Pass {
			t.Errorf("%s is %s: %s", c.Code, c.State, c.Evidence)
		}
	}
}

// TestNoCheckIsWithoutWords holds for every state that sources might report.
func TestNoCheckIsWithoutWords(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		everyCheck(health.Judge(anything(seed), noon), func(c contract.Check) {
			entry, known := failure.Lookup(failure.Code(c.Code))
			switch {
			case !known:
				t.Errorf("seed %d: %s is not in the registry", seed, c.Code)
			case c.Evidence == "":
				t.Errorf("seed %d: %s is %s without evidence", seed, c.Code, c.State)
			case c.Title != entry.Title || c.Title == "":
				t.Errorf("seed %d: %s has the title %q", seed, c.Code, c.Title)
			case c.State == contract.Pass && c.Remedy != "":
				t.Errorf("seed %d: %s passes with a remedy", seed, c.Code)
			case waits(c):
				if c.Remedy != "" || c.NHSCode != "" {
					t.Errorf("seed %d: %s only waits, with the remedy %q", seed, c.Code, c.Remedy)
				}
			case c.State != contract.Pass && (c.Remedy == "" || c.Remedy != entry.Remedy || c.NHSCode != entry.NHSCode):
				t.Errorf("seed %d: %s is %s with the remedy %q", seed, c.Code, c.State, c.Remedy)
			case c.ObservedAt.IsZero():
				t.Errorf("seed %d: %s does not say when it was observed", seed, c.Code)
			}
			for _, secret := range append(strings.Fields(canaryHolder), canaryUser, "Zzyzx") {
				if strings.Contains(c.Evidence, secret) {
					t.Errorf("seed %d: the evidence of %s says who the holder is: %q", seed, c.Code, c.Evidence)
				}
			}
		})
	}
}

func waits(c contract.Check) bool {
	return c.State == contract.Unknown && strings.HasPrefix(c.Evidence, "waits for ")
}

// TestWhatACheckWaitsForIsShown: it names a code that stands before it and is
// not met, or a source.
func TestWhatACheckWaitsForIsShown(t *testing.T) {
	t.Parallel()
	waited := 0
	for seed := range uint64(3000) {
		r := health.Judge(anything(seed), noon)
		lists := [][]contract.Check{r.Machine}
		for _, checks := range r.Authenticators {
			lists = append(lists, checks)
		}
		for _, checks := range lists {
			unmet := map[string]bool{"the": true} // source
			for _, c := range checks {
				if waits(c) {
					if waited++; !unmet[strings.Fields(c.Evidence)[2]] {
						t.Fatalf("seed %d: %s %q, and nothing shows that", seed, c.Code, c.Evidence)
					}
				}
				if c.State != contract.Pass && c.State != contract.Warn {
					unmet[c.Code] = true
				}
			}
		}
	}
	if waited < 1000 {
		t.Errorf("only %d checks waited: this test proves little", waited)
	}
}

// TestACauseIsSaidOnce: what the system said comes last, if it says more.
func TestACauseIsSaidOnce(t *testing.T) {
	t.Parallel()
	facts := world()
	facts.Cards[0].Condition, facts.Cards[0].Detail = contract.Hung, "SCardTransmit: no answer within 10s"
	facts.Keys[0].Condition, facts.Keys[0].Info, facts.Keys[0].Detail = contract.Mute, nil, "the key does not answer"
	r := health.Judge(facts, noon)
	if c := check(t, r.Authenticators["a"], failure.CardHung); c.Evidence != "the card stopped answering: SCardTransmit: no answer within 10s" {
		t.Errorf("%q", c.Evidence)
	}
	if c := check(t, r.Authenticators["k"], failure.KeyMute); c.Evidence != "the key does not answer" {
		t.Errorf("%q", c.Evidence)
	}
}

// TestNoSubjectHasTwoChecksOfOneCodeForATarget: a check is found by its code
// and its target, and none is made for one target as well as for all.
func TestNoSubjectHasTwoChecksOfOneCodeForATarget(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		r := health.Judge(anything(seed), noon)
		lists := [][]contract.Check{r.Machine}
		for _, group := range []map[string][]contract.Check{r.Readers, r.Authenticators} {
			for _, checks := range group {
				lists = append(lists, checks)
			}
		}
		for _, checks := range lists {
			seen := map[string]bool{}
			for _, c := range checks {
				if seen[c.Code] || seen[c.Code+" "+c.Target] || c.Target == "" && seen[c.Code+" some"] {
					t.Fatalf("seed %d: %s for %q is there twice", seed, c.Code, c.Target)
				}
				if c.Target == "" {
					seen[c.Code] = true
				} else {
					seen[c.Code+" some"], seen[c.Code+" "+c.Target] = true, true
				}
			}
		}
	}
}

func TestEachTargetHasItsCheck(t *testing.T) {
	t.Parallel()
	facts := world()
	facts.Targets = []health.Target{{Name: "int"}, {Name: "ours"}}
	for _, r := range health.Rules() {
		if !r.PerTarget {
			continue
		}
		var targets []string
		everyCheck(health.Judge(facts, noon), func(c contract.Check) {
			if c.Code == string(r.Code) {
				targets = append(targets, c.Target)
			}
		})
		if !slices.Equal(targets, []string{"int", "ours"}) {
			t.Errorf("%s is made for %q", r.Code, targets)
		}
	}
}

func everyCheck(r health.Report, do func(contract.Check)) {
	for _, c := range r.Machine {
		do(c)
	}
	for _, group := range []map[string][]contract.Check{r.Readers, r.Authenticators} {
		for _, checks := range group {
			for _, c := range checks {
				do(c)
			}
		}
	}
}

func TestJudgingIsPure(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		facts := anything(seed)
		a, b := health.Judge(facts, noon), health.Judge(facts, noon)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: two judgements of the same facts differ", seed)
		}
		if !reflect.DeepEqual(facts, anything(seed)) {
			t.Fatalf("seed %d: judging changed the facts", seed)
		}
	}
}

// TestEveryNamedCheckHasARow: what is not built yet answers all the same.
func TestEveryNamedCheckHasARow(t *testing.T) {
	t.Parallel()
	rows := map[failure.Code]bool{failure.CertUUID: true} // of a question, not of a card: package assurance
	for _, r := range health.Rules() {
		rows[r.Code] = true
	}
	for _, code := range strings.Fields(`
		NET_ISSUER NET_ACR NET_HSCN CLOCK_SKEW ENV_UUID PORT_CLASH BROWSER_LNA
		PCSC_SERVICE READER_PRESENT READER_DRIVER CARD_SINGLE CARD_PRESENT CARD_SERIES CARD_BLANK CERT_VALID CERT_ISSUER_ENV
		CERT_UUID PIN_RETRIES MW_PIV MW_OBERTHUR NHS_PORT_SERVICE NHS_CM NHS_CLIENT_CONFLICT NHS_ENV_REG OS_SUPPORT
		KEY_PRESENT KEY_FIDO2 KEY_L2 KEY_PIN_SET KEY_PIN_RETRIES KEY_REGISTERED KEY_CCID
		WH_PLATFORM WH_TPM WH_BATTERY WH_ENROLLED WH_REGISTERED TOTP_READY`) {
		if !rows[failure.Code(code)] {
			t.Errorf("no check says %s", code)
		}
	}
}

func TestDependenciesStandBeforeWhatDependsOnThem(t *testing.T) {
	t.Parallel()
	seen := map[health.Scope]map[failure.Code]bool{}
	for _, r := range health.Rules() {
		if seen[r.Scope] == nil {
			seen[r.Scope] = map[failure.Code]bool{}
		}
		if seen[r.Scope][r.Code] {
			t.Errorf("%s has two rows for %s", r.Code, r.Scope)
		}
		for _, dep := range r.DependsOn {
			if !seen[r.Scope][dep] {
				t.Errorf("%s of %s depends on %s, which does not stand before it", r.Code, r.Scope, dep)
			}
		}
		seen[r.Scope][r.Code] = true
		if _, known := failure.Lookup(r.Code); !known {
			t.Errorf("%s is not in the registry", r.Code)
		}
	}
}

// TestTimeAloneChangesACertificateWhenTheReportSaysSo follows Again to the end.
func TestTimeAloneChangesACertificateWhenTheReportSaysSo(t *testing.T) {
	t.Parallel()
	facts := world()
	facts.Cards[0].Certificates[1].NotBefore = noon.Add(time.Hour)
	facts.Cards[0].Certificates[1].NotAfter = noon.AddDate(1, 0, 0)
	now := noon
	var states []contract.CheckState
	for range 200 {
		report := health.Judge(facts, now)
		c := check(t, report.Authenticators["a"], failure.CertValid)
		if len(states) == 0 || states[len(states)-1] != c.State {
			states = append(states, c.State)
		}
		if report.Again.IsZero() {
			break
		}
		if !report.Again.After(now) {
			t.Fatalf("at %s it wants to be judged again at %s", now, report.Again)
		}
		before := health.Judge(facts, report.Again.Add(-time.Nanosecond))
		if was := check(t, before.Authenticators["a"], failure.CertValid); was.State != c.State || was.Evidence != c.Evidence {
			t.Fatalf("it changed before %s: %q, then %q", report.Again, c.Evidence, was.Evidence)
		}
		now = report.Again
	}
	want := []contract.CheckState{contract.Fail, contract.Pass, contract.Warn, contract.Fail}
	if !slices.Equal(states, want) {
		t.Errorf("states over time: %v, want %v", states, want)
	}
	if !now.After(facts.Cards[0].Certificates[0].NotAfter) {
		t.Errorf("the last change is at %s", now)
	}
}
