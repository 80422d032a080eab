package main

import (
	"fmt"
	"time"

	"authbridge/e2e/pcscd"
)

// process measures `authbridge ready` from its exec to its end.
func (b *bench) process(h *harness) {
	d := pcscd.Start(h, 2)
	card := newCard(h)
	plug := b.plug(h, d, card)
	defer func() { _ = plug.Close() }()
	state := b.newState(h)
	daemon := b.startDaemon(h, state, "--virtual", "off", "--physical", "on")
	_, _, err := daemon.dial(h).get(readyQuestion + "&wait=30s")
	h.must(err)

	ready := []string{b.authbridge, "ready", "--state-dir", state, "--aal", "3", "--target", "mock", "--kind", "smartcard"}
	var ours, empty, bare, opensc, ykman samples
	for i := range b.times(150) {
		for _, p := range []struct {
			args []string
			took *samples
			each int
		}{
			{ready, &ours, 1},
			{[]string{b.empty}, &empty, 1},
			{[]string{"/bin/true"}, &bare, 1},
			{[]string{"opensc-tool", "-l"}, &opensc, 5},
			{[]string{"ykman", "list"}, &ykman, 15},
		} {
			if i%p.each == 0 {
				*p.took = append(*p.took, b.runOnce(h, p.args...))
			}
		}
	}
	q := quotient(ours.p50(), empty.p50())
	b.add(row{
		What: "authbridge ready, whole process (p50 / p99)", Goal: "≤ 4 × an empty Go program",
		Measured: fmt.Sprintf("%s, least %s, n = %d", ours, ms(ours.at(0)), len(ours)),
		Peers:    fmt.Sprintf("empty Go program %s, /bin/true %s, opensc-tool -l %s, ykman list %s ms", empty, bare, opensc, ms(ykman.p50())),
		Ratio:    fmt.Sprintf("%.2f × (p50), %.2f × (least)", q, quotient(ours.at(0), empty.at(0))), Met: met(q <= 4),
	})
}

// start measures from exec to the first answer, in a fresh state folder and in
// one that was there.
func (b *bench) start(h *harness) {
	pcscd.Start(h, 2)
	measure := func(state string) (listens, answers time.Duration) {
		d, err := b.tryDaemon(state, "--virtual", "on", "--physical", "on")
		h.must(err)
		w, err := dial(d.address, d.token)
		h.must(err)
		_, _, err = w.get("/v1/status")
		answers = time.Since(d.started)
		w.close()
		h.must(err)
		// What makes the embedded card and key is to be there next time.
		w, err = dial(d.address, d.token)
		h.must(err)
		_, _, err = w.get(readyQuestion + "&wait=30s")
		h.must(err)
		w.close()
		h.must(d.stop())
		return d.listens.Sub(d.started), answers
	}
	var first, fresh, listens samples
	kept := b.newState(h)
	measure(kept)
	for i := range b.times(25) {
		l, a := measure(kept)
		first, listens = append(first, a), append(listens, l)
		if i%3 == 0 {
			_, a := measure(b.newState(h))
			fresh = append(fresh, a)
		}
	}
	b.add(row{
		What: "exec → first answer (p50 / p99)", Goal: "≤ 50 ms",
		Measured: fmt.Sprintf("%s, n = %d; in a fresh state folder %s", first, len(first), fresh),
		Peers:    fmt.Sprintf("it listens after %s", listens),
		Met:      met(first.p50() <= 50*time.Millisecond && fresh.p50() <= 50*time.Millisecond),
	})
}
