package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"authbridge/agent/contract"
)

// shown measures from an event at a client of the stream to the same event before
// a person: in the menu of the tray, as a panel has it by D-Bus, and in the page,
// in Chromium without a window.
func (b *bench) shown(h *harness) {
	d := b.startDaemon(h, b.newState(h), "--virtual", "on", "--physical", "off")
	menu, rows := b.panel(h, d), b.page(h, d)
	told := follow(h, d, contract.KeyPlugged, contract.KeyUnplugged)
	orders := d.dial(h)
	var tray, page samples
	n := b.times(60)
	for i := range n {
		for _, turn := range []struct{ method, target, body, words string }{
			{http.MethodDelete, "/v1/virtual/keys/virtual-key-1", "{}", "unplugged"},
			{http.MethodPost, "/v1/virtual/keys", `{"name":"virtual-key-1"}`, "plugged in"},
		} {
			_, _, err := orders.send(orders.request(turn.method, turn.target, turn.body))
			h.must(err)
			event := await(h, told, "")
			tray = append(tray, await(h, menu, turn.words).at.Sub(event.at))
			page = append(page, await(h, rows, event.id).at.Sub(event.at))
		}
		if (i+1)%20 == 0 {
			b.say("  %d of %d keys unplugged and plugged in", i+1, n)
		}
	}
	for _, r := range []struct {
		where string
		took  samples
		other samples
		name  string
	}{
		{"in the menu of the tray, over D-Bus", tray, page, "the page"}, {"in the page, in Chromium", page, tray, "the tray"},
	} {
		b.add(row{
			What: "event at a client of the stream → " + r.where + " (p50 / p99)", Goal: "-",
			Measured: fmt.Sprintf("%s, n = %d", r.took, len(r.took)),
			Peers:    fmt.Sprintf("%s, the same events: %s", r.name, r.other), Ratio: ratio(r.took.p50(), r.other.p50()),
		})
	}
}

// await waits for a message with that in it; what comes before it is another's.
func await(h *harness, from <-chan message, part string) message {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case m, open := <-from:
			if !open {
				h.Fatalf("the program that should show %q ended", part)
			}
			if strings.Contains(m.id, part) {
				return m
			}
		case <-late.C:
			h.Fatalf("%q is not shown within %s", part, patience)
		}
	}
}

// trayWatcher is that of the panel: an icon registers with it.
type trayWatcher struct{ came chan dbus.Sender }

// RegisterStatusNotifierItem is what an icon calls.
func (w trayWatcher) RegisterStatusNotifierItem(_ string, from dbus.Sender) *dbus.Error { //nolint:unparam // the bus wants an error
	w.came <- from
	return nil
}

// panel starts the tray on a bus of its own, and gives the rows of its menu as
// they change.
func (b *bench) panel(h *harness, d *daemon) <-chan message {
	address := "unix:path=" + filepath.Join(h.TempDir(), "bus")
	up := b.pipe(h, anyLine, "dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1", "--address="+address)
	<-up // it says its address once it listens
	bus, err := dbus.Connect(address)
	h.must(err)
	h.Cleanup(func() { _ = bus.Close() })
	signals := make(chan *dbus.Signal, 10_000)
	bus.Signal(signals)
	h.must(bus.AddMatchSignal(dbus.WithMatchInterface("com.canonical.dbusmenu"), dbus.WithMatchMember("ItemsPropertiesUpdated")))
	watcher := trayWatcher{make(chan dbus.Sender, 1)}
	h.must(bus.Export(watcher, "/StatusNotifierWatcher", "org.kde.StatusNotifierWatcher"))
	_, err = bus.RequestName("org.kde.StatusNotifierWatcher", dbus.NameFlagDoNotQueue)
	h.must(err)

	cmd := exec.CommandContext(b.ctx, b.tray, "--state-dir", d.state)
	cmd.Env = append(b.env(), "DBUS_SESSION_BUS_ADDRESS="+address)
	h.must(cmd.Start())
	h.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	item := <-watcher.came
	// Who has asked for the menu is told what changes in it.
	h.must(bus.Object(string(item), "/StatusNotifierItem/menu").Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Err)

	rows := make(chan message, 10_000)
	go func() {
		defer close(rows)
		for s := range signals {
			at := time.Now()
			updates, _ := s.Body[0].([][]any)
			for _, update := range updates {
				if label, ok := update[1].(map[string]dbus.Variant)["label"]; ok {
					rows <- message{id: label.String(), at: at}
				}
			}
		}
	}()
	return rows
}

// page opens the page in a browser, and gives the events that it lists.
func (b *bench) page(h *harness, d *daemon) <-chan message {
	open := exec.CommandContext(b.ctx, b.authbridge, "open", "--print", "--state-dir", d.state)
	open.Env = b.env()
	address, err := open.Output()
	h.must(err)
	lines := b.pipe(h, anyLine, "node", "e2e/page/follow.mjs", strings.TrimSpace(string(address)))
	shown := make(chan message, 10_000)
	ready := make(chan struct{})
	go func() {
		defer close(shown)
		for line := range lines {
			id, at, _ := strings.Cut(line.kind, " ")
			if id == "ready" {
				close(ready)
				continue
			}
			if ms, err := strconv.ParseFloat(at, 64); err == nil {
				shown <- message{id: id, at: time.UnixMicro(int64(ms * 1000))}
			}
		}
	}()
	select {
	case <-ready:
	case <-time.After(patience):
		h.Fatal("the page does not open")
	}
	return shown
}
