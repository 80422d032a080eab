//go:build linux && e2e

package browser_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/virtual"
)

const (
	// patience is for what takes no time on an idle machine.
	patience = time.Minute
	// runTime bounds a run of specs, the browser's start included.
	runTime = 4 * time.Minute
)

// world is a daemon of its own and a relying party.
type world struct {
	t     *testing.T
	state string
	url   string // of the daemon, over TCP
	party *party
	*apiclient.Client
}

func newWorld(t *testing.T, flags ...string) *world {
	t.Helper()
	w := &world{t: t, state: filepath.Join(t.TempDir(), "state"), party: startParty(t)}
	w.Client = &apiclient.Client{StateDir: w.state}
	daemon := exec.Command(binary, append([]string{"run", "--state-dir", w.state, "--listen", "127.0.0.1:0", "--virtual", "on", "--physical", "off"}, flags...)...)
	var log bytes.Buffer
	daemon.Stderr = &log
	out, err := daemon.StdoutPipe()
	must(t, err)
	must(t, daemon.Start())
	t.Cleanup(func() {
		w.Close()
		_ = daemon.Process.Signal(syscall.SIGTERM)
		if err := daemon.Wait(); err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", &log)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "listening on http://127.0.0.1:") {
		t.Fatalf("the daemon said %q, %v", line, err)
	}
	w.url = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	return w
}

// keyIs unplugs the virtual key and, with how it is touched, plugs it in again.
func (w *world) keyIs(touch string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for _, d := range must2(w.Virtual(ctx))(w.t) {
		if d.Kind != contract.SecurityKey {
			continue
		}
		must2(w.UnplugKey(ctx, d.Name))(w.t)
		if touch != "" {
			must2(w.PlugKey(ctx, contract.VirtualPlug{Name: d.Name, Touch: touch}))(w.t)
		}
	}
}

// specs runs specs of clients/playwright/e2e as a team would and gives what came
// of each test, by its title.
func (w *world) specs(name string) map[string]result {
	return w.play([]string{"AUTHBRIDGE_URL=unix://" + filepath.Join(w.state, "authbridge.sock")}, w.command(name)...)
}

// command is what runs the specs in a file.
func (w *world) command(name string) []string {
	return []string{"node", "node_modules/@playwright/test/cli.js", "test", "-c", "e2e", "--workers=1", "--reporter=json", "--output", w.t.TempDir(), "e2e/" + name + ".spec.ts"}
}

// play runs a command that runs specs.
func (w *world) play(env []string, command ...string) map[string]result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), runTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = client
	cmd.Env = append(append(os.Environ(), "KEY_PIN="+virtual.DefaultPIN, "APP_URL="+w.party.origin), env...)
	cmd.Stderr = os.Stderr
	// Playwright ends its browsers when it is asked to end.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		w.t.Fatalf("playwright: %v, %v", err, context.Cause(ctx))
	}
	if bytes.Contains(out, []byte(virtual.DefaultPIN+`"`)) {
		w.t.Error("the PIN is in the report")
	}
	var report struct {
		Suites []suite
		Errors []message
	}
	if err := json.Unmarshal(out, &report); err != nil {
		w.t.Fatalf("playwright's report: %v\n%s", err, out)
	}
	for _, e := range report.Errors {
		w.t.Fatalf("playwright: %s", e.text())
	}
	results := map[string]result{}
	for _, s := range report.Suites {
		s.collect(results)
	}
	return results
}

// suite, result and message are the parts of Playwright's JSON report that are
// read here.
type suite struct {
	Suites []suite
	Specs  []struct {
		Title string
		Tests []struct {
			Annotations []struct{ Type, Description string }
			Results     []result
		}
	}
}

type result struct {
	Status      string
	Duration    int // ms
	Errors      []message
	Stdout      []message
	Attachments []struct {
		Name string
		Body []byte
	}
	skipped string
}

type message struct{ Message, Text string }

func (m message) text() string { return m.Message + m.Text }

func (s suite) collect(into map[string]result) {
	for _, spec := range s.Specs {
		for _, test := range spec.Tests {
			r := test.Results[len(test.Results)-1]
			for _, a := range test.Annotations {
				if a.Type == "skip" {
					r.skipped = a.Description
				}
			}
			into[spec.Title] = r
		}
	}
	for _, inner := range s.Suites {
		inner.collect(into)
	}
}

// said is the test's output, what went wrong said the errors.
func (r result) said() string { return joined(r.Stdout) }

func (r result) wrong() string { return joined(r.Errors) }

func joined(list []message) string {
	var b strings.Builder
	for _, m := range list {
		b.WriteString(m.text() + "\n")
	}
	return b.String()
}

func (r result) attachment(t *testing.T, name string, into any) {
	t.Helper()
	for _, a := range r.Attachments {
		if a.Name == name {
			must(t, json.Unmarshal(a.Body, into))
			return
		}
	}
	t.Errorf("no attachment %s", name)
}

// wantPassed expects that n tests ran and all passed.
func wantPassed(t *testing.T, results map[string]result, n int) {
	t.Helper()
	if len(results) != n {
		t.Errorf("%d tests ran, want %d", len(results), n)
	}
	for title, r := range results {
		if r.Status != "passed" {
			t.Errorf("%s: %s %s\n%s%s", title, r.Status, r.skipped, r.wrong(), r.said())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must2[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return value
	}
}
