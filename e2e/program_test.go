//go:build linux && cgo

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/e2e/pcscd"
)

// raced is whether the tests run with the race detector; the program then does
// too, and its exit code tells of a race.
var raced bool

// program is the built authbridge, with a state folder of its own.
type program struct {
	t      *testing.T
	binary string
	state  string
	more   []string // arguments of the daemon besides
	daemon *exec.Cmd
}

// build builds the program once.
var build = sync.OnceValues(func() (binary string, err error) {
	if builds, err = os.MkdirTemp("", "authbridge-e2e-"); err != nil {
		return "", err
	}
	args := []string{"build", "-o", filepath.Join(builds, "authbridge")}
	if raced {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../cmd/authbridge")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return filepath.Join(builds, "authbridge"), nil
})

func buildProgram(t *testing.T) *program {
	t.Helper()
	binary, err := build()
	must(t, err)
	p := &program{t: t, binary: binary, state: filepath.Join(t.TempDir(), "state")}
	t.Cleanup(func() {
		if p.daemon != nil {
			_ = p.daemon.Process.Kill()
			_ = p.daemon.Wait()
		}
	})
	return p
}

// start starts the daemon, on real hardware, and waits until it listens.
func (p *program) start() {
	p.t.Helper()
	p.daemon = exec.Command(p.binary, append([]string{"run", "--state-dir", p.state, "--listen", "127.0.0.1:0", "--virtual", "on"}, p.more...)...)
	p.daemon.Env = append(os.Environ(), "HTTPS_PROXY=http://127.0.0.1:1") // no test ever calls a real service
	p.daemon.Stderr = os.Stderr
	out, err := p.daemon.StdoutPipe()
	must(p.t, err)
	must(p.t, p.daemon.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "listening on http://127.0.0.1:") {
		p.t.Fatalf("it said %q, %v", line, err)
	}
}

// stop ends the daemon as a service manager would, and expects it gone within
// the 5 s that are promised.
func (p *program) stop() {
	p.t.Helper()
	began := time.Now()
	must(p.t, p.daemon.Process.Signal(syscall.SIGTERM))
	if err := p.daemon.Wait(); err != nil {
		p.t.Errorf("the daemon ended with %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		p.t.Errorf("it took %s to stop", took)
	}
	p.daemon = nil
}

func (p *program) kill() {
	p.t.Helper()
	must(p.t, p.daemon.Process.Kill())
	_ = p.daemon.Wait()
	p.daemon = nil
}

// run runs a command and expects an exit code.
func (p *program) run(want int, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.binary, append(args, "--state-dir", p.state)...)
	out, err := cmd.CombinedOutput()
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		must(p.t, err)
	}
	if got != want {
		p.t.Fatalf("authbridge %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, want, out)
	}
	return string(out)
}

func (p *program) client() *apiclient.Client { return &apiclient.Client{StateDir: p.state} }

// until waits until the status is as wanted.
func (p *program) until(what string, wanted func(*contract.Snapshot) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	c := p.client()
	defer c.Close()
	found := errors.New("found")
	err := c.Events(ctx, "", func(apiclient.Event) error {
		snap, err := c.Status(ctx)
		if err != nil {
			return err
		}
		if wanted(snap) {
			return found
		}
		return nil
	})
	if !errors.Is(err, found) {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func sourceIs(name, state string) func(*contract.Snapshot) bool {
	return func(s *contract.Snapshot) bool {
		for _, src := range s.Sources {
			if src.Name == name {
				return src.State == state
			}
		}
		return false
	}
}

// inPCSCD is whether a card in the real pcscd was read.
func inPCSCD(s *contract.Snapshot) bool {
	for _, a := range s.Authenticators {
		if a.Source == "pcsc" && a.Condition == contract.Ready {
			return true
		}
	}
	return false
}

// TestTheProgramOnARealPCSCD is the whole story, told to the program as a
// person or a script would tell it.
func TestTheProgramOnARealPCSCD(t *testing.T) {
	d := pcscd.Start(t, 2)
	p := buildProgram(t)
	p.start()
	p.run(0, "virtual", "remove", "virtual-reader-1")
	p.run(1, "ready", "--aal", "3", "--target", "mock", "--kind", "smartcard")

	p.run(0, "virtual", "insert", "in-pcscd", "--pcscd", "--vpcd", d.Addr(0))
	p.run(0, "ready", "--aal", "3", "--target", "mock", "--kind", "smartcard", "--wait", "30s")
	// A card that a program put there is virtual, whoever did it: it never
	// counts for a real target.
	out := p.run(1, "ready", "--aal", "3", "--target", "int", "--kind", "smartcard", "--json")
	if !strings.Contains(out, "VIRTUAL_NOT_COUNTED") || strings.Contains(out, `"origin": "physical"`) {
		t.Errorf("at int it is said\n%s", out)
	}

	p.run(0, "virtual", "remove", "in-pcscd")
	p.until("the card is out", func(s *contract.Snapshot) bool { return !inPCSCD(s) })
	out = p.run(1, "ready", "--aal", "3", "--target", "mock", "--kind", "smartcard")
	if !strings.Contains(out, "CARD_PRESENT") || !strings.Contains(out, "→ ") {
		t.Errorf("no code or remedy:\n%s", out)
	}

	p.run(0, "virtual", "insert", "in-pcscd", "--pcscd", "--vpcd", d.Addr(0))
	p.until("the card is in", inPCSCD)
	d.Kill()
	p.until("the service is down", sourceIs("pcsc", "down"))
	d.Restart()
	p.until("the card is back", func(s *contract.Snapshot) bool { return sourceIs("pcsc", "up")(s) && inPCSCD(s) })
	p.run(0, "ready", "--aal", "3", "--target", "mock", "--kind", "smartcard", "--wait", "30s")
	p.stop()
}

// TestAClientResumesOverRestartsOfTheProgram follows the event stream over an
// orderly end and a kill -9, and misses nothing: the ids of each epoch are
// consecutive, and each insertion has its removal.
func TestAClientResumesOverRestartsOfTheProgram(t *testing.T) {
	pcscd.Start(t, 2)
	p := buildProgram(t)
	p.start()
	p.until("the card is read", func(s *contract.Snapshot) bool { return len(s.Authenticators) == 2 })

	var last contract.EventID
	var after string
	inserted := false
	follow := func(untilID string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c := p.client()
		defer c.Close()
		done := errors.New("done")
		err := c.Events(ctx, after, func(e apiclient.Event) error {
			if e.Truncated {
				t.Error("events were missed")
			}
			if e.Event == nil {
				return nil
			}
			id, err := contract.ParseEventID(e.Event.ID)
			must(t, err)
			if id.Epoch == last.Epoch && id.Seq != last.Seq+1 || id.Epoch != last.Epoch && id.Seq != 1 {
				t.Errorf("event %s came after %s", id, last)
			}
			if id.Epoch != last.Epoch {
				inserted = false // a new daemon finds the card in
			}
			switch last, after = id, e.Event.ID; e.Event.Type {
			case contract.CardInserted, contract.CardRemoved:
				if now := e.Event.Type == contract.CardInserted; now == inserted {
					t.Errorf("%s: %s twice", id, e.Event.Type)
				}
				inserted = !inserted
			}
			if e.Event.ID == untilID {
				return done
			}
			return nil
		})
		if !errors.Is(err, done) {
			t.Fatalf("the stream ended with %v", err)
		}
	}
	newest := func() string {
		t.Helper()
		var snap contract.Snapshot
		must(t, json.Unmarshal([]byte(p.run(0, "status", "--json")), &snap))
		return snap.ID
	}
	// The stream is followed from the first event on.
	first, err := contract.ParseEventID(newest())
	must(t, err)
	after = contract.EventID{Epoch: first.Epoch}.String()
	last = contract.EventID{Epoch: first.Epoch}
	for _, end := range []func(){p.stop, p.kill, p.kill, p.stop} {
		follow(newest())
		for range 5 {
			p.run(0, "virtual", "swap", "virtual-reader-1")
		}
		p.until("the card is read", func(s *contract.Snapshot) bool { return len(s.Authenticators) == 2 })
		end() // with events that the client has not seen
		p.start()
		p.until("the card is read", func(s *contract.Snapshot) bool { return len(s.Authenticators) == 2 })
	}
	follow(newest())
}
