package health

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// workstationRules are those of NHS software and of what it needs.
func workstationRules() []Rule {
	windows := []failure.Code{failure.OSSupport} // it exists nowhere else
	return []Rule{
		{Code: failure.MWPIV, Scope: OfMachine, DependsOn: windows, judge: looking(pivDriver)},
		{Code: failure.MWOberthur, Scope: OfMachine, DependsOn: windows, judge: looking(oberthur)},
		{Code: failure.NHSPortService, Scope: OfMachine, DependsOn: windows, judge: looking(nhsPortService)},
		{Code: failure.NHSCM, Scope: OfMachine, DependsOn: []failure.Code{failure.NHSPortService}, judge: looking(nhsManager)},
		{Code: failure.NHSClientConflict, Scope: OfMachine, DependsOn: windows, judge: looking(nhsConflict)},
		{Code: failure.NHSEnvReg, Scope: OfMachine, PerTarget: true, DependsOn: windows, judge: looking(nhsEnvironment)},
		{Code: failure.PortClash, Scope: OfMachine, judge: looking(portClash)},
		{Code: failure.BrowserLNA, Scope: OfMachine, judge: looking(browsers)},
	}
}

// looking judges what a look has found, and says so while there is none.
func looking(judge func(subject, *Workstation) finding) func(subject) finding {
	return func(s subject) finding {
		w := s.facts.Workstation
		if w == nil {
			return unknown("nobody has looked at the software of this machine yet")
		}
		f := judge(s, w)
		if f.at.IsZero() {
			f.at = w.At
		}
		return f
	}
}

func pivDriver(_ subject, w *Workstation) finding {
	switch {
	case w.PIVDriver.Unknown != "":
		return unknown(w.PIVDriver.Unknown)
	case w.PIVDriver.Is:
		return pass("Windows has a driver for cards with PIV")
	}
	return fail("Windows lists smartcard drivers, and none for cards with PIV")
}

// oberthur never fails: the middleware is known by its maker's name alone, and
// whose card is of another series misses nothing.
func oberthur(_ subject, w *Workstation) finding {
	program, installed := w.find(OberthurMiddleware)
	switch {
	case installed:
		return pass(program.text() + " is installed")
	case w.Oberthur.Is:
		return pass("Windows has a smartcard driver of Oberthur")
	case w.Oberthur.Unknown != "":
		return unknown(w.Oberthur.Unknown)
	case w.Programs.Unknown != "":
		return unknown(w.Programs.Unknown)
	}
	return warn("neither a program nor a smartcard driver that is named after Oberthur was found; only series 8 cards need it")
}

func nhsPortService(_ subject, w *Workstation) finding {
	s := w.Service.Is
	switch {
	case w.Service.Unknown != "":
		return unknown(w.Service.Unknown)
	case s.HTTP && s.HTTPS:
		return pass("NHS Port Service answers on port " + s.Port)
	case s.HTTP:
		return warn("NHS Port Service answers on port " + s.Port + " by http alone")
	case s.HTTPS:
		return warn("NHS Port Service answers on port " + s.Port + " by https alone")
	case len(s.Strangers) > 0:
		return fail("NHS Port Service answers on none of its ports; something else does on " + strings.Join(s.Strangers, ", "))
	}
	return fail("NHS Port Service answers on none of its ports")
}

// leastManager is the version of Credential Management that is not old (domain
// 7.3).
const leastManager = "1.4.2.0"

func nhsManager(_ subject, w *Workstation) finding {
	m := w.Service.Is.Manager
	switch {
	case w.Service.Unknown != "":
		return unknown(w.Service.Unknown)
	case m.Unknown != "":
		return unknown(m.Unknown)
	case m.Port == 0:
		return fail("NHS Port Service says that no NHS Credential Management runs in this Windows session: " + m.Fault)
	case !m.Accepts:
		return fail(fmt.Sprintf("NHS Credential Management takes no connection on port %d, which NHS Port Service names", m.Port))
	}
	is := fmt.Sprintf("NHS Credential Management takes connections on port %d", m.Port)
	program, installed := w.find(CredentialManagement)
	if !installed {
		return pass(is)
	}
	if older, ok := olderThan(program.Version, leastManager); ok && older {
		return warn(is + ", and is older than " + leastManager + ": " + program.Version)
	}
	return pass(is + ", and is version " + cmp.Or(program.Version, "unknown"))
}

// Identity Agent: the one version that is not retired, and its end (domain 2.5).
const leastAgent = "2.4.10.0"

var (
	agentEnds  = time.Date(2027, time.February, 28, 0, 0, 0, 0, time.UTC)
	agentLeave = agentEnds.AddDate(0, 0, -90)
)

func nhsConflict(s subject, w *Workstation) finding {
	if w.Programs.Unknown != "" {
		return unknown(w.Programs.Unknown)
	}
	agent, hasAgent := w.find(IdentityAgent)
	manager, hasManager := w.find(CredentialManagement)
	_, hasConnect := w.find(SmartcardConnect)
	copies := 0
	for _, p := range w.Programs.Is {
		if p.Is == CredentialManagement {
			copies++
		}
	}
	brings := false // Smartcard Connect, as version 3 and later do
	if older, ok := olderThan(manager.Version, "3"); ok {
		brings = !older
	}
	switch {
	case copies > 1:
		return fail(fmt.Sprintf("NHS Credential Management is installed %d times", copies))
	case hasAgent && (hasConnect || hasManager && brings):
		return fail(agent.text() + " is installed together with NHS Smartcard Connect")
	case !hasAgent && !hasManager && !hasConnect:
		return pass("no NHS smartcard program is installed")
	}
	if older, ok := olderThan(agent.Version, leastAgent); hasAgent && ok && older {
		return fail(agent.text() + " is installed, and all before " + leastAgent + " are retired")
	}
	f := pass("nothing that is installed gets in the way of another")
	if hasAgent {
		if f.again = agentLeave; !s.now.Before(agentLeave) {
			f = warn("NHS Identity Agent is in use, which ends on 28 February 2027")
		}
	}
	return f
}

// gateways are the hosts at which NHS Identity Agent signs in, by target.
var gateways = map[string]string{
	"gas.national.ncrs.nhs.uk":      "prod",
	"gas.nis1.national.ncrs.nhs.uk": "int",
	"gas.vn1.national.ncrs.nhs.uk":  "dep",
	"gas.vn03.national.ncrs.nhs.uk": "dev",
	"gas.tsp.national.ncrs.nhs.uk":  "training",
}

func nhsEnvironment(s subject, w *Workstation) finding {
	if w.Programs.Unknown == "" {
		if _, installed := w.find(IdentityAgent); !installed {
			return pass("NHS Identity Agent is not installed, so nothing is set")
		}
	}
	target := s.target.Name
	is, known := gateways[w.Gateway.Is]
	takes := false // CIS1 has a gateway for the target
	for _, t := range gateways {
		takes = takes || t == target
	}
	switch {
	case w.Gateway.Unknown != "":
		return unknown(w.Gateway.Unknown)
	case w.Gateway.Is == "":
		return unknown("which environment NHS Identity Agent is set to was not found in the registry")
	case !known:
		return unknown("NHS Identity Agent is set to " + w.Gateway.Is + ", whose environment is not known")
	case !takes:
		return unknown("NHS Identity Agent is set to " + is + "; which " + target + " takes is not known")
	case is != target:
		return fail("NHS Identity Agent is set to " + is + ", by " + w.Gateway.Is)
	}
	return pass("NHS Identity Agent is set to " + is)
}

func portClash(_ subject, w *Workstation) finding {
	p := w.Port
	switch {
	case p.NHS:
		return fail("port " + p.Own + " is one that NHS software uses")
	case p.Neighbour.Unknown != "":
		return unknown(p.Neighbour.Unknown)
	case p.Neighbour.Is:
		return warn("another program listens on port " + p.Own + " of the other loopback address, where `localhost` may lead")
	}
	return pass("port " + p.Own + " is the daemon's alone")
}

// browsers looks at what administrators have ruled. That a page is let ask is a
// matter of its user, who is asked once by Chromium 142 and later.
func browsers(_ subject, w *Workstation) finding {
	if w.Policies.Unknown != "" {
		return unknown(w.Policies.Unknown)
	}
	by := make(map[string][]string)
	for _, p := range w.Policies.Is {
		by[p.Effect] = append(by[p.Effect], p.Name+" of "+p.Browser)
	}
	say := func(effect, what string) string { return what + ": " + strings.Join(by[effect], ", ") }
	switch {
	case by[BlocksCookies] != nil:
		return fail(say(BlocksCookies, "cookies of localhost are blocked"))
	case by[BlocksAll] != nil:
		return fail(say(BlocksAll, "no page may use this machine"))
	case by[BlocksSome] != nil:
		return warn(say(BlocksSome, "some pages may not use this machine"))
	case by[Lets] != nil:
		return pass(say(Lets, "pages may use this machine without being asked"))
	}
	return pass("no rule keeps pages from this machine; from Chromium 142 on the user is asked")
}

func (w *Workstation) find(is Product) (Program, bool) {
	for _, p := range w.Programs.Is {
		if p.Is == is {
			return p, true
		}
	}
	return Program{}, false
}

// text names a program with its version.
func (p Program) text() string {
	if p.Version == "" {
		return string(p.Is)
	}
	return string(p.Is) + " " + p.Version
}

// olderThan compares versions of dotted numbers; ok is false where one is none.
func olderThan(version, least string) (older, ok bool) {
	a, okA := numbers(version)
	b, okB := numbers(least)
	if !okA || !okB {
		return false, false
	}
	for i := range max(len(a), len(b)) {
		var x, y uint64
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return x < y, true
		}
	}
	return false, true
}

func numbers(version string) ([]uint64, bool) {
	var all []uint64
	for part := range strings.SplitSeq(strings.TrimPrefix(version, "v"), ".") {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return nil, false
		}
		all = append(all, n)
	}
	return all, true
}

// osSupport: what is older than Windows 10 gets no support by its maker.
func osSupport(s subject) finding {
	if s.facts.OS != "windows" {
		return fail("NHS smartcard software does not exist for " + osName(s.facts.OS) + "; the health of cards is checked all the same")
	}
	w := s.facts.Workstation
	if w == nil || w.Windows.Is == "" {
		return pass("Windows")
	}
	f := pass("Windows " + w.Windows.Is)
	if older, ok := olderThan(w.Windows.Is, "10"); ok && older {
		f = finding{state: contract.Warn, evidence: "Windows " + w.Windows.Is + " is older than Windows 10"}
	}
	f.at = w.At
	return f
}
