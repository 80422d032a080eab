package pcscd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	runDir = "/run/pcscd"
	socket = runDir + "/pcscd.comm"
	// basePort is none that the kernel gives to whoever connects, as vpcd's own
	// default (0x8C7B) is: a test's client would have it now and then.
	basePort = 0x5C7B
	maxSlots = 16 // PCSCLITE_MAX_READERS_CONTEXTS
	patience = 30 * time.Second
)

// Daemon is a running pcscd. Its methods are for the test's own goroutine.
type Daemon struct {
	t     testing.TB
	slots int
	conf  string
	log   *os.File
	args  []string
	env   []string

	process *os.Process
	exited  chan struct{} // closed once the process is gone
}

// Start starts a pcscd with that many readers and waits until it serves them;
// the end of the test stops it. A vpcd driver has two slots, and every slot is
// a reader to PC/SC: an odd number is rounded up. At most 16. Further pcscd
// arguments (--debug, --apdu) may follow; the default is --info.
//
// There is one pcscd at a time in a test binary: tests that use it are not
// parallel.
func Start(t testing.TB, readers int, args ...string) *Daemon {
	t.Helper()
	return start(t, readers, nil, args)
}

// StartIn starts a pcscd without readers of vpcd, with more in its environment;
// see [Start].
func StartIn(t testing.TB, env []string, args ...string) *Daemon {
	t.Helper()
	return start(t, 0, env, args)
}

func start(t testing.TB, readers int, env, args []string) *Daemon {
	t.Helper()
	Need(t)
	slots := readers + readers%2
	if readers < 0 || slots > maxSlots {
		t.Fatalf("pcscd: %d readers: it has 0 to %d", readers, maxSlots)
	}
	if len(args) == 0 {
		args = []string{"--info"}
	}
	d := &Daemon{t: t, slots: slots, conf: t.TempDir(), args: args, env: env}
	d.writeConfig()
	log, err := os.Create(filepath.Join(t.TempDir(), "pcscd.log"))
	if err != nil {
		t.Fatal(err)
	}
	d.log = log
	t.Cleanup(func() {
		d.Kill()
		if t.Failed() {
			t.Logf("the end of pcscd's log:\n%s", d.tail())
		}
		log.Close()
	})
	d.Restart()
	return d
}

// Slots is how many readers PC/SC has.
func (d *Daemon) Slots() int { return d.slots }

// Addr is where a card connects to be inserted into reader i.
func (d *Daemon) Addr(i int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(d.port(i)))
}

// Reader is the PC/SC name of reader i.
func (d *Daemon) Reader(i int) string {
	d.check(i)
	return fmt.Sprintf("%s 00 %02d", driverName(i/2), i%2)
}

// Log is the path of pcscd's log.
func (d *Daemon) Log() string { return d.log.Name() }

// PID is the process id of the running pcscd.
func (d *Daemon) PID() int { return d.process.Pid }

// Kill ends pcscd by SIGKILL, as a crash would: its socket stays behind.
func (d *Daemon) Kill() { d.end(syscall.SIGKILL) }

// Stop ends pcscd in order, by SIGINT; its clients first see the readers go.
func (d *Daemon) Stop() { d.end(syscall.SIGINT) }

// Restart starts pcscd again, after Kill or Stop (or ends it by Stop first),
// and waits until it serves its readers. Their names and addresses stay.
func (d *Daemon) Restart() {
	d.t.Helper()
	d.Stop()
	for _, stale := range []string{socket, runDir + "/pcscd.pid"} {
		if err := os.Remove(stale); err != nil && !os.IsNotExist(err) {
			d.t.Fatal(err)
		}
	}
	d.spawn()
	d.awaitReady()
}

func (d *Daemon) end(signal syscall.Signal) {
	d.t.Helper()
	if d.process == nil {
		return
	}
	_ = d.process.Signal(signal)
	select {
	case <-d.exited:
	case <-time.After(patience):
		// Its own matter: 1.9.9 can get stuck on its way out while a reader goes.
		_ = d.process.Kill()
		<-d.exited
		d.t.Logf("pcscd: did not end by %v within %v", signal, patience)
	}
	d.process = nil
}

// spawn starts the process from a goroutine that keeps its thread until the
// process has ended, because the kernel ends it with that thread.
func (d *Daemon) spawn() {
	d.t.Helper()
	path, err := findPcscd()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"--foreground", "--config", d.conf}, d.args...)...)
	cmd.Env = append(os.Environ(), d.env...)
	cmd.Stdout, cmd.Stderr = d.log, d.log
	cmd.SysProcAttr = daemonAttr()
	started, exited := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait()
		close(exited)
	}()
	if err := <-started; err != nil {
		d.t.Fatalf("pcscd: %v", err)
	}
	d.process, d.exited = cmd.Process, exited
}

// awaitReady waits for the socket and for every vpcd port. The ports are
// looked up, not dialled: a connection would be a card.
func (d *Daemon) awaitReady() {
	d.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(socket); err == nil && d.listening() {
			return
		}
		select {
		case <-tick.C:
		case <-d.exited:
			d.process = nil
			d.t.Fatalf("pcscd: ended at its start:\n%s", d.tail())
		case <-deadline:
			d.t.Fatalf("pcscd: not ready after %v:\n%s", patience, d.tail())
		}
	}
}

// listening reports whether all vpcd ports are in state LISTEN (0A).
func (d *Daemon) listening() bool {
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		return false
	}
	open := make(map[string]bool)
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 3 && f[3] == "0A" {
			_, port, _ := strings.Cut(f[1], ":")
			open[port] = true
		}
	}
	for i := range d.slots {
		if !open[fmt.Sprintf("%04X", d.port(i))] {
			return false
		}
	}
	return true
}

// writeConfig writes a reader.conf entry for each driver, each with its own
// copy of the library: vpcd keeps its sockets in static variables, so a second
// reader of the same file would silently kill the first.
func (d *Daemon) writeConfig() {
	d.t.Helper()
	if d.slots == 0 {
		return
	}
	library, err := findVpcd()
	if err != nil {
		d.t.Fatal(err)
	}
	image, err := os.ReadFile(library)
	if err != nil {
		d.t.Fatal(err)
	}
	libraries := d.t.TempDir()
	var conf strings.Builder // one file: several are read in no order
	for n := range d.slots / 2 {
		own := filepath.Join(libraries, fmt.Sprintf("libifdvpcd%d.so", n))
		fmt.Fprintf(&conf, "FRIENDLYNAME %q\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n\n",
			driverName(n), d.port(2*n), own, d.port(2*n))
		if err := os.WriteFile(own, image, 0o700); err != nil { //nolint:gosec // a library
			d.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(d.conf, "vpcd"), []byte(conf.String()), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *Daemon) port(i int) int {
	d.check(i)
	return basePort + i
}

func (d *Daemon) check(i int) {
	d.t.Helper()
	if i < 0 || i >= d.slots {
		d.t.Fatalf("pcscd: no reader %d: there are %d", i, d.slots)
	}
}

func (d *Daemon) tail() string {
	text, err := os.ReadFile(d.log.Name())
	if err != nil {
		return err.Error()
	}
	const most = 4096
	return string(text[max(0, len(text)-most):])
}

func driverName(n int) string { return fmt.Sprintf("Test PCD %c", 'A'+n) }

func findPcscd() (string, error) {
	return findFile("pcscd", "/usr/sbin/pcscd", "/usr/local/sbin/pcscd")
}

func findVpcd() (string, error) {
	return findFile("vsmartcard-vpcd",
		"/usr/lib/pcsc/drivers/serial/libifdvpcd.so", "/usr/local/lib/pcsc/drivers/serial/libifdvpcd.so")
}

func findFile(what string, paths ...string) (string, error) {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed (no %s)", what, strings.Join(paths, ", "))
}
