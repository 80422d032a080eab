package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
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
		"xdg-open": comeByFile,
	})
}

// TestStories runs the command line as people do: each file of testdata is a
// story. Commands of ours are exits N COMMAND…, until N COMMAND…, daemon
// [FLAG…] and mock [FLAG…], which start a daemon or the mock alone on a free port
// and wait until it listens; halt stops what was started last, and so does the
// end; daemon.log and mock.log are their logs. (stop is a command of testscript
// itself: it ends the story.) stdout-of NAME PATTERN looks at what one of them has
// written, mock-of-daemon finds the mock that the daemon runs, elsewhere FILE has an
// application sign in at it, and example-suite FILE writes the scenario file of
// docs/logins.md. free-port NAME is a port that is free, and relying-party [FLAG…]
// starts the demo application.
func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_RUNTIME_DIR", e.WorkDir)
			e.Setenv("STATE", e.WorkDir+"/state")
			e.Setenv("REALM", "/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare")
			e.Values[startedKey{}] = new(started)
			return nil
		},
		Condition: func(name string) (bool, error) {
			address, known := map[string]string{"ipv6": "[::1]:0", "port443": "127.0.0.1:443"}[name]
			if !known {
				return false, fmt.Errorf("no condition %s", name)
			}
			l, err := net.Listen("tcp", address)
			if err == nil {
				_ = l.Close()
			}
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":          exits,
			"until":          until,
			"daemon":         startDaemon,
			"mock":           startMock,
			"halt":           halt,
			"stdout-of":      stdoutOf,
			"mock-of-daemon": mockOfDaemon,
			"example-suite":  writeExampleSuite,
			"elsewhere":      signInElsewhere,
			"relying-party":  startParty,
			"free-port":      freePort,
			"unzip":          unzip,
			"holds-none":     holdsNone,
		},
	})
}

// writeExampleSuite writes the scenario file of docs/logins.md.
func writeExampleSuite(ts *testscript.TestScript, _ bool, args []string) {
	text, err := exampleSuite()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// unzip unpacks a file into a folder.
func unzip(ts *testscript.TestScript, _ bool, args []string) {
	archive, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer archive.Close()
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), archive))
}

// holdsNone looks for texts in all files of a folder.
func holdsNone(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(fs.WalkDir(os.DirFS(ts.MkAbs(args[0])), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content := strings.ToLower(ts.ReadFile(filepath.Join(args[0], path)))
		for _, text := range args[1:] {
			if strings.Contains(content, strings.ToLower(text)) {
				ts.Fatalf("%s holds %s:\n%s", path, text, content)
			}
		}
		return nil
	}))
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

// startedKey finds what a story has started.
type startedKey struct{}

// started are the programs of a story that run beside it.
type started struct {
	stops []func() error
	wrote map[string]*lines
}

// lines keeps what is written and tells when a line began with something.
type lines struct {
	mu     sync.Mutex
	text   bytes.Buffer
	listen chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if _, rest, ok := strings.Cut(l.text.String(), "listening on "); ok && strings.Contains(rest, "\n") && l.listen != nil {
		address, _, _ := strings.Cut(rest, "\n")
		l.listen <- strings.TrimSpace(address)
		l.listen = nil
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func startDaemon(ts *testscript.TestScript, _ bool, args []string) {
	flags := []string{"run", "--state-dir", ts.Getenv("STATE"), "--listen", "127.0.0.1:0", "--physical", "off"}
	ts.Setenv("ADDRESS", start(ts, "daemon", append(flags, args...)))
}

func startMock(ts *testscript.TestScript, _ bool, args []string) {
	flags := []string{"mock", "--state-dir", ts.Getenv("STATE"), "--listen", "localhost:0"}
	setMockPort(ts, start(ts, "mock", append(flags, args...)))
}

// startParty builds the demo application and starts it.
func startParty(ts *testscript.TestScript, _ bool, args []string) {
	const name = "relying-party"
	build := exec.Command("go", "build", "-o", ts.MkAbs(name), "authbridge/examples/relying-party")
	if out, err := build.CombinedOutput(); err != nil {
		ts.Fatalf("go build: %v\n%s", err, out)
	}
	start(ts, name, args)
}

func freePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ts.Check(l.Close())
	ts.Setenv(args[0], port)
}

func setMockPort(ts *testscript.TestScript, address string) {
	u, err := url.Parse(address)
	ts.Check(err)
	ts.Setenv("MOCKPORT", u.Port())
}

func mockOfDaemon(ts *testscript.TestScript, _ bool, _ []string) {
	var m MockAddress
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(ts.Getenv("STATE")+"/"+mockFile)), &m))
	setMockPort(ts, m.URL)
}

// start starts the program and waits until it listens.
func start(ts *testscript.TestScript, name string, args []string) (address string) {
	listen := make(chan string, 1)
	path := ts.MkAbs(name)
	if _, err := os.Stat(path); err != nil { // it is no program of its own
		path, err = exec.LookPath("authbridge")
		ts.Check(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "XDG_RUNTIME_DIR="+ts.Getenv("XDG_RUNTIME_DIR"),
		"HTTPS_PROXY=http://127.0.0.1:1") // no test ever calls a real service
	cmd.Dir = ts.Getenv("WORK")
	log := name + ".log"
	stderr, err := os.OpenFile(ts.MkAbs(log), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	ts.Check(err)
	defer func() { _ = stderr.Close() }()
	wrote := &lines{listen: listen}
	cmd.Stdout, cmd.Stderr = wrote, stderr
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			return fmt.Errorf("the %s did not stop", name)
		}
	}
	ts.Defer(func() { _ = stop() })
	select {
	case address = <-listen:
	case err := <-ended:
		ended <- err
		ts.Fatalf("the %s ended: %v\n%s", name, err, ts.ReadFile(log))
	case <-time.After(time.Minute):
		ts.Fatalf("the %s does not listen\n%s", name, ts.ReadFile(log))
	}
	all := ts.Value(startedKey{}).(*started)
	all.stops = append(all.stops, stop)
	if all.wrote == nil {
		all.wrote = map[string]*lines{}
	}
	all.wrote[name] = wrote
	return address
}

func halt(ts *testscript.TestScript, _ bool, _ []string) {
	all := ts.Value(startedKey{}).(*started)
	last := len(all.stops) - 1
	ts.Check(all.stops[last]())
	all.stops = all.stops[:last]
}

// stdoutOf waits until the program has written a line that matches.
func stdoutOf(ts *testscript.TestScript, _ bool, args []string) {
	wrote := ts.Value(startedKey{}).(*started).wrote[args[0]]
	pattern := regexp.MustCompile("(?m)" + args[1])
	end := time.After(time.Minute)
	for look := time.NewTicker(10 * time.Millisecond); !pattern.MatchString(wrote.String()); {
		select {
		case <-look.C:
		case <-end:
			ts.Fatalf("%s wrote no %s, but\n%s", args[0], pattern, wrote)
		}
	}
}
