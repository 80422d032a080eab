package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/platform"
)

// healthy is a Linux machine on which nothing is wrong.
func healthy() (platform.Machine, *contract.Snapshot) {
	machine := platform.Machine{
		OS: "linux", PCSCInstalled: true, PCSCRunning: true,
		USBReaders: []platform.USBDevice{{Path: "1-2", VendorID: "08e6", Product: "3437", Name: "Reader"}},
		Hidraw:     []platform.HidrawNode{{Path: "/dev/hidraw1", Name: "Key", Openable: true}},
		Listeners:  []platform.Listener{{Address: "127.0.0.1:35963", Process: platform.Process{PID: 9, Name: "pcscd"}}},
		PCSCUsers:  []platform.Process{{PID: 9, Name: "pcscd"}, {PID: 10, Name: "authbridge"}},
	}
	return machine, &contract.Snapshot{
		Sources: []contract.Source{{Name: "pcsc", State: "up"}},
		Readers: []contract.Reader{{Name: "Reader 00 00", Source: "pcsc", Origin: contract.Physical, Condition: contract.Ready}},
	}
}

func TestDoctorFindsAndExplainsWhatANewcomerMeets(t *testing.T) {
	t.Parallel()
	other := platform.Process{PID: 77, Name: "scdaemon"}
	for name, c := range map[string]struct {
		spoil    func(*platform.Machine, *contract.Snapshot)
		silent   bool     // no daemon answers
		ended    []string // why services do not run one
		code     string
		evidence string
	}{
		"all is well": {},
		"pcscd is not installed": {
			spoil: func(m *platform.Machine, _ *contract.Snapshot) { m.PCSCInstalled = false },
			code:  "PCSC_NOT_INSTALLED", evidence: "no pcscd",
		},
		"the desktop has no tray": {
			spoil: func(m *platform.Machine, _ *contract.Snapshot) { m.NoTray = true },
			code:  "TRAY_NONE", evidence: "shows them",
		},
		"a system service without a package": {
			spoil: func(m *platform.Machine, _ *contract.Snapshot) {
				m.MissingRules = []string{"/etc/polkit-1/rules.d/authbridge.rules", "/etc/udev/rules.d/71-authbridge.rules"}
			},
			code: "SERVICE_RULES", evidence: "no /etc/polkit-1/rules.d/authbridge.rules, no /etc/udev/rules.d/71-authbridge.rules",
		},
		"pcscd does not run": {
			spoil: func(m *platform.Machine, _ *contract.Snapshot) { m.PCSCRunning = false },
			code:  "PCSC_SERVICE", evidence: "no socket",
		},
		"a key's node may not be opened": {
			spoil: func(m *platform.Machine, _ *contract.Snapshot) { m.Hidraw[0].Openable = false },
			code:  "KEY_FORBIDDEN", evidence: "/dev/hidraw1 (Key)",
		},
		"a USB reader that PC/SC does not have": {
			spoil: func(_ *platform.Machine, s *contract.Snapshot) { s.Readers = nil },
			code:  "READER_DRIVER", evidence: "Reader (08e6:3437)",
		},
		"pcscd refuses the daemon: that is told, and no driver is missing": {
			spoil: func(_ *platform.Machine, s *contract.Snapshot) {
				s.Sources[0] = contract.Source{Name: "pcsc", State: "down", Code: "PCSC_DENIED"}
				s.Readers = nil
			},
		},
		"another program holds the card, and is named": {
			spoil: func(m *platform.Machine, s *contract.Snapshot) {
				s.Readers[0].Condition = contract.InUse
				m.PCSCUsers = append(m.PCSCUsers, other)
			},
			code: "CARD_IN_USE", evidence: "scdaemon (process 77)",
		},
		"vpcd listens for everybody": {
			spoil: func(m *platform.Machine, _ *contract.Snapshot) { m.Listeners[0].Address = "0.0.0.0:35963" },
			code:  "VPCD_EXPOSED", evidence: "pcscd (process 9) listens on 0.0.0.0:35963",
		},
		"a second daemon has the hardware": {
			spoil: func(m *platform.Machine, s *contract.Snapshot) {
				s.Sources[0].State = "off"
				m.PhysicalHolder = platform.Process{PID: 10, Name: "authbridge"}
			},
			code: "PHYSICAL_LOCKED", evidence: "authbridge (process 10)",
		},
		"no daemon runs": {silent: true, code: "NOT_RUNNING", evidence: "no daemon answers"},
		"the daemon runs with another state folder": {
			silent: true,
			spoil: func(m *platform.Machine, _ *contract.Snapshot) {
				m.Listeners = append(m.Listeners, platform.Listener{Address: "127.0.0.1:17823", Process: platform.Process{PID: 10, Name: "authbridge"}})
			},
			code: "NOT_RUNNING", evidence: "--state-dir",
		},
		"the port is taken": {
			silent: true,
			spoil: func(m *platform.Machine, _ *contract.Snapshot) {
				m.Listeners = append(m.Listeners, platform.Listener{Address: "127.0.0.1:17823", Process: other})
			},
			ended: []string{"PORT_TAKEN: 127.0.0.1:17823"},
			code:  "PORT_TAKEN", evidence: "scdaemon (process 77) listens on 127.0.0.1:17823",
		},
		"the service could not start": {
			silent: true, ended: []string{"STATE_DAMAGED: open /home/ada/.local/state/authbridge/authbridge.db: file is not a database"},
			code: "STATE_DAMAGED", evidence: "open /home/ada/.local/state/authbridge/authbridge.db: file is not a database",
		},
		"the service could not start, and has no code for it": {
			silent: true, ended: []string{"odd: things"}, code: "SERVICE_FAILED", evidence: "odd: things",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, snap := healthy()
			if c.spoil != nil {
				c.spoil(&m, snap)
			}
			if c.silent {
				snap = nil
			}
			found := diagnose(m, snap, defaultListen, c.ended...)
			if c.code == "" {
				if len(found) > 0 {
					t.Errorf("found %+v", found)
				}
				return
			}
			for _, f := range found {
				if f.Code == c.code {
					if !strings.Contains(f.Evidence, c.evidence) || f.Remedy == "" || f.Title == "" {
						t.Errorf("%+v, want evidence %q, a title and a remedy", f, c.evidence)
					}
					if byHand := slices.Contains([]string{"CARD_IN_USE", "VPCD_EXPOSED", "STATE_DAMAGED", "SERVICE_FAILED"}, f.Code); byHand != (f.Mend == "") {
						t.Errorf("it is mended by %q", f.Mend)
					}
					return
				}
			}
			t.Errorf("%s not among %+v", c.code, found)
		})
	}
}

// TestDoctorTellsACauseAndNotWhatFollows: a service that is not installed does not
// run, either.
func TestDoctorTellsACauseAndNotWhatFollows(t *testing.T) {
	t.Parallel()
	m, snap := healthy()
	m.PCSCInstalled, m.PCSCRunning = false, false
	snap.Checks = []contract.Check{{Code: "PCSC_SERVICE", State: contract.Fail}}
	if found := diagnose(m, snap, defaultListen); len(found) != 1 || found[0].Code != "PCSC_NOT_INSTALLED" || len(attention(*snap, found)) > 0 {
		t.Errorf("found %+v, and %+v", found, attention(*snap, found))
	}
	m.PCSCInstalled = true
	if found := diagnose(m, snap, defaultListen); len(found) != 1 || found[0].Code != "PCSC_SERVICE" {
		t.Errorf("found %+v", found)
	}
}

// TestWhatVirtualDevicesStandInForIsOneRow: until there is hardware, or what is wrong
// is more than its absence.
func TestWhatVirtualDevicesStandInForIsOneRow(t *testing.T) {
	t.Parallel()
	_, snap := healthy()
	warns := []contract.Check{{Code: "READER_PRESENT", State: contract.Warn}, {Code: "KEY_PRESENT", State: contract.Warn}, {Code: "CLOCK_SKEW", State: contract.Warn}}
	snap.Checks = warns
	if all := attention(*snap, nil); len(all) != 1 || len(all[0].checks) != 2 || len(all[0].standIns) != 1 || all[0].standIns[0].Code != "KEY_PRESENT" {
		t.Errorf("with a reader: %+v", all)
	}
	snap.Readers = nil
	snap.Authenticators = []contract.Authenticator{{Kind: contract.SecurityKey, Origin: contract.Physical}}
	if all := attention(*snap, nil); len(all[0].standIns) != 1 || all[0].standIns[0].Code != "READER_PRESENT" {
		t.Errorf("with a key: %+v", all)
	}
	snap.Checks[0].State = contract.Fail
	if all := attention(*snap, nil); len(all[0].standIns) != 0 {
		t.Errorf("one that fails: %+v", all)
	}
}

var update = flag.Bool("update", false, "write what doctor says in testdata/doctor anew")

// TestDoctorOnRecordedMachines holds all that a person reads, whole and in 80
// columns. What a recording lacks of a check is the registry's.
func TestDoctorOnRecordedMachines(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/doctor/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var m platform.Machine
			var snap *contract.Snapshot
			for _, part := range archive.Files {
				switch part.Name {
				case "machine.json":
					err = json.Unmarshal(part.Data, &m)
				case "snapshot.json":
					err = json.Unmarshal(part.Data, &snap)
				}
				if err != nil {
					t.Fatalf("%s: %v", part.Name, err)
				}
			}
			said := doctorSays(m, snap)
			want := &archive.Files[len(archive.Files)-1]
			if *update {
				want.Data = []byte(said)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if said != string(want.Data) {
				t.Errorf("it says\n%s\nwant\n%s", said, want.Data)
			}
			for line := range strings.Lines(said) {
				if columns(strings.TrimSuffix(line, "\n")) > 80 {
					t.Errorf("wider than 80 columns: %s", line)
				}
			}
		})
	}
}

func doctorSays(m platform.Machine, snap *contract.Snapshot) string {
	found := diagnose(m, snap, defaultListen)
	var more []group
	if snap != nil {
		inWords(m.OS, snap.Checks)
		for _, a := range snap.Authenticators {
			inWords(m.OS, a.Checks)
		}
		more = attention(*snap, found)
	}
	var said strings.Builder
	(&screen{w: &said, width: defaultWidth}).showFindings(found, more)
	return said.String()
}

func inWords(system string, checks []contract.Check) {
	for i := range checks {
		entry, _ := failure.Lookup(failure.Code(checks[i].Code))
		checks[i].Title, checks[i].NHSCode = entry.Title, entry.NHSCode
		checks[i].Remedy, checks[i].Mend = entry.Remedy, entry.Mend.On(system)
	}
}
