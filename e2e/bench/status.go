package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/e2e/pcscd"
	"authbridge/pcsc/vcard"
)

// serveBare answers every request with the same octets: the least that
// net/http can do.
func serveBare(file string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, l.Addr()); err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) //nolint:gosec // JSON of our own daemon, to ourselves
	})}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// startBare runs serveBare as a process of its own.
func (b *bench) startBare(h *harness, body []byte) *wire {
	file := h.TempDir() + "/body"
	h.must(os.WriteFile(file, body, 0o600))
	self, err := os.Executable()
	h.must(err)
	cmd := exec.CommandContext(b.ctx, self, modeBare, file)
	cmd.Env = b.env()
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	h.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	h.must(err)
	w, err := dial(strings.TrimSpace(address), "none")
	h.must(err)
	h.Cleanup(w.close)
	return w
}

// status asks while a card takes 2 s for each APDU, beside a bare handler.
func (b *bench) status(h *harness) {
	d := pcscd.Start(h, 2)
	daemon := b.startDaemon(h, b.newState(h), "--virtual", "on", "--physical", "on")
	w := daemon.dial(h)
	_, _, err := w.get("/v1/readiness?aal=3&target=mock&kind=security-key&wait=30s")
	h.must(err)
	_, _, err = w.get(readyQuestion + "&wait=30s") // the embedded card
	h.must(err)
	body, _, err := w.get("/v1/status")
	h.must(err)
	verdict, _, err := w.get(readyQuestion)
	h.must(err)
	bare, bareVerdict := b.startBare(h, body), b.startBare(h, verdict)

	card := newCard(h)
	h.must(card.SetFaults(vcard.Fault{Name: vcard.FaultSlow, Delay: 2 * time.Second}))
	defer card.ClearFaults()
	told := follow(h, daemon, contract.CardInserted)
	plug := b.plug(h, d, card)
	defer func() { _ = plug.Close() }()
	<-told

	status, readiness := &asked{w: w, target: "/v1/status"}, &asked{w: w, target: readyQuestion}
	least, leastVerdict := &asked{w: bare, target: "/"}, &asked{w: bareVerdict, target: "/"}
	// Blocks of each, in turn, so that noise meets all alike.
	const block = 50
	rounds := b.times(120)
	slow := 0
	for range rounds {
		for _, a := range []*asked{status, least, readiness, leastVerdict} {
			a.ask(h, block)
		}
		if b.isRead(h, w, d.Reader(0)) {
			break
		}
		slow++
	}
	if slow == 0 {
		h.Fatal("the card was read before anything was measured")
	}
	for _, pair := range []struct {
		name        string
		ours, least *asked
		octets      int
	}{{"status", status, least, len(body)}, {"readiness", readiness, leastVerdict, len(verdict)}} {
		ours, base := pair.ours.took, pair.least.took
		p50, p99 := quotient(ours.p50(), base.p50()), quotient(ours.p99(), base.p99())
		b.add(row{
			What: pair.name + ", while a card takes 2 s for an APDU (p50 / p99)", Goal: "≤ 0.3 / 2 ms; ≤ 3 × a bare handler",
			Measured: fmt.Sprintf("%s, n = %d", ours, len(ours)), Peers: fmt.Sprintf("net/http, the same %d octets: %s", pair.octets, base),
			Ratio: fmt.Sprintf("%.2f × / %.2f ×", p50, p99),
			Met:   met(ours.p50() <= 300*time.Microsecond && ours.p99() <= 2*time.Millisecond && p50 <= 3 && p99 <= 3),
		})
	}
}

// asked is what was asked over a connection, and how long the answers took.
type asked struct {
	w      *wire
	target string
	took   samples
}

func (a *asked) ask(h *harness, n int) {
	request := a.w.request(http.MethodGet, a.target, "")
	for range n {
		_, took, err := a.w.send(request)
		h.must(err)
		a.took = append(a.took, took)
	}
}

// isRead is whether the daemon has read the card in that reader.
func (b *bench) isRead(h *harness, w *wire, reader string) bool {
	body, _, err := w.get("/v1/status")
	h.must(err)
	var s contract.Snapshot
	h.must(json.Unmarshal(body, &s))
	for _, r := range s.Readers {
		if r.Name == reader {
			return r.Condition == contract.Ready
		}
	}
	return false
}
