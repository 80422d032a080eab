package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience is how long anything may take before the run gives it up.
const patience = time.Minute

// daemon is a running authbridge, as a user runs it.
type daemon struct {
	process *exec.Cmd
	state   string
	address string
	token   string
	started time.Time
	listens time.Time // when it said so
}

// startDaemon runs authbridge in a state folder and waits until it listens. It
// ends with the part of the run.
func (b *bench) startDaemon(h *harness, state string, args ...string) *daemon {
	d, err := b.tryDaemon(state, args...)
	h.must(err)
	h.Cleanup(func() {
		if err := d.stop(); err != nil {
			h.Errorf("the daemon: %v", err)
		}
	})
	return d
}

func (b *bench) tryDaemon(state string, args ...string) (*daemon, error) {
	d := &daemon{state: state}
	args = append([]string{"run", "--state-dir", state, "--listen", "127.0.0.1:0"}, args...)
	d.process = exec.CommandContext(b.ctx, b.authbridge, args...)
	d.process.Env = b.env()
	log, err := os.Create(state + ".log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.process.Stderr = log
	out, err := d.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.started = time.Now()
	if err := d.process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	d.listens = time.Now()
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on http://")
	if err != nil || !ok {
		_ = d.process.Process.Kill()
		_ = d.process.Wait()
		return nil, fmt.Errorf("authbridge run said %q; its log:\n%s", line, slurp(state+".log"))
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	d.address = address
	token, err := os.ReadFile(filepath.Join(state, "token"))
	d.token = string(bytes.TrimSpace(token))
	return d, err
}

// env is the environment of programs that are measured: nothing of the user's
// own settings.
func (b *bench) env() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "AUTHBRIDGE_") && !strings.HasPrefix(e, "XDG_") && !strings.HasPrefix(e, "HOME=") {
			env = append(env, e)
		}
	}
	return append(env, "HOME="+b.dir)
}

// newState is a new, short folder name: a socket's path has 108 octets.
func (b *bench) newState(h *harness) string {
	dir, err := os.MkdirTemp(b.dir, "s")
	h.must(err)
	return dir
}

func (d *daemon) pid() int { return d.process.Process.Pid }

func (d *daemon) stop() error {
	if err := d.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	late := time.AfterFunc(patience, func() { _ = d.process.Process.Kill() })
	defer late.Stop()
	if err := d.process.Wait(); err != nil {
		return fmt.Errorf("%w; its log:\n%s", err, slurp(d.state+".log"))
	}
	return nil
}
