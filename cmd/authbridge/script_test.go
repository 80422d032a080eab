package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the stories run this very program as authbridge.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"authbridge": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			code := Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
			stop()
			os.Exit(code)
		},
	})
}

// TestStories runs the command line as people do: each file of testdata is a
// story. Commands of ours are exits N COMMAND…, until N COMMAND…, and daemon
// [FLAG…], which starts a daemon on a free port and waits until it listens;
// halt stops it, and so does the end; daemon.log is its log. (stop is a command of testscript itself:
// it ends the story.)
func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_RUNTIME_DIR", e.WorkDir)
			e.Setenv("STATE", e.WorkDir+"/state")
			e.Values[daemonKey{}] = new(daemon)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"until":  until,
			"daemon": startDaemon,
			"halt":   stopDaemon,
		},
	})
}

// exits runs a command and checks its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// until runs a command until it has an exit code, for up to a minute.
func until(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	end := time.After(time.Minute)
	for look := time.NewTicker(50 * time.Millisecond); ; {
		var exit *exec.ExitError
		if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) && exit.ExitCode() == want || err == nil && want == 0 {
			return
		}
		select {
		case <-look.C:
		case <-end:
			ts.Fatalf("it never had exit code %d", want)
		}
	}
}

// daemonKey finds a story's daemon.
type daemonKey struct{}

type daemon struct{ stop func() error }

// lines keeps what is written and tells when a line began with something.
type lines struct {
	text   bytes.Buffer
	listen chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.text.Write(p)
	if _, rest, ok := strings.Cut(l.text.String(), "listening on "); ok && strings.Contains(rest, "\n") && l.listen != nil {
		l.listen <- strings.TrimSpace(rest)
		l.listen = nil
	}
	return len(p), nil
}

func startDaemon(ts *testscript.TestScript, _ bool, args []string) {
	listen := make(chan string, 1)
	flags := []string{"run", "--state-dir", ts.Getenv("STATE"), "--listen", "127.0.0.1:0", "--physical", "off"}
	path, err := exec.LookPath("authbridge")
	ts.Check(err)
	cmd := exec.Command(path, append(flags, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "XDG_RUNTIME_DIR="+ts.Getenv("XDG_RUNTIME_DIR"))
	cmd.Dir = ts.Getenv("WORK")
	stderr, err := os.OpenFile(ts.MkAbs("daemon.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	ts.Check(err)
	defer func() { _ = stderr.Close() }()
	cmd.Stdout, cmd.Stderr = &lines{listen: listen}, stderr
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case address := <-listen:
		ts.Setenv("ADDRESS", address)
	case err := <-ended:
		ts.Fatalf("the daemon ended: %v\n%s", err, ts.ReadFile("daemon.log"))
	case <-time.After(time.Minute):
		ts.Fatalf("the daemon does not listen\n%s", ts.ReadFile("daemon.log"))
	}
	stop := func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			return errors.New("the daemon did not stop")
		}
	}
	ts.Value(daemonKey{}).(*daemon).stop = stop
	ts.Defer(func() { _ = stop() })
}

func stopDaemon(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Value(daemonKey{}).(*daemon).stop())
}
