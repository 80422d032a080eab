//go:build linux && e2e

package kernel_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/e2e/guest"
)

// unit is the unit of the packages.
const unit = "/usr/lib/systemd/user/authbridge.service"

// aged is the package with an older version.
func aged(t *testing.T, deb string) string {
	t.Helper()
	dir := t.TempDir()
	asRoot(t, "dpkg-deb", "-R", deb, filepath.Join(dir, "tree"))
	asRoot(t, "sed", "-i", "s/^Version: .*/Version: 0.0.0~older/", filepath.Join(dir, "tree", "DEBIAN", "control"))
	old := filepath.Join(dir, "older.deb")
	asRoot(t, "dpkg-deb", "-Znone", "-b", filepath.Join(dir, "tree"), old)
	return old
}

// apt is what apt-get says and whether it succeeds.
func apt(args ...string) (out string, ok bool) {
	cmd := exec.Command("apt-get", append([]string{"-y", "-q", "-o", "APT::Sandbox::User=root"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	text, err := cmd.CombinedOutput()
	return string(text), err == nil
}

// sees waits until the daemon's state is as wanted.
func (p *person) sees(what string, wanted func(contract.Snapshot) bool) {
	p.t.Helper()
	late := time.Now().Add(patience)
	for {
		out, _ := p.run("authbridge", "status", "--json")
		var now contract.Snapshot
		if json.Unmarshal([]byte(out), &now) == nil && wanted(now) {
			return
		}
		if time.Now().After(late) {
			journal, _ := exec.Command("journalctl", "--no-pager", "-n", "60").CombinedOutput()
			p.t.Fatalf("%s: it does not come:\n%s\n%s", what, out, journal)
		}
	}
}

// hasCard is whether the card in the guest's USB reader is seen.
func hasCard(s contract.Snapshot) bool {
	for _, r := range s.Readers {
		if r.Origin == contract.Physical && r.ATR != "" {
			return true
		}
	}
	return false
}

// listsReaders is what OpenSC says to a system service of a user.
func listsReaders(user string) string {
	out, _ := exec.Command("systemd-run", "--quiet", "--wait", "--pipe", "-p", "User="+user, "opensc-tool", "-l").CombinedOutput()
	return string(out)
}

// TestThePackageFromInstallToPurge is the deb that `make dist` made, with a person
// who logs in at the machine.
func TestThePackageFromInstallToPurge(t *testing.T) {
	p := tester(t)
	deb := filepath.Join(guest.Share, deb)
	old := aged(t, deb)
	t.Cleanup(func() { apt("purge", "authbridge") })

	out, ok := apt("install", old)
	if !ok || !strings.Contains(out, "authbridge: starts by itself when you log in the next time") {
		t.Fatalf("installed: %t\n%s", ok, out)
	}
	if out, err := exec.Command("dpkg", "-V", "authbridge").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("dpkg -V: %v\n%s", err, out)
	}
	atSeat(t, p.user.Username, 1)

	t.Run("it runs with the session, and sees the card that the person may use", func(t *testing.T) {
		p := p.in(t)
		p.sees("a card", hasCard)
		if s := p.service(); !s.Enabled || !s.Running || !s.Answers || s.Unit != unit {
			t.Errorf("%+v", s)
		}
		if out := p.does("systemd-analyze", "--user", "--man=no", "verify", unit); strings.TrimSpace(out) != "" {
			t.Errorf("the unit: %s", out)
		}
		p.does("authbridge", "ready", "--aal", "3", "--target", "mock", "--wait", "20s")
	})
	t.Run("smartcards are for the system service's user, by the rule, and for no other", func(t *testing.T) {
		if out := listsReaders("authbridge"); !strings.Contains(out, "CCID") {
			t.Errorf("the system service's user is refused:\n%s", out)
		}
		if out := listsReaders("nobody"); strings.Contains(out, "CCID") {
			t.Errorf("anybody is let in:\n%s", out)
		}
	})
	t.Run("it runs for no system user", func(t *testing.T) {
		asRoot(t, "systemctl", "start", "user@0.service")
		defer asRoot(t, "systemctl", "stop", "user@0.service")
		show := exec.Command("systemctl", "--user", "show", "-p", "ActiveState,ConditionResult", "authbridge")
		show.Env = append(os.Environ(), "XDG_RUNTIME_DIR=/run/user/0")
		out, _ := show.CombinedOutput()
		if !sameLines(string(out), "ActiveState=inactive\nConditionResult=no\n") {
			t.Errorf("%s", out)
		}
	})
	t.Run("it is the package's to install and to take away", func(t *testing.T) {
		p := p.in(t)
		p.does("authbridge", "service", "install")
		if s := p.service(); s.Unit != unit || !s.Answers {
			t.Errorf("%+v", s)
		}
		if out, code := p.run("authbridge", "service", "uninstall"); code != 4 || !strings.Contains(out, "SERVICE_PACKAGED") {
			t.Errorf("exit code %d\n%s", code, out)
		}
	})
	t.Run("an upgrade starts it anew and keeps what it knows", func(t *testing.T) {
		p := p.in(t)
		p.does("authbridge", "token", "create", "kept", "--rights", "read")
		pid := p.mainPID()
		if out, ok := apt("install", deb); !ok {
			t.Fatal(out)
		}
		p.sees("a card, after the upgrade", hasCard)
		if again := p.mainPID(); again == pid {
			t.Error("the old one still runs")
		}
		if out := p.does("authbridge", "token"); !strings.Contains(out, "kept") {
			t.Errorf("the token is gone:\n%s", out)
		}
	})
	t.Run("a downgrade is refused and changes nothing", func(t *testing.T) {
		p := p.in(t)
		pid := p.mainPID()
		if out, ok := apt("install", "--allow-downgrades", old); ok || !strings.Contains(out, "is older than") {
			t.Errorf("downgraded: %t\n%s", ok, out)
		}
		if again := p.mainPID(); again != pid || !p.service().Answers {
			t.Errorf("process %d was %d", again, pid)
		}
	})
	t.Run("purged, it leaves what is the person's own and says so", func(t *testing.T) {
		p := p.in(t)
		purged(t, filepath.Join(p.user.HomeDir, ".local/state/authbridge"))
	})
}
