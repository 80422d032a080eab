package health

import (
	"fmt"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

func keyRules() []Rule {
	present := []failure.Code{failure.KeyPresent}
	fido2 := []failure.Code{failure.KeyPresent, failure.KeyFIDO2}
	return []Rule{
		{Code: failure.KeyPresent, Scope: OfKey, judge: keyAnswers},
		{Code: failure.KeyFIDO2, Scope: OfKey, DependsOn: present, judge: keyFIDO2},
		{Code: failure.KeyPINSet, Scope: OfKey, DependsOn: fido2, judge: keyPINSet},
		{
			Code: failure.KeyPINRetries, Scope: OfKey,
			DependsOn: []failure.Code{failure.KeyPresent, failure.KeyFIDO2, failure.KeyPINSet}, judge: keyPINRetries,
		},
		{Code: failure.KeyCCID, Scope: OfKey, DependsOn: present, judge: keyCCID},
		{Code: failure.KeyL2, Scope: OfKey, DependsOn: fido2, judge: notChecked},
		{Code: failure.KeyRegistered, Scope: OfKey, PerTarget: true, DependsOn: fido2, judge: keyRegistered},
	}
}

func keyAnswers(s subject) finding {
	k := s.key
	if f, down := whileDown(s.facts, k.Source); down {
		return f
	}
	word := func(usual failure.Code) failure.Code {
		return said(k.Code, failure.KeyPresent, contract.SecurityKey, usual)
	}
	switch k.Condition {
	case contract.Ready:
		if k.Info == nil {
			return unknown("the key was not read yet").as(failure.NotRead)
		}
		return pass("the key answers")
	case contract.Present:
		return unknown("the key is there and was not read yet").as(failure.NotRead)
	case contract.InUse:
		if k.Info == nil {
			return unknown(because("another program has the key", k.Detail)).as(word(failure.KeyBusy))
		}
		return warn(because("another program has the key", k.Detail)).as(word(failure.KeyBusy))
	case contract.Forbidden:
		return fail(because("this process may not open the key", k.Detail)).as(word(failure.KeyForbidden))
	case contract.Mute, contract.Hung:
		return fail(because("the key does not answer", k.Detail)).as(word(failure.KeyMute))
	case contract.Empty:
		return fail("the key was unplugged").as(word(failure.KeyGone))
	}
	return fail(because("the key does not answer as it must", k.Detail)).as(word(failure.KeyUnreadable))
}

func keyFIDO2(s subject) finding {
	switch {
	case s.key.Info == nil:
		return unknown("the key was not read yet")
	case !s.key.Info.FIDO2:
		return fail("the key lists no version of FIDO2, only the older U2F")
	}
	return pass("the key lists a version of FIDO2")
}

func keyPINSet(s subject) finding {
	info := s.key.Info
	switch {
	case info == nil:
		return unknown("the key was not read yet")
	case info.ForcePINChange:
		return warn("the key wants its PIN changed before the next use")
	case is(info.ClientPIN):
		return pass("a PIN is set")
	case is(info.UV):
		return pass("the key verifies its user by itself, for example by a finger")
	case info.ClientPIN == nil:
		return fail("the key cannot have a PIN and does not verify its user")
	}
	return fail("no PIN is set")
}

func is(option *bool) bool { return option != nil && *option }

// enoughKeyTries: of a key's eight tries (CTAP 2.1, 6.5.2.2) the last three
// are for the owner.
const enoughKeyTries = 4

func keyPINRetries(s subject) finding {
	pin, info := s.key.PIN, s.key.Info
	switch pin.State {
	case "blocked":
		return fail("no tries are left: the PIN is blocked")
	case "power_cycle":
		return warn("the key takes no PIN until it was unplugged and plugged in again")
	}
	switch left := pin.TriesLeft; {
	case left == nil && info != nil && !is(info.ClientPIN) && is(info.UV):
		if pin.UVTries != nil && *pin.UVTries == 0 {
			return fail("no tries are left for its own check of the user, and no PIN is set")
		}
		return pass("no PIN is needed: the key verifies its user by itself")
	case left == nil:
		return unknown("the key does not tell how many tries are left").as(failure.PINTriesUnknown)
	case *left <= 0:
		return fail("no tries are left: the PIN is blocked")
	case *left < enoughKeyTries:
		return warn(tries(*left) + " left; authbridge sends no PIN with so few")
	default:
		return pass(tries(*left) + " left")
	}
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// keyCCID: NHS software, which is Windows only, takes the smartcard side of a
// key for a second smartcard.
func keyCCID(s subject) finding {
	switch {
	case s.key.Info == nil:
		return unknown("the key was not read yet")
	case !s.key.Info.CCID:
		return pass("the key shows no smartcard interface")
	case s.facts.OS != "windows":
		return pass("the key is a smartcard too, which disturbs only NHS software on Windows")
	}
	return warn("the key is a smartcard too, which NHS software takes for a second one")
}
