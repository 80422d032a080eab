//go:build linux && e2e

package wine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"authbridge/agent/client"
	"authbridge/agent/contract"
)

// says is a program that ends well and says all of that.
func says(command []string, wants ...string) func(*machine) error {
	return func(m *machine) error {
		out, err := m.run(command...)
		if err != nil {
			return err
		}
		return has(out, wants...)
	}
}

// refuses is one that ends with a code and says all of that.
func refuses(code int, command []string, wants ...string) func(*machine) error {
	return func(m *machine) error {
		out, err := m.run(command...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != code {
			return errors.Join(fmt.Errorf("it did not end with code %d:\n%s", code, out), err)
		}
		return has(out, wants...)
	}
}

func has(out string, wants ...string) error {
	for _, want := range wants {
		if !strings.Contains(out, want) {
			return fmt.Errorf("%q is not in:\n%s", want, out)
		}
	}
	return nil
}

// authbridge is a command line of the program that was built.
func authbridge(args ...string) []string { return append([]string{`Z:\mnt\authbridge.exe`}, args...) }

var commandLine = []row{
	{what: "`version`", try: says(authbridge("version"), "authbridge "+version, "windows/amd64")},
	{what: "`help service`", try: says(authbridge("help", "service"), "it wants an administrator")},
	{what: "`completion powershell`", try: says(authbridge("completion", "powershell"), "Register-ArgumentCompleter")},
	{what: "a wrong flag, by exit code 2", try: refuses(2, authbridge("status", "--nonsense"), "unknown flag", "--help")},
	{what: "no daemon, by exit code 3", try: refuses(3, own("status"), "NOT_RUNNING")},
}

// own is a command line for the daemon with a state folder of its own.
func own(args ...string) []string { return append(authbridge(args...), "--state-dir", `C:\state`) }

var ownDaemon = []row{
	{what: "`run` with virtual authenticators", try: startOwn},
	{
		what: "the first call after each start", try: says(own("status"), "Authenticators"), fails: "no answer within 10s",
		because: "Wine gives the caller an instance of the pipe that is there to keep the name, and that nobody answers",
	},
	{what: "`status`, over the pipe", try: says(own("status"), "virtual card", "virtual key", "virtual-reader-1")},
	{what: "`doctor` finds what a Windows needs and Wine has not", try: refuses(1, own("doctor"), "✗ WH_TPM")},
	{what: "`ready` at AAL3", try: says(own("ready", "--aal", "3", "--target", "mock"), "AAL3 at mock: ready")},
	{what: "a virtual key is unplugged, a card pulled: not ready", try: steps(
		says(own("virtual", "remove", "virtual-reader-1")),
		unplugKeys,
		refuses(1, own("ready", "--aal", "3", "--target", "mock"), "not ready"),
	)},
	{what: "virtual ones are inserted and plugged in: ready again", try: steps(
		says(own("virtual", "insert", "virtual-reader-1")),
		says(own("virtual", "plug")),
		says(own("ready", "--aal", "3", "--target", "mock"), "AAL3 at mock: ready"),
	)},
	{what: "`login` at AAL3 by smartcard", try: says(own("login", "--kind", "smartcard"), "passed")},
	{what: "`login` at AAL3 by security key", try: says(own("login", "--kind", "security-key"), "passed")},
	{what: "`lease` around a command", try: says(append(own("lease", "--target", "mock"), "--", "cmd", "/c", "set"), "AUTHBRIDGE_LEASE=")},
	{what: "`token create`, and a call with it", try: withToken},
	{what: "`bundle`", try: says(own("bundle", "--output", `C:\bundle.zip`), "bundle.zip")},
	{what: "a second daemon is refused", try: refuses(4, own("run", "--listen", "127.0.0.1:0"), "STATE_LOCKED")},
	{what: "killed and started again: the same authenticators", try: startAgain},
}

func steps(each ...func(*machine) error) func(*machine) error {
	return func(m *machine) error {
		for _, step := range each {
			if err := step(m); err != nil {
				return err
			}
		}
		return nil
	}
}

func startOwn(m *machine) (err error) {
	m.daemon, err = m.start(own("run", "--listen", "127.0.0.1:0", "--virtual", "on", "--physical", "off")...)
	if err != nil {
		return err
	}
	line, err := m.daemon.line()
	if err != nil {
		return err
	}
	url, ok := strings.CutPrefix(line, "listening on ")
	if !ok {
		return fmt.Errorf("it said %q", line)
	}
	m.url = url
	return nil
}

// unplugKeys unplugs all virtual keys.
func unplugKeys(m *machine) error {
	out, err := m.run(own("virtual", "--json")...)
	if err != nil {
		return err
	}
	var list []contract.VirtualDevice
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return err
	}
	for _, d := range list {
		if d.Kind != contract.SecurityKey {
			continue
		}
		if _, err := m.run(own("virtual", "unplug", d.Name)...); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) status() (now contract.Snapshot, err error) {
	out, err := m.run(own("status", "--json")...)
	if err != nil {
		return now, err
	}
	return now, json.Unmarshal([]byte(out), &now)
}

// withToken reads over TCP, from outside Wine, with a token that was made inside.
func withToken(m *machine) error {
	token, err := m.run(own("token", "create", "ci", "--rights", "read")...)
	if err != nil {
		return err
	}
	c := client.Client{URL: m.url, Token: strings.TrimSpace(token)}
	defer c.Close()
	now, err := c.Status(context.Background())
	if err != nil {
		return err
	}
	return has(now.Version, version)
}

// startAgain kills the daemon, starts it on the same state, and looks whether it has
// what it had.
func startAgain(m *machine) error {
	before, err := m.status()
	if err != nil {
		return err
	}
	m.daemon.kill()
	if err := startOwn(m); err != nil {
		return err
	}
	_, _ = m.status() // the first call is lost
	after, err := m.status()
	if err != nil {
		return err
	}
	for _, a := range before.Authenticators {
		if !slices.ContainsFunc(after.Authenticators, func(b contract.Authenticator) bool { return a.ID == b.ID }) {
			return fmt.Errorf("%s is gone", a.ID)
		}
	}
	return nil
}
