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
	warm, cold := b.copyProgram(h, false), b.copyProgram(h, true)

	w := b.startIdle(h, warm)
	idle := memoryOf(w.pid())
	// Deadlines of what was done at the start are met once more by the timers
	// that are left of them; what comes after that is a wake-up of our own.
	const span = 10 * time.Second
	b.wait(span + time.Second)
	switches, cpu := switchesOf(w.pid()), cpuOf(w.pid())
	b.wait(span)
	switches, cpu = switchesOf(w.pid())-switches, cpuOf(w.pid())-cpu
	b.add(row{
		What: "idle for 10 s, a card in a real reader", Goal: "no wake-ups of our own",
		Measured: fmt.Sprintf("%d context switches, %s ms CPU", switches, ms(cpu)), Met: met(switches == 0),
	})
	b.askMuch(h, w)
	busy := memoryOf(w.pid())
	h.must(w.stop())

	c := b.startIdle(h, cold)
	coldIdle := memoryOf(c.pid())
	b.askMuch(h, c)
	coldBusy := memoryOf(c.pid())
	h.must(c.stop())

	info, err := os.Stat(b.authbridge)
	h.must(err)
	b.add(row{
		What: "resident memory, idle / after 2,000 calls of each of 4 routes", Goal: "≤ 20 / 25 MB",
		Measured: fmt.Sprintf("%.1f / %.1f MB, of it anonymous %.1f / %.1f", coldIdle.rss, coldBusy.rss, coldIdle.anon, coldBusy.anon),
		Peers: fmt.Sprintf("with all %.1f MB of the program in the page cache %.1f / %.1f MB, of it anonymous %.1f / %.1f",
			float64(info.Size())/1e6, idle.rss, busy.rss, idle.anon, busy.anon),
		Met: met(coldIdle.rss <= 20 && coldBusy.rss <= 25),
	})
}

// startIdle starts a daemon and lets it come to rest.
func (b *bench) startIdle(h *harness, file string) *daemon {
	own := *b
	own.authbridge = file
	d, err := own.tryDaemon(b.newState(h), "--virtual", "on", "--physical", "on")
	h.must(err)
	w, err := dial(d.address, d.token)
	h.must(err)
	defer w.close()
	for _, kind := range []string{"smartcard", "security-key"} {
		_, _, err := w.get("/v1/readiness?aal=3&target=mock&wait=30s&kind=" + kind)
		h.must(err)
	}
	b.wait(3 * time.Second) // for what the start left to settle
	return d
}

func (b *bench) askMuch(h *harness, d *daemon) {
	w, err := dial(d.address, d.token)
	h.must(err)
	defer w.close()
	for _, target := range []string{"/v1/status", readyQuestion, "/v1/authenticators", "/metrics"} {
		request := w.request(http.MethodGet, target, "")
		for range b.times(2000) {
			_, _, err := w.send(request)
			h.must(err)
		}
	}
}

// copyProgram makes a fresh copy, all in the page cache as an installation
// leaves it, or nothing of it there as after a boot. The kernel counts what it
// maps around what is used, and that depends on the page cache.
func (b *bench) copyProgram(h *harness, cold bool) string {
	text, err := os.ReadFile(b.authbridge)
	h.must(err)
	file := filepath.Join(h.TempDir(), "authbridge")
	h.must(os.WriteFile(file, text, 0o755)) //nolint:gosec // a program
	if cold {
		b.runOnce(h, "dd", "of="+file, "count=0", "conv=notrunc,fdatasync", "oflag=nocache")
	}
	return file
}

func (b *bench) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.ctx.Done():
	}
}
