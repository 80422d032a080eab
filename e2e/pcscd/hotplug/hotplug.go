package hotplug

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"authbridge/e2e/pcscd"
)

const (
	// Bus is the number of the bus, which no machine is likely to have.
	Bus      = 200
	most     = 127 // addresses of a USB bus
	basePort = 36000
	preload  = "libumockdev-preload.so.0"
)

//go:embed machine
var machine embed.FS

// Machine is a pcscd with a USB bus. Its methods are for the test's own
// goroutine.
type Machine struct {
	*pcscd.Daemon
	t      testing.TB
	cables string
	root   string
	held   map[int]*os.File // our ends of the cables
	orders io.Writer
	said   *bufio.Reader
}

// Start starts both, without any reader; the end of the test ends them.
// Arguments are pcscd's, as in [pcscd.Start].
func Start(t testing.TB, args ...string) *Machine {
	t.Helper()
	pcscd.Need(t)
	flags := needTools(t)

	// Not the test's own folder: its name is too long for that of a socket.
	home, err := os.MkdirTemp("", "usb")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	m := &Machine{t: t, cables: filepath.Join(home, "cables"), held: map[int]*os.File{}}
	source, contents := filepath.Join(home, "source"), filepath.Join(home, "drivers/reader.bundle/Contents")
	library, bed := filepath.Join(contents, "Linux/reader.so"), filepath.Join(home, "bed")
	must(t, os.CopyFS(source, machine))
	must(t, os.MkdirAll(filepath.Dir(library), 0o700))
	must(t, os.Mkdir(m.cables, 0o700))
	must(t, os.Rename(filepath.Join(source, "machine/Info.plist"), filepath.Join(contents, "Info.plist")))
	compile(t, append([]string{
		"-fPIC", "-shared", "-o", library, fmt.Sprintf("-DFOLDER=%q", m.cables), "-DPORT=" + strconv.Itoa(basePort),
		filepath.Join(source, "machine/reader.c"),
	}, flags...)...)
	compile(t, "-o", bed, "-DBUS="+strconv.Itoa(Bus), filepath.Join(source, "machine/bed.c"), "-ldl")
	m.startBed(bed, home)

	// pcscd is stopped first, then its drivers come back.
	pcscd.PrivateDrivers(t, filepath.Join(home, "drivers"))
	m.Daemon = pcscd.StartIn(t, []string{"LD_PRELOAD=" + preload, "UMOCKDEV_DIR=" + m.root}, args...)
	t.Cleanup(func() {
		for _, cable := range m.held {
			_ = cable.Close()
		}
	})
	return m
}

// startBed starts the program that is the bus.
func (m *Machine) startBed(path, folder string) {
	m.t.Helper()
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+preload, "TMPDIR="+folder)
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	must(m.t, err)
	said, err := cmd.StdoutPipe()
	must(m.t, err)
	must(m.t, cmd.Start())
	m.t.Cleanup(func() {
		_ = orders.Close() // it ends by that
		if err := cmd.Wait(); err != nil {
			m.t.Errorf("the USB bus ended by %v", err)
		}
	})
	m.orders, m.said = orders, bufio.NewReader(said)
	m.root = m.hear()
}

func (m *Machine) hear() string {
	m.t.Helper()
	line, err := m.said.ReadString('\n')
	if err != nil {
		m.t.Fatalf("the USB bus: %v", err)
	}
	return strings.TrimSpace(line)
}

func (m *Machine) order(format string, args ...any) {
	m.t.Helper()
	if _, err := fmt.Fprintf(m.orders, format+"\n", args...); err != nil {
		m.t.Fatalf("the USB bus: %v", err)
	}
	if said := m.hear(); said != "ok" {
		m.t.Fatalf("the USB bus: %s", said)
	}
}

// Plug plugs reader n in, 1 to 127, and returns when the udev event is out.
func (m *Machine) Plug(n int) {
	m.t.Helper()
	if n < 1 || n > most || m.held[n] != nil {
		m.t.Fatalf("hotplug: reader %d cannot be plugged in", n)
	}
	m.held[n] = lay(m.t, filepath.Join(m.cables, strconv.Itoa(n)))
	m.order("plug %d", n)
}

// Unplug pulls reader n out, with whatever is in it: first nothing reaches it
// any more, then udev says so. It returns when that event is out.
func (m *Machine) Unplug(n int) {
	m.t.Helper()
	if m.held[n] != nil {
		m.Cut(n)
	}
	m.order("unplug %d", n)
}

// Cut is the first half of [Machine.Unplug], which may follow: what runs on the
// reader fails, and udev has said nothing yet.
func (m *Machine) Cut(n int) {
	m.t.Helper()
	if m.held[n] == nil {
		m.t.Fatalf("hotplug: reader %d is not plugged in", n)
	}
	must(m.t, m.held[n].Close())
	delete(m.held, n)
}

// Reader is how the PC/SC name of reader n begins. It ends in the number that
// pcscd has free among the readers of a driver: " 00 00", " 01 00" and so on.
func (m *Machine) Reader(n int) string { return fmt.Sprintf("Test USB Reader (%04d)", n) }

// Addr is where a card connects to be inserted into reader n, once pcscd has
// that reader.
func (m *Machine) Addr(n int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(basePort+n))
}

// Sysfs is the sysfs in which the bus is, and that nobody but pcscd sees.
func (m *Machine) Sysfs() string { return filepath.Join(m.root, "sys") }

// needTools ends the test where the machine lacks a tool, and returns the
// compiler's flags for a driver of pcscd.
func needTools(t testing.TB) []string {
	t.Helper()
	for _, tool := range []struct{ program, from string }{
		{"gcc", "gcc"}, {"pkg-config", "pkg-config"}, {"umockdev-wrapper", "umockdev"},
	} {
		if _, err := exec.LookPath(tool.program); err != nil {
			pcscd.Lacks(t, tool.from+" is not installed")
		}
	}
	flags, err := exec.Command("pkg-config", "--cflags", "libpcsclite").Output()
	if err != nil {
		pcscd.Lacks(t, "libpcsclite-dev is not installed")
	}
	return strings.Fields(string(flags))
}

func compile(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("gcc", append([]string{"-Wall", "-O1"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
