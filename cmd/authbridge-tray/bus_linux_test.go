package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"authbridge/agent/api/apitest"
)

const (
	watcherName = "org.kde.StatusNotifierWatcher"
	itemPath    = "/StatusNotifierItem"
	menuPath    = "/StatusNotifierItem/menu"
	menuName    = "com.canonical.dbusmenu"
)

// panel is what shows tray icons on a private bus, as far as its bus is
// concerned: a StatusNotifierWatcher that also follows the menu of who comes.
type panel struct {
	t       *testing.T
	bus     *dbus.Conn
	address string
	came    chan dbus.Sender
	signals chan *dbus.Signal
	item    dbus.Sender
	labels  map[int32]string // of the rows that are visible
	hidden  map[int32]bool
}

// RegisterStatusNotifierItem is what an icon calls.
func (p *panel) RegisterStatusNotifierItem(_ string, from dbus.Sender) *dbus.Error {
	p.came <- from
	return nil
}

// newPanel starts a bus. It needs Debian's package dbus.
func newPanel(t *testing.T) *panel {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("there is no dbus-daemon here: install the package dbus")
	}
	address := "unix:path=" + filepath.Join(t.TempDir(), "bus")
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1", "--address="+address)
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	if _, err := out.Read(make([]byte, 200)); err != nil { // it says its address once it listens
		t.Fatal(err)
	}
	p := &panel{t: t, address: address, came: make(chan dbus.Sender, 10)}
	p.connect()
	return p
}

// connect comes to the bus, without the name of a watcher yet.
func (p *panel) connect() {
	p.t.Helper()
	bus, err := dbus.Connect(p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.bus, p.labels, p.hidden = bus, map[int32]string{}, map[int32]bool{}
	p.signals = make(chan *dbus.Signal, 100_000) // a test's own; what is lost in it is not the tray's fault
	bus.Signal(p.signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchInterface(menuName), dbus.WithMatchMember("ItemsPropertiesUpdated")},
		{dbus.WithMatchInterface("org.freedesktop.DBus.Properties"), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchObjectPath(itemPath)},
	} {
		if err := bus.AddMatchSignal(match...); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := bus.Export(p, "/StatusNotifierWatcher", watcherName); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = bus.Close() })
}

// watch takes the name of the watcher, and waits for the icon.
func (p *panel) watch() {
	p.t.Helper()
	if _, err := p.bus.RequestName(watcherName, dbus.NameFlagDoNotQueue); err != nil {
		p.t.Fatal(err)
	}
	select {
	case p.item = <-p.came:
	case <-time.After(time.Minute):
		p.t.Fatal("no icon comes")
	}
	// What it shows by now; the rest is told.
	var revision uint32
	var layout struct {
		ID         int32
		Properties map[string]dbus.Variant
		Children   []dbus.Variant
	}
	err := p.bus.Object(string(p.item), menuPath).Call(menuName+".GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &layout)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, child := range layout.Children {
		fields := child.Value().([]any)
		p.row(fields[0].(int32), fields[1].(map[string]dbus.Variant))
	}
}

// row takes what is told of a row, and says what it shows; empty if it is hidden.
func (p *panel) row(id int32, properties map[string]dbus.Variant) string {
	if v, ok := properties["visible"]; ok {
		p.hidden[id] = v.Value() == false
	}
	if v, ok := properties["label"]; ok {
		p.labels[id] = v.Value().(string)
	}
	if p.hidden[id] {
		return ""
	}
	return p.labels[id]
}

// id is that of the row which begins so.
func (p *panel) id(begins string) (int32, bool) {
	for id, label := range p.labels {
		if !p.hidden[id] && strings.HasPrefix(label, begins) {
			return id, true
		}
	}
	return 0, false
}

// follow hands each label on as it changes, empty where a row is hidden, until seen
// says it is enough.
func (p *panel) follow(what string, seen func(label string) bool) {
	p.t.Helper()
	end := time.After(time.Minute)
	for {
		select {
		case s := <-p.signals:
			if s.Name != menuName+".ItemsPropertiesUpdated" {
				continue
			}
			for _, update := range s.Body[0].([][]any) {
				if label := p.row(update[0].(int32), update[1].(map[string]dbus.Variant)); seen(label) {
					return
				}
			}
		case <-end:
			p.t.Fatalf("never seen: %s; the menu is %q", what, p.labels)
		}
	}
}

func (p *panel) waitFor(begins string) {
	p.t.Helper()
	if _, there := p.id(begins); there {
		return
	}
	p.follow(begins, func(label string) bool { return strings.HasPrefix(label, begins) })
}

func (p *panel) waitGone(begins string) {
	p.t.Helper()
	gone := func(string) bool {
		_, there := p.id(begins)
		return !there
	}
	if !gone("") {
		p.follow("the end of "+begins, gone)
	}
}

func (p *panel) property(name string) any {
	p.t.Helper()
	v, err := p.bus.Object(string(p.item), itemPath).GetProperty("org.kde.StatusNotifierItem." + name)
	if err != nil {
		p.t.Fatal(err)
	}
	return v.Value()
}

func (p *panel) click(begins string) {
	p.t.Helper()
	id, there := p.id(begins)
	if !there {
		p.t.Fatalf("there is no row %q: %q", begins, p.labels)
	}
	if err := p.bus.Object(string(p.item), menuPath).Call(menuName+".Event", 0, id, "clicked", dbus.MakeVariant(""), uint32(0)).Err; err != nil {
		p.t.Fatal(err)
	}
}

// program builds the tray: systray reads a number without its lock, so the
// process that runs it is one without the race detector.
func program(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "authbridge-tray")
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// run starts the built tray. Its exit code is the test's matter.
func run(t *testing.T, binary string, env []string, args ...string) (cmd *exec.Cmd, said *strings.Builder) {
	t.Helper()
	cmd, said = exec.Command(binary, args...), &strings.Builder{}
	cmd.Stderr, cmd.Env = said, append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, said
}

func onBus(p *panel, s *apitest.Server) []string {
	return []string{"DBUS_SESSION_BUS_ADDRESS=" + p.address, "AUTHBRIDGE_URL=unix://" + s.Socket, "AUTHBRIDGE_TOKEN="}
}

// TestThePanelSeesABurstInOrder is the tray as a panel has it: over D-Bus.
func TestThePanelSeesABurstInOrder(t *testing.T) {
	binary, p := program(t), newPanel(t)
	s := apitest.Start(t, apitest.Options{})
	cmd, said := run(t, binary, onBus(p, s))
	p.watch()
	p.waitFor("Open the page")
	rows := len(p.labels)
	s.Observe(t, keys("key_number 0000"))
	p.waitFor("✓ key__number 0000") // one _ would mark a key
	const burst = 1000
	go func() {
		for i := range burst {
			s.Observe(t, keys(fmt.Sprintf("key_number %04d", i+1)))
		}
	}()
	next := 1
	p.follow("the burst", func(label string) bool {
		var seen int
		if _, err := fmt.Sscanf(label, "✓ key__number %d", &seen); err == nil && seen >= next {
			if seen != next {
				t.Errorf("number %d is shown where %d is due", seen, next)
			}
			next = seen + 1
		}
		return next > burst
	})
	p.waitFor("Ready for AAL3 at mock")
	if got := p.property("ToolTip").([]any)[2]; got != "authbridge: Ready for AAL3 at mock" {
		t.Errorf("the icon says %q", got)
	}
	if got := p.property("Id"); got != "authbridge" {
		t.Errorf("its id is %q", got)
	}
	if len(p.labels) != rows {
		t.Errorf("the menu had %d rows and has %d", rows, len(p.labels))
	}
	p.click("Quit")
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, said)
	}
	if said.Len() > 0 {
		t.Errorf("it says\n%s", said)
	}
}

func TestThePanelMayRestart(t *testing.T) {
	binary, p := program(t), newPanel(t)
	s := apitest.Start(t, apitest.Options{})
	s.Observe(t, keys("key a"))
	cmd, said := run(t, binary, onBus(p, s))
	for range 3 {
		p.watch()
		p.waitFor("Ready for AAL3 at mock")
		_ = p.bus.Close()
		p.connect()
	}
	p.watch()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, said)
	}
}

// TestDaemonAndPanelRestartTogether, as after an update of the machine: whichever
// comes back first, the icon shows the new daemon and nothing of the old one.
func TestDaemonAndPanelRestartTogether(t *testing.T) {
	binary, p := program(t), newPanel(t)
	s := apitest.Start(t, apitest.Options{})
	s.Observe(t, keys("key 0"))
	cmd, said := run(t, binary, onBus(p, s))
	p.watch()
	p.waitFor("✓ key 0")
	start := func(n int) {
		s = apitest.Start(t, apitest.Options{Dir: s.Dir})
		s.Observe(t, keys(fmt.Sprint("key ", n)))
	}
	for n := 1; n <= 4; n++ {
		_ = p.bus.Close()
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		p.connect()
		if n%2 == 0 {
			start(n)
			p.watch()
		} else {
			p.watch()
			p.waitFor("Not running")
			p.waitFor("Start the service")
			if tip := p.property("ToolTip").([]any)[2]; tip != "authbridge: Not running" {
				t.Errorf("without a daemon the icon says %q", tip)
			}
			start(n)
		}
		p.waitFor(fmt.Sprint("✓ key ", n))
		p.waitFor("Ready for AAL3 at mock")
		p.waitFor("Open the page")
		for _, stale := range []string{fmt.Sprint("✓ key ", n-1), "Not running", "Start the service"} {
			p.waitGone(stale)
		}
		if tip := p.property("ToolTip").([]any)[2]; tip != "authbridge: Ready for AAL3 at mock" {
			t.Errorf("restart %d: the icon says %q", n, tip)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || said.Len() > 0 {
		t.Errorf("it ended with %v\n%s", err, said)
	}
}

// TestThereIsOneTrayASession: two would be two icons, and each prompt told twice.
func TestThereIsOneTrayASession(t *testing.T) {
	binary, p := program(t), newPanel(t)
	s := apitest.Start(t, apitest.Options{})
	first, _ := run(t, binary, onBus(p, s))
	p.watch()
	second, said := run(t, binary, onBus(p, s))
	if err := second.Wait(); err != nil {
		t.Errorf("the second ends with %v", err)
	}
	if want := fmt.Sprintf("authbridge-tray: the tray of this session is held by process %d\n", first.Process.Pid); said.String() != want {
		t.Errorf("the second says %q, want %q", said, want)
	}
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
	run(t, binary, onBus(p, s))
	p.watch() // and the next one has its place
}

func TestTheTrayEndsWithItsSession(t *testing.T) {
	binary, p := program(t), newPanel(t)
	s := apitest.Start(t, apitest.Options{})
	cmd, said := run(t, binary, onBus(p, s))
	p.watch()
	p.waitFor("Open the page")
	var pid uint32
	if err := p.bus.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, "org.freedesktop.DBus").Store(&pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(int(pid), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, said)
	}
}

func TestWithoutADesktopItSaysSo(t *testing.T) {
	binary := program(t)
	cmd := exec.Command(binary)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitNoDesktop || !strings.Contains(string(out), "no session bus") || !strings.Contains(string(out), "→") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheCommandLine(t *testing.T) {
	for args, want := range map[string]int{"--help": exitDone, "--version": exitDone, "--wrong": exitUsage, "more": exitUsage} {
		if got := start([]string{args}, io.Discard); got != want {
			t.Errorf("%s: exit %d, want %d", args, got, want)
		}
	}
	s, err := parse([]string{"--target", "int", "--state-dir", "d"}, io.Discard)
	if q := s.questions(); err != nil || s.stateDir != "d" || len(q) != 4 || q[2].Target != "int" || q[2].AAL != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}
