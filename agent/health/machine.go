package health

import (
	"fmt"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// flap is how long a reader or the smartcard service may be away before its
// check says so: a reader that is powered anew, a service that is restarted.
const flap = 2 * time.Second

func machineRules() []Rule {
	rules := []Rule{
		{Code: failure.PCSCService, Scope: OfMachine, TimeToVisible: flap, judge: pcscService},
		{
			Code: failure.ReaderPresent, Scope: OfMachine, DependsOn: []failure.Code{failure.PCSCService},
			TimeToVisible: flap, judge: readerPresent,
		},
		{Code: failure.CardPresent, Scope: OfMachine, DependsOn: []failure.Code{failure.ReaderPresent}, judge: cardPresent},
		{Code: failure.CardSingle, Scope: OfMachine, DependsOn: []failure.Code{failure.CardPresent}, judge: cardSingle},
		{Code: failure.OSSupport, Scope: OfMachine, judge: osSupport},
		{Code: failure.KeyPresent, Scope: OfMachine, judge: keyPresent},
		{Code: failure.WHPlatform, Scope: OfMachine, judge: helloPlatform},
	}
	rules = append(
		rules,
		Rule{Code: failure.WHTPM, Scope: OfMachine, judge: ofHello(helloChip)},
		Rule{Code: failure.WHBattery, Scope: OfMachine, judge: ofHello(helloBattery)},
		Rule{Code: failure.WHEnrolled, Scope: OfMachine, DependsOn: []failure.Code{failure.WHPlatform}, judge: helloEnrolled},
		Rule{Code: failure.WHRegistered, Scope: OfMachine, PerTarget: true, DependsOn: []failure.Code{failure.WHPlatform}, judge: helloRegistered},
	)
	rules = append(rules, workstationRules()...)
	return append(rules, targetRules()...)
}

func notChecked(subject) finding { return unknown(NotChecked) }

// The names of the sources of this machine's hardware.
const (
	sourcePCSC = "pcsc"
	sourceFIDO = "fido"
)

func (f *Facts) source(name string) (contract.Source, bool) {
	for _, s := range f.Sources {
		if s.Name == name {
			return s, true
		}
	}
	return contract.Source{}, false
}

// ofSource says whether a source can see its devices at all; if it can, only
// the time of the finding is set.
func ofSource(f *Facts, name, what string, check failure.Code, kind contract.Kind) (found finding, up bool) {
	s, ok := f.source(name)
	switch {
	case !ok:
		return unknown("this daemon does not look for " + what), false
	case s.State == "up":
		return finding{at: s.ObservedAt}, true
	case s.State == "off":
		usual := failure.PhysicalOff
		if check != failure.PCSCService {
			usual = "" // the other source says it already
		}
		found = unknown(because("the daemon does not use the "+what+" of this machine", s.Detail)).as(said(s.Code, check, kind, usual))
	case s.State == "down":
		found = fail(because("the daemon cannot reach the "+what, s.Detail)).as(said(s.Code, check, kind, ""))
	default:
		found = unknown("the daemon has not looked at the " + what + " yet")
	}
	found.at = s.ObservedAt
	return found, false
}

func pcscService(s subject) finding {
	found, up := ofSource(s.facts, sourcePCSC, "smartcard readers", failure.PCSCService, contract.Smartcard)
	if !up {
		// Who has virtual readers only misses no service, and what is in them
		// does not wait for one.
		if onlyVirtualReaders(s.facts) {
			found.state = contract.Warn
			found.evidence += "; only virtual readers are here"
		}
		return found
	}
	found.state, found.evidence = contract.Pass, "the smartcard service answers"
	return found
}

// onlyVirtualReaders is whether all readers are virtual and need no service: one
// that vpcd has put into pcscd goes with it.
func onlyVirtualReaders(f *Facts) bool {
	for _, r := range f.Readers {
		if r.Origin == contract.Physical || r.Source == sourcePCSC {
			return false
		}
	}
	return len(f.Readers) > 0
}

func readerPresent(s subject) finding {
	var real, virtual []string
	for _, r := range s.facts.Readers {
		if r.Origin == contract.Physical {
			real = append(real, r.Name)
		} else {
			virtual = append(virtual, r.Name)
		}
	}
	switch {
	case len(real) > 0:
		return pass(count(len(real), "reader") + ": " + strings.Join(real, ", "))
	case len(virtual) > 0:
		return warn("only virtual readers: " + strings.Join(virtual, ", "))
	}
	return fail("the smartcard service lists no reader")
}

func cardPresent(s subject) finding {
	var answering, virtual, physical int
	var silent []string
	var word failure.Code // of the first of them
	for _, r := range s.facts.Readers {
		if r.Origin == contract.Physical {
			physical++
		}
		switch r.Condition {
		case contract.Empty, contract.Unavailable, contract.Forbidden:
		case contract.Ready, contract.Present, contract.InUse:
			if r.Origin == contract.Physical {
				answering++
			} else {
				virtual++
			}
		default: // mute, hung, unreadable
			if word == "" {
				word = cardCondition(r.Condition, r.Code, "").code
			}
			silent = append(silent, fmt.Sprintf("%s (%s)", r.Name, r.Condition))
		}
	}
	switch {
	case answering > 0:
		return pass(count(answering, "card") + " in the readers")
	case len(silent) > 0:
		return fail("a card is there but does not answer as it must, in " + strings.Join(silent, ", ")).as(word)
	case virtual > 0:
		return warn("only virtual cards")
	case physical == 0 && len(s.facts.Readers) > 0:
		return warn("no card in any of the virtual readers")
	}
	return fail("no card in any of " + count(len(s.facts.Readers), "reader"))
}

// cardSingle counts what NHS software would see. Virtual cards never count.
func cardSingle(s subject) finding {
	var nhs, other, unread int
	read := make(map[string]bool)
	for i := range s.facts.Cards {
		c := &s.facts.Cards[i]
		if c.Origin != contract.Physical {
			continue
		}
		read[c.Reader] = true
		switch {
		case c.Condition == contract.Present || c.Condition == contract.InUse && c.ReadAt.IsZero():
			unread++
		case IsNHS(c):
			nhs++
		default:
			other++
		}
	}
	for _, r := range s.facts.Readers {
		if r.Origin != contract.Physical || r.Condition == contract.Empty || read[r.ID] {
			continue
		}
		switch r.Condition {
		case contract.Present, contract.InUse:
			unread++
		case contract.Unavailable, contract.Forbidden:
		default:
			other++
		}
	}
	for i := range s.facts.Keys {
		if k := &s.facts.Keys[i]; k.Origin == contract.Physical && k.Info != nil && k.Info.CCID {
			other++
		}
	}
	switch {
	case nhs > 1:
		return fail(fmt.Sprintf("%d NHS smartcards are in the readers", nhs))
	case unread > 0:
		return unknown(count(unread, "card") + " not read yet")
	case nhs == 0:
		return unknown("no NHS smartcard that is no virtual one")
	case other > 0:
		return warn(fmt.Sprintf("one NHS smartcard, and %s that is none", count(other, "other card or security key")))
	}
	return pass("one NHS smartcard")
}

// IsNHS reports whether a card is one that NHS software would take: by its
// applet and issuer, never by its ATR alone.
func IsNHS(c *Card) bool {
	return Retired(c.ATR) || c.Environment == EnvironmentTest || c.Environment == EnvironmentLive
}

func osName(goos string) string {
	switch goos {
	case "linux":
		return "Linux"
	case "darwin":
		return "macOS"
	case "windows":
		return "Windows"
	case "":
		return "this operating system"
	}
	return goos
}

func keyPresent(s subject) finding {
	found, up := ofSource(s.facts, sourceFIDO, "security keys", failure.KeyPresent, contract.SecurityKey)
	if !up {
		return found
	}
	var real, virtual, forbidden int
	for i := range s.facts.Keys {
		switch k := &s.facts.Keys[i]; {
		case k.Origin != contract.Physical:
			virtual++
		case k.Condition == contract.Forbidden:
			forbidden++
		default:
			real++
		}
	}
	var f finding
	switch {
	case real == 1:
		f = pass("one security key")
	case real > 1:
		f = warn(fmt.Sprintf("%d security keys; a sign-in asks which", real))
	case forbidden > 0:
		f = fail(count(forbidden, "security key") + " that this process may not open").as(failure.KeyForbidden)
	case virtual > 0:
		f = warn("only virtual security keys")
	default:
		f = fail("no security key is plugged in")
	}
	f.at = found.at
	return f
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
