//go:build linux && cgo

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/inventory"
	"authbridge/agent/store"
	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// The process that is killed is this test's own binary.
const (
	envBridge = "AUTHBRIDGE_E2E_BRIDGE" // its state folder
	envAfter  = "AUTHBRIDGE_E2E_AFTER"  // the last event that its client has seen
)

// TestHelperBridge is the process of the test below: it tells on its standard
// output what its client sees, until it is killed.
func TestHelperBridge(t *testing.T) {
	folder := os.Getenv(envBridge)
	if folder == "" {
		t.Skip("a helper of another test")
	}
	b := startBridge(t, folder)
	after := os.Getenv(envAfter)
	if after == "" {
		after = contract.EventID{Epoch: b.inv.View().ID().Epoch}.String()
	}
	sub, err := b.inv.Subscribe(t.Context(), after)
	must(t, err)
	for {
		delivery, err := sub.Next(t.Context())
		must(t, err)
		if delivery.Truncated {
			fmt.Fprintln(os.Stdout, "truncated", delivery.View.ID())
		}
		for _, e := range delivery.Events {
			fmt.Fprintln(os.Stdout, "event", e.ID(), e.Event(inventory.Viewer{Identity: true}).Type)
		}
	}
}

// A daemon that is killed, at any moment, takes no event with it that a client
// has seen, and none that a client has yet to see once it had happened before
// one that was seen.
func TestEventsOutliveAKilledDaemon(t *testing.T) {
	rounds := scaled(6, 200)
	d := pcscd.Start(t, 2)
	folder, card := t.TempDir(), newCard(t, "555200123456")
	var told []string // the ids, of all daemons
	for round := range rounds {
		told = append(told, killedRun(t, d, folder, card, round, told)...)
	}

	kept, err := store.Open(t.Context(), store.Options{Dir: folder})
	must(t, err)
	defer func() { must(t, kept.Close()) }()
	first, err := contract.ParseEventID(told[0])
	must(t, err)
	if first.Seq != 1 {
		t.Errorf("the first event is %s", first)
	}
	events, complete, err := kept.EventsAfter(t.Context(), contract.EventID{Epoch: first.Epoch}, 100_000)
	if err != nil || !complete {
		t.Fatalf("the journal: complete %v, %v", complete, err)
	}
	last := contract.EventID{}
	ids := make([]string, 0, len(events))
	for _, e := range events {
		id, err := contract.ParseEventID(e.ID)
		must(t, err)
		if next := last.Seq + 1; id.Epoch == last.Epoch && id.Seq != next || id.Epoch != last.Epoch && id.Seq != 1 {
			t.Errorf("the journal has %s after %s", id, last)
		}
		last = id
		ids = append(ids, e.ID)
	}
	// The last daemon may have written more than it could tell.
	if len(ids) < len(told) || !slices.Equal(ids[:len(told)], told) {
		t.Errorf("the client was told %d events of %d, or others:\n%v\n%v", len(told), len(ids), told, ids)
	}
	if n := card.PINTries(); n != 0 {
		t.Errorf("it cost %d PIN tries", n)
	}
	t.Logf("%d daemons killed: the client was told %d events, the journal has the same and %d after them", rounds, len(told), len(ids)-len(told))
}

// killedRun runs a daemon that is killed after some more events than its client
// had missed, and returns what it told its client.
func killedRun(t *testing.T, d *pcscd.Daemon, folder string, card *vcard.Card, round int, before []string) (told []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^TestHelperBridge$")
	cmd.Env = append(os.Environ(), envBridge+"="+folder)
	if n := len(before); n > 0 {
		cmd.Env = append(cmd.Env, envAfter+"="+before[n-1])
	}
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	p := plug(t, d, 0, card)
	toGo, killed := 2+round%9, false // of a dozen with the insertion
	lines := bufio.NewScanner(stdout)
	var all []string
	for lines.Scan() {
		all = append(all, lines.Text())
		what, rest, _ := strings.Cut(lines.Text(), " ")
		id, kind, _ := strings.Cut(rest, " ")
		if what != "event" {
			t.Errorf("round %d: %s", round, lines.Text())
			continue
		}
		told = append(told, id)
		// What the ones before have left does not count.
		if e, err := contract.ParseEventID(id); err == nil && e.Seq >= uint64(toGo) && !killed && current(id, before) {
			killed = true
			must(t, cmd.Process.Kill())
		}
		if contract.EventType(kind) == contract.CardInserted && round%2 == 0 {
			_ = p.Close() // so that the kill may come in the middle of a removal
		}
	}
	_ = cmd.Wait()
	if !killed {
		r, err := pcsc.Look(pcsc.Native(), d.Reader(0))
		t.Fatalf("round %d: the daemon ended by itself, or told too little:\n%s\nthe reader is %+v, %v; pcscd has the card: %v",
			round, strings.Join(all, "\n"), r, err, p.Connected())
	}
	must(t, p.Close())
	awaitOut(t, d, d.Reader(0))
	return told
}

// awaitOut waits until pcscd has seen the card go. It resets the card of a
// client that died; if that fails because the card has just gone, and another
// card comes before it looks again, it takes the reader for empty until that
// card goes too (pcsc-lite 1.9.9). No bridge can know better.
func awaitOut(t *testing.T, d *pcscd.Daemon, reader string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		log, err := os.ReadFile(d.Log())
		must(t, err)
		if strings.Count(string(log), "Card inserted into "+reader) == strings.Count(string(log), "Card Removed From "+reader) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("pcscd has not seen the card go")
		}
	}
}

// current is whether an event is of another daemon than those before.
func current(id string, before []string) bool {
	if len(before) == 0 {
		return true
	}
	epoch, _, _ := strings.Cut(id, "-")
	last, _, _ := strings.Cut(before[len(before)-1], "-")
	return epoch != last
}
