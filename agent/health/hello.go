package health

import (
	"fmt"
	"strconv"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// ofHello is [looking] at what Windows Hello needs, which is known before it is
// known whether Windows Hello is there.
func ofHello(judge func(subject, *Workstation) finding) func(subject) finding {
	look := looking(judge)
	return func(s subject) finding {
		if s.facts.OS != "windows" {
			return waitsFor(failure.WHPlatform, Check(failure.WHPlatform, contract.Fail, "", s.now))
		}
		return look(s)
	}
}

// helloPlatform rests on somebody's word, since only a session is told: it says
// whose and, by its time, how old it is.
func helloPlatform(s subject) finding {
	if s.facts.OS != "windows" {
		return fail(osName(s.facts.OS) + " has no Windows Hello")
	}
	said := s.sessions()
	if len(said) == 0 {
		return unknown("no program in a Windows session has said of late whether Windows Hello is there: `authbridge doctor`, run by you, does")
	}
	for _, one := range said {
		if one.API > 0 {
			f := pass(fmt.Sprintf("Windows offers it, by version %d of webauthn.dll, says %s", one.API, one.Who))
			f.at = one.At
			return f
		}
	}
	f := fail("Windows has no webauthn.dll, says " + said[0].Who)
	f.at = said[0].At
	return f
}

// helloEnrolled: the best word counts, since one user is enough for a sign-in.
func helloEnrolled(s subject) finding {
	var f finding
	for _, one := range s.sessions() {
		var said finding
		switch {
		case one.Available && one.Remote:
			said = warn("it is set up, and the session is over remote desktop, says " + one.Who)
		case one.Available:
			said = pass("it is set up, says " + one.Who)
		case one.Remote:
			said = warn("over remote desktop Windows does not offer it, says " + one.Who)
		default:
			said = fail("it is not set up, says " + one.Who)
		}
		if said.at = one.At; f.state == "" || worse(f.state, said.state) {
			f = said
		}
	}
	return f
}

func (s subject) sessions() []Session {
	if s.facts.Workstation == nil {
		return nil
	}
	return s.facts.Workstation.Sessions
}

func helloChip(_ subject, w *Workstation) finding {
	switch c := w.Chip.Is; {
	case w.Chip.Unknown != "":
		return unknown(w.Chip.Unknown)
	case c.Version == 0:
		return fail("the machine has no TPM, or it is switched off")
	case c.Version == 1:
		return fail("the TPM is of version 1.2")
	case c.Emulated:
		return pass("the TPM is of version 2.0, in software or of a virtual machine")
	}
	return pass("the TPM is of version 2.0")
}

// leastBattery is where Windows begins to save, in percent (NHS: manage Windows
// Hello for Business devices).
const leastBattery = 20

func helloBattery(_ subject, w *Workstation) finding {
	switch p := w.Power.Is; {
	case w.Power.Unknown != "":
		return unknown(w.Power.Unknown)
	case p.Saver:
		return warn("the battery saver is on")
	case p.Mains:
		return pass("the machine is on mains")
	case p.Percent < 0:
		return unknown("the machine runs on its battery, which does not say how full it is")
	case p.Percent < leastBattery:
		return warn("the battery has " + strconv.Itoa(p.Percent) + " %")
	default:
		return pass("the battery has " + strconv.Itoa(p.Percent) + " %")
	}
}
