package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"authbridge/e2e/pcscd"
	"authbridge/pcsc/vcard"
)

// program is one that reads the card, as a whole process.
type program struct {
	name string
	args []string
}

func (b *bench) probers(reader string) []program {
	self, _ := os.Executable()
	return []program{
		{"pkcs15-tool --list-certificates", []string{"pkcs15-tool", "--list-certificates"}},
		{"yubico-piv-tool -a status", []string{"yubico-piv-tool", "-r", reader, "-a", "status"}},
		{"ykman piv info", []string{"ykman", "-r", reader, "piv", "info"}},
		{"opensc-tool -n", []string{"opensc-tool", "-n"}},
		{"ours", []string{self, modeProbe, reader}},
	}
}

type probed struct {
	took  samples
	apdus uint64
}

// probe reads a card with four certificates, by our code and by the peers.
func (b *bench) probe(h *harness) {
	d := pcscd.Start(h, 2)
	card := newCard(h, 0x9A, 0x9C, 0x9D, 0x9E)
	bare := watch(h, d.Reader(0))
	plug := b.plug(h, d, card)
	defer func() { _ = plug.Close() }()
	bare.await(h, true)
	for _, delay := range []time.Duration{0, cardDelay} {
		n := b.times(15)
		if delay > 0 {
			n = b.times(5)
			h.must(card.SetFaults(vcard.Fault{Name: vcard.FaultSlow, Delay: delay}))
		}
		b.say("  each APDU %s", delay)
		b.probeRow(h, d.Reader(0), card, delay, n)
	}
}

func (b *bench) probeRow(h *harness, reader string, card *vcard.Card, delay time.Duration, n int) {
	programs := b.probers(reader)
	all := make([]probed, len(programs))
	var inside samples
	for i := range n + 1 { // the first is not counted: caches are cold
		for p, program := range programs {
			before := card.APDUs()
			took := b.runOnce(h, program.args...)
			all[p].apdus = card.APDUs() - before
			if i > 0 {
				all[p].took = append(all[p].took, took)
			}
		}
		began := time.Now()
		_, err := readCard(b.ctx, reader)
		h.must(err)
		if i > 0 {
			inside = append(inside, time.Since(began))
		}
	}
	ours, peers := all[len(all)-1], all[:len(all)-1]
	r := row{
		What: fmt.Sprintf("probe of a PIV card with four certificates, each APDU %s", delay), Goal: "fewer APDUs and less time than each peer",
		Measured: fmt.Sprintf("%d APDUs, %s ms in process, %s ms as a process (p50, n = %d)", ours.apdus, ms(inside.p50()), ms(ours.took.p50()), n),
	}
	best, good := 0.0, true
	for i, p := range peers {
		if i > 0 {
			r.Peers += ", "
		}
		r.Peers += fmt.Sprintf("%s %d APDUs %s ms", programs[i].name, p.apdus, ms(p.took.p50()))
		if i == len(peers)-1 {
			r.Peers += " (reads no certificate)"
			continue // it names the card only
		}
		good = good && ours.apdus < p.apdus && ours.took.p50() < p.took.p50()
		if q := quotient(ours.took.p50(), p.took.p50()); q > best {
			best = q
		}
	}
	r.Ratio, r.Met = fmt.Sprintf("%.2f × the fastest peer, process against process", best), met(good)
	b.add(r)
}

// runOnce runs a program to its end and gives how long that took.
func (b *bench) runOnce(h *harness, args ...string) time.Duration {
	took, err := b.tryOnce(args...)
	h.must(err)
	return took
}

func (b *bench) tryOnce(args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(b.ctx, args[0], args[1:]...)
	cmd.Env = b.env()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err != nil {
		return took, fmt.Errorf("%s: %w\n%s", filepath.Base(args[0]), err, out.Bytes())
	}
	return took, nil
}
