package platform

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// notices plays the notifications of a desktop.
type notices struct {
	shown  chan []any
	closed chan uint32
}

// Notify notes what it was called with, and gives it the number 7.
func (n *notices) Notify(app string, replaces uint32, icon, title, text string, actions []string, hints map[string]dbus.Variant, timeout int32) (uint32, *dbus.Error) {
	n.shown <- []any{app, replaces, title, text}
	return 7, nil
}

// CloseNotification notes the number.
func (n *notices) CloseNotification(number uint32) *dbus.Error {
	n.closed <- number
	return nil
}

// privateBus starts a bus and makes it the session's.
func privateBus(t *testing.T) *dbus.Conn {
	t.Helper()
	bus, address := startBus(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	return bus
}

// startBus starts a bus of the test's own.
func startBus(t *testing.T) (bus *dbus.Conn, address string) {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("there is no dbus-daemon here: install the package dbus")
	}
	address = "unix:path=" + filepath.Join(t.TempDir(), "bus")
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
	bus, err = dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	return bus, address
}

func TestADesktopIsToldWithoutMarkup(t *testing.T) {
	bus := privateBus(t)
	d, err := OpenDesktop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Leave()
	if _, err := d.Show(t.Context(), "t", "x"); err == nil {
		t.Error("a desktop without notifications shows one")
	}
	n := &notices{make(chan []any, 1), make(chan uint32, 1)}
	if err := bus.Export(n, notifyPath, notifications); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName(notifications, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	number, err := d.Show(t.Context(), "authbridge", `Touch <img src="http://x">key & <b>4f2a</b>`+"\x1b\u202e")
	if err != nil || number != 7 {
		t.Fatalf("%d, %v", number, err)
	}
	if got := (<-n.shown)[3]; got != `Touch img src="http://x"key  b4f2a/b` {
		t.Errorf("it shows %q", got)
	}
	// A click is emitted until it is taken: the listener may not wait yet.
	clicked := make(chan uint32)
	go func() { clicked <- <-d.Clicked() }()
	for end := time.After(time.Minute); ; {
		if err := bus.Emit(notifyPath, actionInvoked, uint32(7), "default"); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-clicked:
			if got != 7 {
				t.Errorf("%d was clicked", got)
			}
		case <-time.After(10 * time.Millisecond):
			continue
		case <-end:
			t.Fatal("no click comes")
		}
		break
	}
	if err := d.Close(t.Context(), 7); err != nil || <-n.closed != 7 {
		t.Error(err)
	}
}

func TestADesktopSaysWhetherItShowsTrays(t *testing.T) {
	bus := privateBus(t)
	t.Setenv("DISPLAY", ":0")
	if !noTray() {
		t.Error("without a watcher there is a tray")
	}
	if _, err := bus.RequestName(trayWatcher, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	if noTray() {
		t.Error("with a watcher there is no tray")
	}
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if noTray() {
		t.Error("a tray is missed where there is no desktop")
	}
}

func TestWithoutASessionThereIsNoDesktop(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if _, err := OpenDesktop(t.Context()); !errors.Is(err, ErrNoDesktop) {
		t.Error(err)
	}
}
