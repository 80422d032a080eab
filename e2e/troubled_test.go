//go:build linux && cgo

package e2e

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"authbridge/agent/failure"
)

// Where a daemon that has run keeps what it has, in its state folder.
const (
	cardFile       = "virtual/card-555200000001.json"
	virtualKeyFile = "virtual/key-virtual-key-1.json"
	cardCA         = "virtual/card-ca"
	mockKey        = "mock/signing"
	tlsCA          = "mock/tls-ca"
)

// troubled is a user of the program whom something goes wrong for.
type troubled struct {
	t                   *testing.T
	binary, home, state string
	config              string // the user's own; there is none yet
	log                 string // of the daemon
	args                []string
	env                 []string
	who                 *syscall.SysProcAttr // nil: whoever runs the test
	daemon              *exec.Cmd
	address             string // that it listens on
}

// furnished is a state folder in which a daemon has made all that it makes.
var furnished = sync.OnceValues(func() (string, error) {
	binary, err := build()
	if err != nil {
		return "", err
	}
	home := filepath.Join(builds, "furnished")
	config := filepath.Join(builds, "furnished.toml")
	err = errors.Join(os.MkdirAll(home, 0o700), os.WriteFile(config, []byte("virtual = \"on\"\nlisten = \"127.0.0.1:0\"\n[mock]\nlisten = \"localhost:0\"\ntls = true\n"), 0o600))
	if err != nil {
		return "", err
	}
	state := filepath.Join(home, "state")
	daemon := exec.Command(binary, "run", "--state-dir", state, "--physical", "off", "--config", config)
	daemon.Env = []string{"HOME=" + home}
	out, err := daemon.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := daemon.Start(); err != nil {
		return "", err
	}
	if _, err = bufio.NewReader(out).ReadString('\n'); err == nil {
		// It uses the card, the mock and its key, so that all of them are there.
		var said []byte
		if said, err = exec.Command(binary, "login", "--target", "mock", "--acr", "AAL3_ANY", "--state-dir", state).CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, said)
		}
	}
	return state, errors.Join(err, daemon.Process.Signal(syscall.SIGTERM), daemon.Wait())
})

func trouble(t *testing.T) *troubled {
	t.Helper()
	binary, err := build()
	must(t, err)
	from, err := furnished()
	must(t, err)
	// The name of a row is too long for the address of a socket.
	home, err := os.MkdirTemp("", "ab")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(home)) })
	x := &troubled{
		t: t, binary: binary, home: home, state: filepath.Join(home, "state"),
		config: filepath.Join(home, ".config/authbridge/config.toml"), log: filepath.Join(t.TempDir(), "log"),
		args: []string{"--listen", "127.0.0.1:0", "--physical", "off"},
		env:  []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "HTTPS_PROXY=http://127.0.0.1:1"},
	}
	if out, err := exec.Command("cp", "-a", from, x.state).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if x.daemon != nil {
			_ = x.daemon.Process.Kill()
			_ = x.daemon.Wait()
		}
	})
	return x
}

// in is a path in the state folder.
func (x *troubled) in(name string) string { return filepath.Join(x.state, name) }

// start starts the daemon, and says whether it listens or how it has ended.
func (x *troubled) start() seen {
	x.t.Helper()
	args := append([]string{"run"}, x.args...)
	if x.state != "" {
		args = append(args, "--state-dir", x.state)
	}
	log, err := os.Create(x.log)
	must(x.t, err)
	defer func() { _ = log.Close() }()
	cmd := exec.Command(x.binary, args...)
	cmd.Env, cmd.Stderr, cmd.SysProcAttr = x.env, log, x.who
	out, err := cmd.StdoutPipe()
	must(x.t, err)
	must(x.t, cmd.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	if address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on http://"); ok {
		x.daemon, x.address = cmd, address
		return seen{does: starts, code: none, exit: none}
	}
	_ = cmd.Wait()
	s := x.refusal(x.logged(), cmd.ProcessState.ExitCode())
	s.does = "does not start"
	return s
}

func (x *troubled) logged() string {
	x.t.Helper()
	text, err := os.ReadFile(x.log)
	must(x.t, err)
	return string(text)
}

// run runs a command of the same user.
func (x *troubled) run(args ...string) (out string, exit int) {
	x.t.Helper()
	if x.state != "" {
		args = append([]string{"--state-dir", x.state}, args...)
	}
	ctx, cancel := context.WithTimeout(x.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, x.binary, args...)
	cmd.Env, cmd.SysProcAttr = x.env, x.who
	said, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		x.t.Fatal(err)
	}
	return string(said), cmd.ProcessState.ExitCode()
}

// must runs a command that succeeds.
func (x *troubled) must(args ...string) string {
	x.t.Helper()
	out, exit := x.run(args...)
	if exit != 0 {
		x.t.Fatalf("authbridge %s: exit code %d\n%s", strings.Join(args, " "), exit, out)
	}
	return out
}

// refused runs a command that does not succeed.
func (x *troubled) refused(args ...string) seen {
	x.t.Helper()
	out, exit := x.run(args...)
	s := x.refusal(out, exit)
	s.does = "is refused"
	return s
}

var saidLine = regexp.MustCompile(`(?m)^([A-Z][A-Z_]+): .*\n  → (.*)$`)

// refusal reads the code and the remedy that a person was told.
func (x *troubled) refusal(out string, exit int) seen {
	x.t.Helper()
	said := saidLine.FindStringSubmatch(out)
	if said == nil {
		x.t.Errorf("no code and no remedy, exit code %d:\n%s", exit, out)
		return seen{code: none, exit: strconv.Itoa(exit)}
	}
	if _, known := failure.Lookup(failure.Code(said[1])); !known {
		x.t.Errorf("%s is not in the registry", said[1])
	}
	return seen{code: said[1], exit: strconv.Itoa(exit)}
}

// byTCP is the status with which the API answers to a token.
func (x *troubled) byTCP(token string) int {
	x.t.Helper()
	ask, err := http.NewRequestWithContext(x.t.Context(), http.MethodGet, "http://"+x.address+"/v1/status", nil)
	must(x.t, err)
	ask.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(ask)
	must(x.t, err)
	must(x.t, answer.Body.Close())
	return answer.StatusCode
}

// stop ends the daemon in order.
func (x *troubled) stop() {
	x.t.Helper()
	if x.daemon == nil {
		return
	}
	must(x.t, x.daemon.Process.Signal(syscall.SIGTERM))
	if err := x.daemon.Wait(); err != nil {
		x.t.Errorf("the daemon ended with %v\n%s", err, x.logged())
	}
	x.daemon = nil
}

// awaitLog waits until the daemon has logged something.
func (x *troubled) awaitLog(what string) {
	x.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !strings.Contains(x.logged(), what) {
		select {
		case <-tick.C:
		case <-deadline:
			x.t.Fatalf("the log does not say %s:\n%s", what, x.logged())
		}
	}
}

// tree is all that lies in the user's home, each with its mode and what is in it.
func (x *troubled) tree() map[string]string {
	x.t.Helper()
	all := make(map[string]string)
	must(x.t, filepath.WalkDir(x.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == "lock" { // it has the id of the process
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all[path] = info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(path)
			all[path] += fmt.Sprintf(" %x", sha256.Sum256(text))
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			all[path] += " " + to
			return err
		}
		return nil
	}))
	return all
}

// changes says what is not as it was.
func (x *troubled) changes(before map[string]string) string {
	x.t.Helper()
	var changed []string
	now := x.tree()
	for path, what := range before {
		if now[path] != what {
			changed = append(changed, path+" was "+what+" and is "+now[path])
		}
	}
	for path := range now {
		if _, there := before[path]; !there {
			changed = append(changed, path+" is new")
		}
	}
	if len(changed) == 0 {
		return stays
	}
	return strings.Join(changed, "\n\t\t")
}

// refuses is a trouble with which the daemon does not start, and with the remedy
// does. Nothing in the user's home is touched.
func refuses(wrong, remedy func(*troubled)) func(*troubled) seen {
	return func(x *troubled) seen {
		wrong(x)
		before := x.tree()
		s := x.start()
		x.stop()
		s.left = x.changes(before)
		remedy(x)
		x.startsNow()
		return s
	}
}

// startsNow is what a remedy must lead to.
func (x *troubled) startsNow() {
	x.t.Helper()
	if s := x.start(); s.does != starts {
		x.t.Errorf("with the remedy followed it %s\n%s", s.does, x.logged())
		return
	}
	x.must("ready", "--aal", "3", "--target", "mock", "--wait", "30s")
	x.stop()
}
