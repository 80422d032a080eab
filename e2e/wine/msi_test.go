//go:build linux && e2e

package wine_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// next is the version of an MSI with the same programs.
const next = "0.1.3"

var theMSI = []row{
	{what: "`msiexec /i`", try: steps(msi("/i", version), readmeIs(version))},
	{what: "its service runs, as LocalSystem and from each start on", try: steps(serviceIs("RUNNING"), says([]string{"reg", "query", service, "/s"},
		`C:\Program Files\authbridge\authbridge.exe`, "run --system --windows-service", "LocalSystem", "Start    REG_DWORD    0x2"))},
	{what: "its warnings have a source in the event log", try: says([]string{"reg", "query", eventSource}, "EventMessageFile    REG_EXPAND_SZ    %SystemRoot%")},
	{what: "a terminal finds `authbridge`", try: says([]string{"cmd", "/c", "authbridge version"}, "authbridge "+version)},
	{what: "it is in the list of programs", try: says([]string{"reg", "query", uninstall, "/s"}, version, "authbridge maintainers", `C:\Program Files\authbridge\`)},
	{what: "the tray starts with the session, and shows what the service knows", try: steps(anyCall, says([]string{"wineboot"}), shows("#1A7F4B"), says([]string{"taskkill", "/f", "/im", "authbridge-tray.exe"}))},
	{what: "`service status`", try: says(authbridge("service", "status"), "runs and answers, version "+version)},
	{what: "`status` and `ready` find it", try: steps(says(authbridge("status"), "virtual-reader-1"), says(authbridge("ready"), "AAL3 at mock: ready"))},
	{
		what: "an administrator gets a token of it", try: says(authbridge("token", "create", "ci")), fails: "FORBIDDEN",
		because: "Wine's users are never elevated, and it has no groups",
	},
	{what: "installed again while it runs: it is there once", try: steps(msi("/i", version), listed(version), serviceIs("RUNNING"))},
	{what: "`service stop`", try: steps(says(authbridge("service", "stop")), serviceIs("STOPPED"), refuses(1, authbridge("service", "status"), "is stopped"))},
	{what: "repaired: a file that was lost is back", try: steps(loseReadme, msi("/i", version, "REINSTALL=ALL", "REINSTALLMODE=omus"), readmeIs(version), says(authbridge("service", "stop")))},
	{
		what: "repaired by `msiexec /f`", try: steps(loseReadme, msi("/f", version)), fails: "exit status 69",
		because: "Wine's `msiexec /f` knows no product",
	},
	{
		what: "`service start`", try: says(authbridge("service", "start"), "runs and answers"), fails: "does not answer",
		because: "Wine loses the first call, as above",
	},
	{what: "an upgrade replaces it, and keeps the service's state", try: steps(keeping(msi("/i", next)), readmeIs(next), listed(next))},
	{what: "a downgrade is refused, and changes nothing", try: steps(refuses(1603&0xff, msiexec("/i", version)), readmeIs(next), listed(next), serviceIs("RUNNING"))},
	{
		what: "a downgrade says why in the log", try: sayWhy, fails: "is not in",
		because: "Wine's log has no messages of conditions",
	},
	{
		what: "killed, it is started again", try: steps(says([]string{"taskkill", "/f", "/im", "authbridge.exe"}), serviceIs("STOPPED"), serviceTurns("RUNNING", 5*time.Second)), fails: "STATE",
		because: "Wine's manager of services starts nothing again",
	},
	{
		what: "`service install`", try: says(installed("service", "install"), "runs and answers"), fails: "SERVICE_PROGRAM",
		because: "Wine has one user, to whom all files belong, and no administrators",
	},
	{what: "`service uninstall`, and its state stays", try: steps(says(installed("service", "uninstall"), "is uninstalled"), noService, stateStays)},
	{what: "`msiexec /x`: no program, entry or autostart is left, and the state is", try: steps(msi("/x", next), noService, nothingIsLeft, stateStays)},
	{
		what: "`PATH` is as it was", try: samePath, fails: "PATH ends with",
		because: "Wine leaves the semicolon",
	},
}

// installed is a command line of the program that the MSI brought.
func installed(args ...string) []string {
	return append([]string{`C:\Program Files\authbridge\authbridge.exe`}, args...)
}

// uninstall is what the list of programs is made from.
const (
	uninstall = `HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall`
	autostart = `HKLM\Software\Microsoft\Windows\CurrentVersion\Run`
)

func msiexec(verb, version string, more ...string) []string {
	return append([]string{"msiexec", verb, `Z:\mnt\` + version + ".msi", "/qn"}, more...)
}

func msi(verb, version string, more ...string) func(*machine) error {
	return says(msiexec(verb, version, more...))
}

// readme is told apart by version.
func (m *machine) readme() string { return m.file("Program Files", "authbridge", "README.md") }

func readmeIs(version string) func(*machine) error {
	return func(m *machine) error {
		text, err := os.ReadFile(m.readme())
		return errors.Join(err, has(string(text), version))
	}
}

func loseReadme(m *machine) error { return os.Remove(m.readme()) }

// listed is whether one is in the list of programs, of a version.
func listed(version string) func(*machine) error {
	return func(m *machine) error {
		out, err := m.run("reg", "query", uninstall, "/s")
		if n := strings.Count(out, "DisplayName"); err == nil && n != 1 {
			err = fmt.Errorf("it is listed %d times:\n%s", n, out)
		}
		return errors.Join(err, has(out, version))
	}
}

func sayWhy(m *machine) error {
	_, _ = m.run(msiexec("/i", version, "/l*v", `C:\msi.log`)...)
	log, err := os.ReadFile(m.file("msi.log"))
	if err != nil {
		return err
	}
	return has(strings.ReplaceAll(string(log), "\x00", ""), "A newer authbridge is installed")
}

func nothingIsLeft(m *machine) error {
	if err := gone(filepath.Dir(m.readme())); err != nil {
		return err
	}
	for _, key := range []string{uninstall, autostart, service, eventSource} {
		out, err := m.run("reg", "query", key, "/s")
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) { // it exits 1 where there is no such key
			return err
		}
		if strings.Contains(out, "authbridge") {
			return fmt.Errorf("there is still:\n%s", out)
		}
	}
	return nil
}

func samePath(m *machine) error {
	out, err := m.run("cmd", "/c", "echo %PATH%")
	if err != nil {
		return err
	}
	if path := strings.TrimSpace(out); strings.HasSuffix(path, ";") || strings.Contains(path, "authbridge") {
		return fmt.Errorf("PATH ends with what it had not: %s", path)
	}
	return nil
}
