//go:build linux && e2e

package wine_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a Windows as Wine plays it: a prefix that was made anew, on a display
// of its own.
type machine struct {
	t       *testing.T
	root    string // of the Debian
	work    string // the tests' folder; workDir in the Debian
	env     []string
	display string // as its environment names it

	daemon *running // a user's own, with its state in C:\state
	url    string   // of its API
	tray   *running
}

// patience is how long a program may take that does little.
const patience = time.Minute

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: os.Getenv(rootEnv), work: os.Getenv(workEnv)}
	m.display = "DISPLAY=:" + m.startDisplay()
	m.env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + workDir, "WINEPREFIX=" + workDir + "/prefix", "WINEARCH=win64", "WINEDEBUG=-all",
		"XDG_RUNTIME_DIR=/run", "LC_ALL=C.UTF-8", "TZ=UTC", m.display,
		"HTTPS_PROXY=http://127.0.0.1:1", // no test ever calls a real service
	}
	must(t, os.Mkdir(filepath.Join(m.work, "prefix"), 0o700))
	t.Cleanup(func() { _, _ = m.linux(wineserver, "--kill") })
	for _, step := range [][]string{
		{loader, "wineboot", "--init"},
		// How long a service may take until it says that it starts: 30 s on Windows, 10 s
		// here, and this machine may have more to do. It is read once.
		{loader, "reg", "add", `HKLM\SYSTEM\CurrentControlSet\Control`, "/v", "ServicesPipeTimeout", "/t", "REG_DWORD", "/d", "60000"},
		{wineserver, "--kill"},
		// Else the first program after a pause finds one that is about to end.
		{wineserver, "--persistent"},
		{loader, "wineboot"},
	} {
		if out, err := m.linux(step...); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(step, " "), err, out)
		}
	}
	return m
}

// Wine's own programs, without the scripts around them, which ask for a Wine of 32
// bits.
const (
	loader     = "/usr/lib/wine/wine64"
	wineserver = "/usr/lib/wine/wineserver64"
)

// startDisplay starts an X server, which chooses a free number and says which.
func (m *machine) startDisplay() string {
	m.t.Helper()
	read, write, err := os.Pipe()
	must(m.t, err)
	defer func() { _ = read.Close() }()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1024x640x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{write}
	must(m.t, cmd.Start())
	_ = write.Close()
	m.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it takes its lock away
		_ = cmd.Wait()
	})
	must(m.t, read.SetReadDeadline(time.Now().Add(patience)))
	number, err := bufio.NewReader(read).ReadString('\n') // it comes in pieces
	must(m.t, err)
	return strings.TrimSpace(number)
}

// command is a program of the Debian.
func (m *machine) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, m.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root}
	cmd.WaitDelay = time.Second // what it started may hold its pipes
	return cmd
}

// linux runs a program of the Debian to its end.
func (m *machine) linux(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := m.command(ctx, workDir, args...).CombinedOutput()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return string(out), err
}

// run runs a program of Windows to its end. A code other than 0 is an error, with
// what it said.
func (m *machine) run(args ...string) (string, error) { return m.runIn(patience, workDir, args...) }

func (m *machine) runIn(patience time.Duration, dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out bytes.Buffer
	cmd := m.command(ctx, dir, append([]string{loader}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	said := strings.ReplaceAll(out.String(), "\r\n", "\n")
	switch {
	case ctx.Err() != nil:
		return said, fmt.Errorf("it did not end in %s\n%s", patience, said)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return said, fmt.Errorf("%w\n%s", err, said)
	}
	return said, nil
}

// start starts a program of Windows until the test ends.
func (m *machine) start(args ...string) (*running, error) {
	cmd := m.command(context.Background(), workDir, append([]string{loader}, args...)...)
	log, err := os.Create(filepath.Join(m.work, path.Base(args[0])+".log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{cmd: cmd, out: bufio.NewReader(out), log: log.Name()}
	m.t.Cleanup(r.kill)
	return r, nil
}

// running is a program of Windows that goes on.
type running struct {
	cmd   *exec.Cmd
	out   *bufio.Reader
	log   string // the file with its standard error
	ended bool
}

// line is the next one that it says.
func (r *running) line() (string, error) {
	type said struct {
		text string
		err  error
	}
	next := make(chan said, 1)
	go func() {
		text, err := r.out.ReadString('\n')
		next <- said{strings.TrimRight(text, "\r\n"), err}
	}()
	select {
	case s := <-next:
		if s.err != nil {
			text, _ := os.ReadFile(r.log)
			return s.text, fmt.Errorf("it said %q and ended: %w\n%s", s.text, s.err, text)
		}
		return s.text, nil
	case <-time.After(patience):
		r.kill() // and so ends the reading
		return "", fmt.Errorf("it said nothing in %s", patience)
	}
}

// kill ends it as the task manager does.
func (r *running) kill() {
	if !r.ended {
		r.ended = true
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	}
}

// file is the path, to this test, of a file on C:.
func (m *machine) file(path ...string) string {
	return filepath.Join(append([]string{m.work, "prefix", "drive_c"}, path...)...)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
