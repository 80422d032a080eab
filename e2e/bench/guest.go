package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// inGuest takes the figures that need a kernel of their own, with udev and
// hidraw, from what e2e/kernel printed. A key on the bus in a process would only
// measure a channel.
func (b *bench) inGuest(h *harness) {
	r := row{What: "key plugged in → our event at a client (p50 / p99), in the emulated guest", Goal: "p50 ≤ 3 × a bare netlink reader"}
	if b.guest == "" {
		r.Measured, r.Note = "not measured", "needs the guest: go test -tags e2e -v -run TestFiguresOfAPlug ./e2e/kernel"
		b.add(r)
		return
	}
	text, err := os.ReadFile(b.guest)
	h.must(err)
	p, err := plugFigures(string(text))
	h.must(err)
	r.Measured = fmt.Sprintf("%s, n = %d", p.Ours, p.Rounds)
	r.Peers = fmt.Sprintf("the reader has udev's message %s after the plug; our event comes %s after that", p.Reader, p.Added)
	r.Ratio, r.Met = ratio(p.Ours[0], p.Reader[0]), met(quotient(p.Ours[0], p.Reader[0]) <= 3)
	b.add(r)
}

// plugged is what TestFiguresOfAPlug measured, from the plug on.
type plugged struct {
	Rounds              int
	Reader, Ours, Added ends
}

// ends are p50 and p99.
type ends [2]time.Duration

func (e ends) String() string { return ms(e[0]) + " / " + ms(e[1]) + " ms" }

func plugFigures(printed string) (p plugged, err error) {
	_, text, ok := strings.Cut(printed, "figures of a plug: ")
	if !ok {
		return p, fmt.Errorf("there are no figures in what the guest printed:\n%s", printed)
	}
	line, _, _ := strings.Cut(text, "\n")
	if err := json.Unmarshal([]byte(line), &p); err != nil {
		return p, fmt.Errorf("the guest's figures: %w", err)
	}
	if p.Rounds == 0 {
		return p, fmt.Errorf("the guest measured nothing: %s", line)
	}
	return p, nil
}
