package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"authbridge/e2e/pcscd"
)

// idle measures what the daemon costs while nothing happens, with a card in a
// real reader and the embedded virtual card and key.
func (b *bench) idle(h *harness) {
	d := pcscd.Start(h, 2)
	card := newCard(h)
	plug := b.plug(h, d, card)
	defer func() { _ = plug.Close() }()
	b.copyProgram(h)
	daemon := b.startDaemon(h, b.newState(h), "--virtual", "on", "--physical", "on")
	w := daemon.dial(h)
	for _, kind := range []string{"smartcard", "security-key"} {
		_, _, err := w.get("/v1/readiness?aal=3&target=mock&wait=30s&kind=" + kind)
		h.must(err)
	}
	w.close()
	b.wait(3 * time.Second) // for what the start left to settle

	pid := daemon.pid()
	idle := memoryOf(pid)
	const span = 10 * time.Second
	switches, cpu := switchesOf(pid), cpuOf(pid)
	b.wait(span)
	switches, cpu = switchesOf(pid)-switches, cpuOf(pid)-cpu

	w = daemon.dial(h)
	for _, target := range []string{"/v1/status", readyQuestion, "/v1/authenticators", "/metrics"} {
		request := w.request(http.MethodGet, target, "")
		for range b.times(2000) {
			_, _, err := w.send(request)
			h.must(err)
		}
	}
	busy := memoryOf(pid)
	b.add(row{
		What: "idle for 10 s, a card in a real reader", Goal: "no wake-ups of our own",
		Measured: fmt.Sprintf("%d context switches, %s ms CPU", switches, ms(cpu)), Met: met(switches == 0),
	})
	info, err := os.Stat(b.authbridge)
	h.must(err)
	b.add(row{
		What: "resident memory, idle / after 2,000 calls of each of 4 routes", Goal: "≤ 20 / 25 MB",
		Measured: fmt.Sprintf("%.1f / %.1f MB, of it anonymous %.1f / %.1f", idle.rss, busy.rss, idle.anon, busy.anon),
		Peers:    fmt.Sprintf("the program is %.1f MB, just copied (page cache warm: the worst case)", float64(info.Size())/1e6),
		Met:      met(idle.rss <= 20 && busy.rss <= 25),
	})
}

// copyProgram measures a fresh copy, so that the page cache is as after an
// installation, whoever ran the program before.
func (b *bench) copyProgram(h *harness) {
	text, err := os.ReadFile(b.authbridge)
	h.must(err)
	file := filepath.Join(b.dir, "authbridge")
	h.must(os.WriteFile(file, text, 0o755)) //nolint:gosec // a program
	b.authbridge = file
}

func (b *bench) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.ctx.Done():
	}
}
