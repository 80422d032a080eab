package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

const readyQuestion = "/v1/readiness?aal=3&target=mock&kind=smartcard"

// events measures what the daemon adds between SCardGetStatusChange and the
// event at a client, and from there to the verdict.
func (b *bench) events(h *harness) {
	d := pcscd.Start(h, 2)
	card := newCard(h)
	daemon := b.startDaemon(h, b.newState(h), "--virtual", "off", "--physical", "on")
	s := &scene{
		bench: b, h: h, pcscd: d, card: card, bare: watch(h, d.Reader(0)),
		told: follow(h, daemon, contract.CardInserted, contract.CardRemoved), asks: daemon.dial(h),
	}
	self, err := os.Executable()
	h.must(err)
	s.least = b.pipe(h, anyLine, self, modeWatch, d.Reader(0))
	s.line(s.least, "false") // it has begun
	s.pc, err = pcsc.Native().Establish()
	h.must(err)
	h.Cleanup(func() { _ = s.pc.Release() })

	fast := s.rounds(b.times(80))
	h.must(card.SetFaults(vcard.Fault{Name: vcard.FaultSlow, Delay: cardDelay}))
	slow := s.rounds(b.times(10))
	card.ClearFaults()
	scan := s.peerScan(b.times(30))

	added := slices.Concat(fast.added, fast.removed)
	b.add(row{
		What: "PC/SC call returned → event at an API client (p50 / p99)", Goal: "p99 ≤ 5 ms",
		Measured: fmt.Sprintf("%s added, n = %d; inserted %s, removed %s", added, len(added), fast.added, fast.removed),
		Peers:    fmt.Sprintf("the least program that tells another, in the same rounds, %s; pcsc_scan's line %s (n = %d); a program that polls each 500 ms adds 250 / 495 ms", fast.least, scan, len(scan)),
		Ratio:    fmt.Sprintf("%s ms (p50) and %s ms (p99) above the least program", ms(added.p50()-fast.least.p50()), ms(added.p99()-fast.least.p99())),
		Met:      met(added.p99() <= 5*time.Millisecond),
	})
	b.add(row{
		What: fmt.Sprintf("card inserted → verdict at an API client, each APDU %s", cardDelay), Goal: "raw APDUs' own time × 1.2",
		Measured: slow.verdict.String(), Peers: fmt.Sprintf("the same %d APDUs as bare PC/SC calls %s", slow.apdus, slow.raw),
		Ratio: ratio(slow.verdict.p50(), slow.raw.p50()), Met: met(quotient(slow.verdict.p50(), slow.raw.p50()) <= 1.2),
	})
	b.add(row{
		What: "card inserted → verdict, each APDU 0 ms", Goal: "raw APDUs' own time × 1.2",
		Measured: fast.verdict.String(), Peers: fmt.Sprintf("the same %d APDUs as bare PC/SC calls %s", fast.apdus, fast.raw),
		Ratio: fmt.Sprintf("%s, or + %s ms", ratio(fast.verdict.p50(), fast.raw.p50()), ms(fast.verdict.p50()-fast.raw.p50())),
		Met:   met(quotient(fast.verdict.p50(), fast.raw.p50()) <= 1.2),
	})
}

// cardDelay is what a contact card takes for an APDU.
const cardDelay = 30 * time.Millisecond

// scene is a card that is put into the reader and pulled out again.
type scene struct {
	*bench
	h     *harness
	pcscd *pcscd.Daemon
	card  *vcard.Card
	bare  *watcher
	told  <-chan message
	asks  *wire
	least <-chan message // lines of watchCard
	pc    pcsc.Context
}

type measured struct {
	added   samples // from SCardGetStatusChange's return to the event
	removed samples // the same, where a card went
	least   samples // from there to the line of watchCard
	verdict samples // from there to the verdict
	raw     samples // the same APDUs
	apdus   int
}

func (s *scene) rounds(n int) (m measured) {
	for i := range n {
		before := s.card.APDUs()
		verdict := make(chan answer, 1)
		go func() { verdict <- s.askReady() }()
		plug := s.plug(s.h, s.pcscd, s.card)
		at := s.bare.await(s.h, true)
		told := s.event(contract.CardInserted)
		m.least = append(m.least, s.line(s.least, "true").Sub(at))
		v := <-verdict
		s.h.must(v.err)
		m.added = append(m.added, told.Sub(at))
		m.verdict = append(m.verdict, v.at.Sub(at))

		commands := commandsSince(s.h, s.card, before)
		m.apdus = len(commands)
		took, err := replay(s.pc, s.pcscd.Reader(0), commands)
		s.h.must(err)
		m.raw = append(m.raw, took)

		s.h.must(plug.Close())
		at = s.bare.await(s.h, false)
		m.removed = append(m.removed, s.event(contract.CardRemoved).Sub(at))
		m.least = append(m.least, s.line(s.least, "false").Sub(at))
		if (i+1)%20 == 0 {
			s.say("  %d of %d insertions", i+1, n)
		}
	}
	return m
}

type answer struct {
	at  time.Time
	err error
}

// askReady asks before the card is there and waits for the verdict.
func (s *scene) askReady() answer {
	body, _, err := s.asks.get(readyQuestion + "&wait=30s")
	a := answer{time.Now(), err}
	if err == nil {
		var v contract.Verdict
		if a.err = json.Unmarshal(body, &v); a.err == nil && v.Outcome != contract.VerdictReady {
			a.err = fmt.Errorf("the verdict is %s: %s", v.Outcome, v.Summary)
		}
	}
	return a
}

func (s *scene) event(kind contract.EventType) time.Time {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case m, ok := <-s.told:
			if !ok {
				s.h.Fatal("the event stream ended")
			}
			if m.kind == string(kind) {
				return m.at
			}
		case <-late.C:
			s.h.Fatalf("no event %s within %s", kind, patience)
		}
	}
}

// follow gives the events of some kinds as they come.
func follow(h *harness, d *daemon, kinds ...contract.EventType) <-chan message {
	s, err := d.subscribe()
	h.must(err)
	found, done := make(chan message, 1024), make(chan struct{})
	go func() {
		defer close(done)
		defer close(found)
		for {
			m, err := s.next()
			if err != nil {
				return
			}
			for _, kind := range kinds {
				if m.kind == string(kind) {
					found <- m
				}
			}
		}
	}()
	h.Cleanup(func() { s.close(); <-done })
	return found
}

// peerScan measures the same for pcsc_scan: from the return of our bare call
// to its line on an unbuffered pipe.
func (s *scene) peerScan(n int) (took samples) {
	lines := s.pipe(s.h, ofReaderZero(), "stdbuf", "-o0", "pcsc_scan", "-n")
	s.line(lines, "Card removed") // it has begun
	for range n {
		plug := s.plug(s.h, s.pcscd, s.card)
		at := s.bare.await(s.h, true)
		took = append(took, s.line(lines, "Card inserted").Sub(at))
		s.h.must(plug.Close())
		at = s.bare.await(s.h, false)
		took = append(took, s.line(lines, "Card removed").Sub(at))
	}
	return took
}

// pipe runs a program and gives the lines it prints that are wanted, with the
// time at which each came.
func (b *bench) pipe(h *harness, wanted func(string) bool, args ...string) <-chan message {
	cmd := exec.CommandContext(b.ctx, args[0], args[1:]...)
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	lines := make(chan message, 1024)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			if line, at := in.Text(), time.Now(); wanted(line) {
				lines <- message{kind: line, at: at}
			}
		}
	}()
	h.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
	})
	return lines
}

// anyLine wants all.
func anyLine(string) bool { return true }

// ofReaderZero wants the states of the first reader in what pcsc_scan prints.
func ofReaderZero() func(string) bool {
	first := false
	return func(line string) bool {
		if strings.Contains(line, " Reader ") {
			first = strings.Contains(line, " Reader 0:")
		}
		return first && strings.Contains(line, "Card state:")
	}
}

// line waits for the next line with that in it.
func (s *scene) line(lines <-chan message, part string) time.Time {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case m, ok := <-lines:
			if !ok {
				s.h.Fatalf("the program that should say %q ended", part)
			}
			if strings.Contains(m.kind, part) {
				return m.at
			}
		case <-late.C:
			s.h.Fatalf("nobody said %q within %s", part, patience)
		}
	}
}
