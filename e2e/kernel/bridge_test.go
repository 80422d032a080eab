//go:build linux && e2e

package kernel_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"authbridge/agent/client"
	"authbridge/agent/contract"
)

// bridge is the real daemon. It runs as an ordinary user of the guest, who is in
// the group of udev's rule and has no other right.
type bridge struct {
	*client.Client
	t     *testing.T
	state string
	user  syscall.Credential
	pid   int
}

func startBridge(t *testing.T, group uint32) *bridge {
	t.Helper()
	tester, err := user.Lookup("tester")
	if err != nil {
		t.Fatal(err)
	}
	b := &bridge{t: t, user: syscall.Credential{Uid: number(t, tester.Uid), Gid: number(t, tester.Gid), Groups: []uint32{group}}}
	if b.state, err = os.MkdirTemp("", "authbridge-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(b.state) })
	if err := os.Chown(b.state, int(b.user.Uid), int(b.user.Gid)); err != nil {
		t.Fatal(err)
	}
	cmd := b.command(context.Background(), "run", "--state-dir", b.state, "--listen", "127.0.0.1:0", "--virtual", "off", "--physical", "on")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.pid = cmd.Process.Pid
	t.Cleanup(func() {
		began := time.Now()
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err := cmd.Wait()
		kill.Stop()
		t.Logf("the daemon took %s to stop", time.Since(began).Round(time.Millisecond))
		if err != nil {
			t.Errorf("the daemon: %v", err)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("the daemon said %q, %v\n%s", line, err, log.String())
	}
	token, err := os.ReadFile(filepath.Join(b.state, client.TokenFile))
	if err != nil {
		t.Fatal(err)
	}
	b.Client = &client.Client{URL: address, Token: string(token)}
	t.Cleanup(b.Close)
	return b
}

// command is a command of authbridge, as the daemon's user.
func (b *bridge) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "authbridge", args...)
	cmd.Dir, cmd.Env = "/", []string{"HOME=/home/tester", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &b.user}
	return cmd
}

// says runs a command that writes JSON, and returns its exit code.
func (b *bridge) says(into any, args ...string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	cmd := b.command(ctx, append(args, "--json", "--state-dir", b.state)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		b.t.Fatalf("authbridge %v: %v, exit code %d\n%s%s", args, err, cmd.ProcessState.ExitCode(), out, stderr.String())
	}
	return cmd.ProcessState.ExitCode()
}

// await asks for the status until it holds an authenticator as is wanted.
func (b *bridge) await(what string, is func(*contract.Authenticator) bool) contract.Authenticator {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	for {
		s, err := b.Status(ctx)
		if err != nil {
			b.t.Fatalf("%s: %v", what, err)
		}
		for i := range s.Authenticators {
			if is(&s.Authenticators[i]) {
				return s.Authenticators[i]
			}
		}
	}
}

// product is an authenticator of that product in that condition.
func product(name string, c contract.Condition) func(*contract.Authenticator) bool {
	return func(a *contract.Authenticator) bool { return a.Product == name && a.Condition == c }
}

// askStatusAllTheTime asks until the test ends; each time it must be answered.
func (b *bridge) askStatusAllTheTime() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	asked, longest := 0, time.Duration(0)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			began := time.Now()
			if _, err := b.Status(ctx); err != nil && ctx.Err() == nil {
				b.t.Errorf("status: %v", err)
			}
			asked, longest = asked+1, max(longest, time.Since(began))
		}
	}()
	b.t.Cleanup(func() {
		stop()
		<-done
		b.t.Logf("status was asked %d times, and took %s at most", asked, longest)
	})
}

// follow gives the events from now on, after it has seen to it that they come
// in order and that none is missing.
func (b *bridge) follow() <-chan contract.Event {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	events, begun, done := make(chan contract.Event, 100_000), make(chan struct{}), make(chan struct{})
	var last contract.EventID
	go func() {
		defer close(done)
		err := b.Events(ctx, "", func(e client.Event) error {
			id, err := contract.ParseEventID(e.ID)
			switch {
			case err != nil:
				return err
			case e.Truncated || e.Snapshot != nil && last.Epoch != 0:
				return fmt.Errorf("events were missed after %s", last)
			case e.Snapshot != nil:
				close(begun)
			case id.Epoch != last.Epoch || id.Seq != last.Seq+1:
				return fmt.Errorf("event %s came after %s", id, last)
			default:
				events <- *e.Event
			}
			last = id
			return nil
		})
		if ctx.Err() == nil {
			b.t.Errorf("the events ended: %v", err)
		}
	}()
	b.t.Cleanup(func() {
		stop()
		<-done
	})
	select {
	case <-begun:
	case <-done:
		b.t.Fatal("no events came")
	}
	return events
}

// next is the next event that is wanted; others are passed over.
func next(t *testing.T, events <-chan contract.Event, wanted func(contract.Event) bool) contract.Event {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-events:
			if wanted(e) {
				return e
			}
		case <-late:
			t.Fatal("the event did not come")
		}
	}
}

// nodesOpen are the hidraw nodes that the daemon has open.
func (b *bridge) nodesOpen() (open []string) {
	b.t.Helper()
	descriptors, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", b.pid))
	if err != nil || len(descriptors) == 0 {
		b.t.Fatalf("the daemon's descriptors: %v, %v", descriptors, err)
	}
	for _, d := range descriptors {
		if to, err := os.Readlink(d); err == nil && strings.HasPrefix(to, "/dev/hidraw") {
			open = append(open, to)
		}
	}
	return open
}
