package main

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/platform"
)

// diagnose explains what a newcomer meets: it joins what the daemon knows with
// what can be seen of the machine. snap is nil where no daemon answers, and ended is
// then why services of this machine do not run one. Each finding is a check, in the
// words of the registry.
func diagnose(m platform.Machine, snap *contract.Snapshot, listen string, ended ...string) []contract.Check {
	var found []contract.Check
	add := func(code failure.Code, state contract.CheckState, evidence string, args ...any) {
		entry, _ := failure.Lookup(code)
		found = append(found, contract.Check{
			Code: string(code), State: state, Title: entry.Title, NHSCode: entry.NHSCode,
			Evidence: fmt.Sprintf(evidence, args...), Remedy: entry.Remedy, Mend: entry.Mend.On(m.OS),
		})
	}
	if snap == nil {
		l, taken := listenerOn(m, listen)
		for _, why := range ended {
			if code, detail := endedBy(why); code != failure.PortTaken || !taken { // else its holder is told
				add(code, contract.Fail, "%s", detail)
			}
		}
		switch {
		case taken && l.Process.Name == "authbridge":
			add(failure.NotRunning, contract.Fail, "none answers here, but %s has %s: it keeps its state elsewhere, name that folder with --state-dir", programName(l.Process), l.Address)
		case taken:
			add(failure.PortTaken, contract.Fail, "%s listens on %s", programName(l.Process), l.Address)
			fallthrough
		default:
			add(failure.NotRunning, contract.Fail, "no daemon answers")
		}
	} else {
		if off := sourceOff(snap); off != "" && m.PhysicalHolder.PID != 0 {
			add(failure.PhysicalLocked, contract.Warn, "%s has the readers and keys of this machine", programName(m.PhysicalHolder))
		}
		readersWithoutDriver(m, snap, add)
		if users := othersWithPCSC(m); cardInUse(snap) && len(users) > 0 {
			add(failure.CardInUse, contract.Warn, "these programs use smartcards now: %s", strings.Join(users, ", "))
		}
	}
	if m.OS == "linux" {
		switch {
		case !m.PCSCInstalled:
			add(failure.PCSCNotInstalled, contract.Warn, "there is no pcscd on this machine")
		case !m.PCSCRunning:
			state := contract.Fail
			if snap != nil && slices.ContainsFunc(snap.Checks, func(c contract.Check) bool {
				return c.Code == string(failure.PCSCService) && c.State == contract.Warn
			}) {
				state = contract.Warn // the daemon has virtual readers, which need none
			}
			add(failure.PCSCService, state, "pcscd has no socket in /run/pcscd")
		}
	}
	for _, h := range m.Hidraw {
		if !h.Openable {
			add(failure.KeyForbidden, contract.Fail, "%s (%s) may not be opened by you", h.Path, h.Name)
		}
	}
	if len(m.MissingRules) > 0 {
		add(failure.ServiceRules, contract.Warn, "a system service is installed, and there is no %s", strings.Join(m.MissingRules, ", no "))
	}
	if m.NoTray {
		add(failure.TrayNone, contract.Warn, "nothing on the session's bus shows them")
	}
	for _, l := range m.Listeners {
		if host, port, _ := net.SplitHostPort(l.Address); (host == "0.0.0.0" || host == "::") && vpcdPorts[port] {
			add(failure.VPCDExposed, contract.Warn, "%s listens on %s", programName(l.Process), l.Address)
		}
	}
	return found
}

// group is checks of one thing.
type group struct {
	of     string // a reader's or authenticator's name, or this machine
	checks []contract.Check
	// standIns warn that only virtual devices are here, which nobody has to mend.
	standIns []contract.Check
}

// attention is what the daemon knows that fails or warns, wherever it belongs,
// but for what was told already, or follows from it: a service that is not
// installed does not run.
func attention(snap contract.Snapshot, told []contract.Check) []group {
	var all []group
	add := func(of string, checks []contract.Check) {
		var bad []contract.Check
		for _, c := range checks {
			is := func(t contract.Check) bool {
				return t.Code == c.Code || t.Code == string(failure.PCSCNotInstalled) && c.Code == string(failure.PCSCService)
			}
			if severity(c.State) >= severity(contract.Warn) && !ofSystem(c) && !slices.ContainsFunc(told, is) {
				bad = append(bad, c)
			}
		}
		if len(bad) > 0 {
			all = append(all, group{of: of, checks: bad})
		}
	}
	if add("this machine", snap.Checks); len(all) > 0 {
		all[0].checks, all[0].standIns = splitStandIns(snap, all[0].checks)
	}
	for _, r := range snap.Readers {
		add(r.Name, r.Checks)
	}
	for _, a := range snap.Authenticators {
		add(a.Name, a.Checks)
	}
	return all
}

// splitStandIns takes apart what says that only virtual devices of a kind are here.
func splitStandIns(snap contract.Snapshot, checks []contract.Check) (rest, standIns []contract.Check) {
	reader := slices.ContainsFunc(snap.Readers, func(r contract.Reader) bool { return r.Origin == contract.Physical })
	key := slices.ContainsFunc(snap.Authenticators, func(a contract.Authenticator) bool {
		return a.Kind == contract.SecurityKey && a.Origin == contract.Physical
	})
	for _, c := range checks {
		physical, ofDevices := map[string]bool{
			string(failure.ReaderPresent): reader, string(failure.CardPresent): reader, string(failure.KeyPresent): key,
		}[c.Code]
		if ofDevices && !physical && c.State == contract.Warn {
			standIns = append(standIns, c)
		} else {
			rest = append(rest, c)
		}
	}
	return rest, standIns
}

// ofSystem is whether a check says what this operating system lacks. That is
// no fault that anybody can mend: readiness says it where it matters.
func ofSystem(c contract.Check) bool {
	return c.Code == string(failure.OSSupport) || c.Code == string(failure.WHPlatform)
}

// vpcdPorts are the two slots of Debian's vsmartcard-vpcd (0x8C7B and the
// next).
var vpcdPorts = map[string]bool{"35963": true, "35964": true}

// sourceOff names a hardware source that is switched off.
func sourceOff(snap *contract.Snapshot) string {
	for _, s := range snap.Sources {
		if s.State == "off" {
			return s.Name
		}
	}
	return ""
}

// readersWithoutDriver compares the USB with what PC/SC lists: a reader that
// only the USB has lacks its driver. Where PC/SC is down it lists none for that
// reason, which is told.
func readersWithoutDriver(m platform.Machine, snap *contract.Snapshot, add func(failure.Code, contract.CheckState, string, ...any)) {
	for _, s := range snap.Sources {
		if s.Name == "pcsc" && s.State == "down" {
			return
		}
	}
	listed := 0
	for _, r := range snap.Readers {
		if r.Source == "pcsc" && r.Origin == contract.Physical {
			listed++
		}
	}
	if len(m.USBReaders) > listed {
		names := make([]string, len(m.USBReaders))
		for i, d := range m.USBReaders {
			names[i] = strings.TrimSpace(d.Name + " (" + d.VendorID + ":" + d.Product + ")")
		}
		add(failure.ReaderDriver, contract.Fail, "the USB has %s, PC/SC lists %d", strings.Join(names, ", "), listed)
	}
}

func cardInUse(snap *contract.Snapshot) bool {
	for _, r := range snap.Readers {
		if r.Condition == contract.InUse {
			return true
		}
	}
	return false
}

// othersWithPCSC names the programs that have the PC/SC library loaded, but
// for pcscd itself and us.
func othersWithPCSC(m platform.Machine) []string {
	var names []string
	for _, p := range m.PCSCUsers {
		if p.Name != "pcscd" && p.Name != "authbridge" {
			names = append(names, programName(p))
		}
	}
	return names
}

// listenerOn finds who has the port that we would listen on.
func listenerOn(m platform.Machine, listen string) (platform.Listener, bool) {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return platform.Listener{}, false
	}
	for _, l := range m.Listeners {
		if _, p, _ := net.SplitHostPort(l.Address); p == port {
			return l, true
		}
	}
	return platform.Listener{}, false
}

func programName(p platform.Process) string {
	switch {
	case p.PID == 0:
		return "a program of another user"
	case p.Name == "":
		return fmt.Sprintf("process %d", p.PID)
	default:
		return fmt.Sprintf("%s (process %d)", p.Name, p.PID)
	}
}
