//go:build linux && e2e

package kernel_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/e2e/guest"
)

// systemUnit is the system unit of the packages.
const systemUnit = "/usr/lib/systemd/system/authbridge.service"

// as is a user of the guest's without a session.
func as(t *testing.T, name string) *person {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t: t, user: u, cred: syscall.Credential{Uid: number(t, u.Uid), Gid: number(t, u.Gid)}}
}

// unitSays is a property of the system unit.
func unitSays(t *testing.T, property string) string {
	t.Helper()
	out, err := exec.Command("systemctl", "show", "-p", property, "--value", "authbridge.service").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func unitNumber(t *testing.T, property string) int {
	t.Helper()
	n, err := strconv.Atoi(unitSays(t, property))
	if err != nil {
		t.Fatalf("%s: %v", property, err)
	}
	return n
}

// rebooted is the variable that says that the guest was rebooted by the first half
// of the story of the whole machine.
const rebooted = "AUTHBRIDGE_REBOOTED"

// TestTheServiceOfTheWholeMachine is the life of the packages' system service:
// refused by polkit where no rule names it, installed, hardened, killed, upgraded,
// there again after a reboot, and purged. It is in the last of the files, since
// nothing is tested in between.
func TestTheServiceOfTheWholeMachine(t *testing.T) {
	if os.Getenv(rebooted) != "" {
		afterTheReboot(t)
		return
	}
	deb := filepath.Join(guest.Share, deb)
	since := journalNow(t)
	refusedWithoutTheRule(t, deb)
	old := aged(t, deb)
	if out, ok := apt("install", old); !ok {
		t.Fatal(out)
	}
	if out, err := exec.Command("systemctl", "is-enabled", "authbridge.service").Output(); strings.TrimSpace(string(out)) != "disabled" {
		t.Errorf("before an administrator enables it, it is %s, %v", out, err)
	}
	if out, code := as(t, "tester").run("authbridge", "service", "install", "--system"); code != 4 || !strings.Contains(out, "SERVICE_RIGHTS") {
		t.Errorf("whoever is no administrator: exit code %d\n%s", code, out)
	}
	root := as(t, "root")
	root.does("authbridge", "service", "install", "--system")
	if unit := unitSays(t, "FragmentPath"); unit != systemUnit {
		t.Errorf("it runs by the unit %s", unit)
	}
	t.Run("it sees the card, by the rule", func(t *testing.T) {
		root.in(t).sees("a card", hasCard)
	})
	t.Run("the rule lets it use smartcards and do nothing else", func(t *testing.T) {
		want := []string{"org.debian.pcsc-lite.access_card", "org.debian.pcsc-lite.access_pcsc"}
		if got := polkitLets(t, unitNumber(t, "MainPID")); !slices.Equal(got, want) {
			t.Errorf("polkit lets it do %s", got)
		}
	})
	t.Run("it sees a key, by its group", func(t *testing.T) {
		k := guestKey(t, "guest-lab")
		gadget(t, k, own(k))
		root.in(t).sees("a key", func(s contract.Snapshot) bool {
			return slices.ContainsFunc(s.Authenticators, func(a contract.Authenticator) bool {
				return a.Condition == contract.Ready && strings.HasSuffix(a.Product, k.Product())
			})
		})
	})
	t.Run("a login at its mock goes through", func(t *testing.T) {
		if out, code := root.in(t).run("authbridge", "login", "--target", "mock", "--kind", "security-key"); code != 0 {
			t.Errorf("exit code %d\n%s", code, out)
		}
	})
	t.Run("each has the rights of who they are", rightsByWhoTheyAre)
	t.Run("hardened to 2.0 or better", hardened)
	t.Run("killed, it is back", func(t *testing.T) {
		pid := unitNumber(t, "MainPID")
		killed := monotonic(t)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		root.in(t).sees("a card, after it was killed", hasCard)
		t.Logf("it listens again %s after kill -9", time.Duration(unitNumber(t, "ActiveEnterTimestampMonotonic"))*time.Microsecond-killed)
		if again := unitNumber(t, "MainPID"); again == pid || unitNumber(t, "NRestarts") != 1 {
			t.Errorf("process %d was %d", again, pid)
		}
	})
	t.Run("upgraded, and installed once more, it runs on with its state", func(t *testing.T) {
		root := root.in(t)
		if out, code := root.run("authbridge", "token", "create", "kept", "--rights", "read"); code != 0 {
			t.Fatal(out)
		}
		for _, how := range [][]string{{"install", deb}, {"install", "--reinstall", deb}} {
			pid := unitNumber(t, "MainPID")
			if out, ok := apt(how...); !ok {
				t.Fatal(out)
			}
			if again := unitNumber(t, "MainPID"); again == pid || again == 0 {
				t.Errorf("apt %s: process %d was %d", how, again, pid)
			}
			root.keeps("kept")
		}
	})
	t.Run("nothing is refused but what is listed", func(t *testing.T) { wantsOnlyListedDenials(t, since) })
	if !t.Failed() {
		reboot(t)
	}
}

// reboot leaves the second half of the story for the machine's next boot.
func reboot(t *testing.T) {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/bash\ncd %s && %s=1 %s=require exec ./%s -test.v -test.run '^%s$'\n",
		folder, rebooted, guest.Require, filepath.Base(os.Args[0]), t.Name())
	if err := os.WriteFile(filepath.Join(guest.Share, "reboot"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func afterTheReboot(t *testing.T) {
	root := as(t, "root")
	t.Run("it is there again, with card and state", func(t *testing.T) {
		root.in(t).sees("a card, after a reboot", hasCard)
		root.in(t).keeps("kept")
	})
	t.Run("who logs in gets no daemon beside it", func(t *testing.T) {
		p := tester(t)
		atSeat(t, p.user.Username, 1)
		asRoot(t, "systemctl", "start", "user@"+p.user.Uid+".service") // or joins that it starts
		p.run("systemctl", "--user", "is-system-running", "--wait")
		out := p.does("systemctl", "--user", "show", "-p", "ActiveState,ConditionResult,ConditionTimestampMonotonic", "authbridge")
		if !strings.Contains(out, "ActiveState=inactive\n") || !strings.Contains(out, "ConditionResult=no\n") || strings.Contains(out, "Monotonic=0\n") {
			t.Errorf("%s", out)
		}
	})
	t.Run("purged, it leaves nothing", func(t *testing.T) { purged(t, "") })
}

// keeps wants a token to be there.
func (p *person) keeps(token string) {
	p.t.Helper()
	until(p.t, "the token "+token, func() bool {
		out, code := p.run("authbridge", "token")
		return code == 0 && strings.Contains(out, token)
	})
}

// refusedWithoutTheRule installs the deb's program as a system service, without the
// deb's rule: it says what refuses it and what helps, and goes again.
func refusedWithoutTheRule(t *testing.T, deb string) {
	t.Helper()
	tree := t.TempDir()
	asRoot(t, "dpkg-deb", "-x", deb, tree)
	asRoot(t, "install", filepath.Join(tree, "usr/bin/authbridge"), programs)
	defer func() { _ = os.Remove(filepath.Join(programs, "authbridge")) }()
	root := as(t, "root")
	root.does("authbridge", "service", "install", "--system")
	root.sees("that pcscd refuses it", func(s contract.Snapshot) bool {
		return slices.ContainsFunc(s.Checks, func(c contract.Check) bool { return c.Code == "PCSC_DENIED" })
	})
	for _, command := range []string{"status", "doctor"} {
		if out, _ := root.run("authbridge", command); !strings.Contains(out, "PCSC_DENIED") || !strings.Contains(out, "polkit rule") {
			t.Errorf("%s does not say what refuses it and what helps:\n%s", command, out)
		}
	}
	root.does("authbridge", "service", "uninstall", "--system")
	if state := unitSays(t, "LoadState"); state != "not-found" {
		t.Errorf("uninstalled, its unit is %s", state)
	}
}

// hardened asks systemd how much of the machine the unit is open to, from 0 to 10.
func hardened(t *testing.T) {
	const most = "20" // tenths
	out, err := exec.Command("systemd-analyze", "security", "--no-pager", "--threshold="+most, "authbridge.service").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "Overall exposure") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if out, err := exec.Command("systemd-analyze", "--man=no", "verify", systemUnit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("the unit: %v\n%s", err, out)
	}
}

// monotonic is the clock that systemd's times are of.
func monotonic(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	up, err := time.ParseDuration(strings.Fields(string(text))[0] + "s")
	if err != nil {
		t.Fatal(err)
	}
	return up
}

// purged takes the package away: what is left is what it says that it leaves.
func purged(t *testing.T, want string) {
	t.Helper()
	out, ok := apt("purge", "authbridge")
	if !ok || !strings.Contains(out, "what is each user's own stays") {
		t.Errorf("purged: %t\n%s", ok, out)
	}
	found, _ := exec.Command("find", "/etc", "/usr", "/var", "/run", "/home", "-xdev", "-name", "*authbridge*", "-prune").CombinedOutput()
	if got := strings.TrimSpace(string(found)); got != want {
		t.Errorf("left are:\n%s", got)
	}
	for _, kept := range [][]string{{"passwd", "authbridge"}, {"group", "authbridge"}, {"group", "authbridge-keys"}} {
		if out, err := exec.Command("getent", kept...).Output(); err == nil {
			t.Errorf("it is left: %s", out)
		}
	}
	if out, err := exec.Command("pgrep", "-x", "authbridge").Output(); err == nil {
		t.Errorf("it runs on: %s", out)
	}
	if state := unitSays(t, "LoadState"); state != "not-found" {
		t.Errorf("purged, its unit is %s", state)
	}
}
