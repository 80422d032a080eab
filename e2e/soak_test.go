//go:build linux && cgo

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/inventory"
	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"

	"go.uber.org/goleak"
)

// A day of a tester's desk in a quarter of an hour (AUTHBRIDGE_SOAK=full) or in
// half a minute: cards come and go in all ways, pcscd crashes and comes back,
// the daemon is restarted, and a client of its events drops off and resumes
// where it was. In the end the client has seen every event, in order, and
// nothing is left behind.
func TestPCSCSoak(t *testing.T) {
	insertions, kills, restarts := scaled(10, 500), scaled(2, 50), scaled(2, 10)

	// What the process has before is of no concern; pcscd's own goroutine and
	// descriptors are the harness's.
	warm(t)
	goroutines := goleak.IgnoreCurrent()
	d := pcscd.Start(t, 2)
	k := &soak{t: t, d: d, folder: t.TempDir(), client: newClient(t)}
	for i := range k.cards {
		k.cards[i] = newCard(t, fmt.Sprintf("55520012345%d", i))
	}
	k.start()
	k.restart() // all that is opened once is open now
	// The pools of the database, in its folder, grow to their limits with use.
	descriptors := openDescriptors(t, k.folder)

	began := time.Now()
	for n := range 2 * insertions { // a removal to each insertion
		// In threes, so that crashes and restarts find cards in one, both and
		// none of the readers, read or being read.
		k.move(n / 3 % 2)
		if due(n, kills, 2*insertions) {
			k.kill()
		}
		if due(n, restarts, 2*insertions) {
			k.restart()
		}
	}
	took := time.Since(began)
	for reader := range k.plugs {
		if k.plugs[reader] != nil {
			k.pull(reader, 0)
		}
	}

	for _, card := range k.cards {
		if n := card.PINTries(); n != 0 {
			t.Errorf("it cost %d PIN tries", n)
		}
	}
	awaitDescriptors(t, descriptors, k.folder)
	k.finish()
	k.client.check(d, k.want)
	if k.kills < kills || k.restarts <= restarts || k.insertions < insertions || k.removals < insertions {
		t.Errorf("%d insertions, %d kills, %d restarts", k.insertions, k.kills, k.restarts)
	}
	d.Kill()
	if err := goleak.Find(goroutines); err != nil {
		t.Error(err)
	}
	t.Logf("%d insertions, %d removals (%d of them in mid-APDU, %d in mid-reading), %d crashes of pcscd, %d restarts of the daemon: %d events in %d epochs to a client that resumed %d times, none missed; %d APDUs, 0 PIN tries; %v",
		k.insertions, k.removals, k.midAPDU, k.midReading, k.kills, k.restarts, len(k.client.events), len(k.want), k.client.resumed, k.cards[0].APDUs()+k.cards[1].APDUs(), took.Round(time.Second))
}

// due spreads times over steps.
func due(step, times, steps int) bool { return (step+1)*times/steps > step*times/steps }

// warm opens what the process opens once and keeps.
func warm(t *testing.T) {
	t.Helper()
	_, err := testCA()
	must(t, err)
	pc, err := pcsc.Native().Establish() // no service: fails, and loads what it needs
	if err == nil {
		must(t, pc.Release())
	}
}

// soak is the script, and what its client must have been told.
type soak struct {
	t      *testing.T
	d      *pcscd.Daemon
	folder string
	cards  [2]*vcard.Card
	plugs  [2]*vcard.Plug
	b      *bridge
	conns  *pcsc.Connector
	client *client
	want   []epoch

	insertions, removals, midAPDU, midReading, kills, restarts int
}

// epoch is what one run of the daemon must have told.
type epoch struct {
	id     uint64
	events uint64
	moves  [2][]contract.EventType // of each reader
}

func (k *soak) start() {
	k.t.Helper()
	k.b = startBridge(k.t, k.folder, func(c *inventory.CardsConfig) {
		k.conns = pcsc.NewConnector(c.System, pcsc.ConnectorOptions{})
		c.Connector = k.conns
	})
	k.want = append(k.want, epoch{id: k.b.inv.View().ID().Epoch})
	k.client.reach(k.b.inv)
	for reader := range k.plugs {
		if k.plugs[reader] == nil {
			k.b.awaitReader(k.d.Reader(reader), contract.Empty)
			continue
		}
		k.b.awaitReader(k.d.Reader(reader), contract.Ready)
		k.moved(reader, contract.CardInserted)
	}
}

// restart ends the daemon and starts it again on the same folder. The client
// is gone before its last events, so these must be in the journal.
func (k *soak) restart() {
	k.t.Helper()
	k.client.drop()
	k.move(0)
	k.move(0)
	k.finishEpoch()
	k.start()
	k.restarts++
}

func (k *soak) finishEpoch() {
	k.t.Helper()
	k.b.stop()
	must(k.t, k.conns.Close())
	k.want[len(k.want)-1].events = k.b.inv.Stats().Events
}

// finish ends the last daemon and lets the client see all.
func (k *soak) finish() {
	k.t.Helper()
	k.b.end()
	must(k.t, k.client.end())
	k.finishEpoch()
}

func (k *soak) moved(reader int, how contract.EventType) {
	e := &k.want[len(k.want)-1]
	e.moves[reader] = append(e.moves[reader], how)
}

// move puts a card in or takes it out.
func (k *soak) move(reader int) {
	k.t.Helper()
	if k.plugs[reader] == nil {
		k.insert(reader)
	} else {
		k.pull(reader, k.removals)
	}
}

// insert plugs a card in and waits until it is noticed.
func (k *soak) insert(reader int) {
	k.t.Helper()
	p, err := vcard.PlugVPCD(k.t.Context(), k.d.Addr(reader), k.cards[reader])
	must(k.t, err)
	k.plugs[reader] = p
	k.b.awaitReader(k.d.Reader(reader), contract.Present, contract.Ready, contract.InUse)
	k.moved(reader, contract.CardInserted)
	k.insertions++
}

// pull takes the card out: after it was read, while it may be read, or during
// one of the commands of a reading.
func (k *soak) pull(reader, how int) {
	k.t.Helper()
	name, p := k.d.Reader(reader), k.plugs[reader]
	switch how % 3 {
	case 1:
		k.midReading++
	case 2:
		s := k.b.awaitReader(name, contract.Ready)
		p.PullDuring(1 + how/3%5)
		must(k.t, k.b.inv.Reread(readerIn(s, name).ID))
		select {
		case <-p.Done():
		case <-time.After(patience):
			k.t.Fatal("the card was not read")
		}
		k.midAPDU++
	default:
		k.b.awaitReader(name, contract.Ready)
	}
	must(k.t, p.Close())
	k.plugs[reader] = nil
	k.b.awaitReader(name, contract.Empty)
	k.moved(reader, contract.CardRemoved)
	k.removals++
}

// kill crashes pcscd and starts it again. What is in the readers stays there.
func (k *soak) kill() {
	k.t.Helper()
	k.d.Kill()
	k.b.awaitSource("down")
	for reader, p := range k.plugs {
		k.b.awaitReader(k.d.Reader(reader), contract.Unavailable)
		if p != nil {
			k.moved(reader, contract.CardRemoved)
		}
	}
	k.d.Restart()
	k.b.awaitSource("up")
	for reader, p := range k.plugs {
		if p == nil {
			k.b.awaitReader(k.d.Reader(reader), contract.Empty)
			continue
		}
		k.b.awaitReader(k.d.Reader(reader), contract.Present, contract.Ready, contract.InUse)
		k.moved(reader, contract.CardInserted)
	}
	k.kills++
}

// client reads the events of one daemon after another, as a client of the API
// does: it keeps the id of the last it saw, drops off after every few, and
// resumes.
type client struct {
	t    *testing.T
	stop context.CancelFunc
	done chan error

	events  []contract.Event // and below: its goroutine's, while it runs
	last    string
	resumed int
}

// dropsAfter is how many events it takes before it drops off by itself.
const dropsAfter = 7

func newClient(t *testing.T) *client { return &client{t: t} }

// reach connects to a daemon.
func (c *client) reach(inv *inventory.Inventory) {
	if c.last == "" {
		c.last = contract.EventID{Epoch: inv.View().ID().Epoch}.String() // from the first event on
	} else {
		c.resumed++
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop, c.done = cancel, make(chan error, 1)
	go func() { c.done <- c.read(ctx, inv) }()
}

func (c *client) read(ctx context.Context, inv *inventory.Inventory) error {
	for {
		sub, err := inv.Subscribe(ctx, c.last)
		if err != nil {
			return err
		}
		for seen := 0; seen < dropsAfter; {
			delivery, err := sub.Next(ctx)
			switch {
			case ctx.Err() != nil, errors.Is(err, inventory.ErrEnded):
				return nil
			case err != nil:
				return err
			case delivery.Truncated:
				return fmt.Errorf("truncated after %s", c.last)
			case delivery.View != nil:
				c.last = delivery.View.ID().String()
			}
			for _, e := range delivery.Events {
				c.events = append(c.events, e.Event(inventory.Viewer{Identity: true}))
				c.last = e.ID().String()
			}
			seen += len(delivery.Events)
		}
		c.resumed++
	}
}

// drop disconnects it.
func (c *client) drop() {
	c.t.Helper()
	c.stop()
	must(c.t, <-c.done)
}

// end waits until it has seen the end of the stream.
func (c *client) end() error {
	defer c.stop()
	select {
	case err := <-c.done:
		return err
	case <-time.After(patience):
		return errors.New("the stream does not end")
	}
}

// check holds what it saw against what happened.
func (c *client) check(d *pcscd.Daemon, want []epoch) {
	c.t.Helper()
	got := make([]epoch, 0, len(want))
	inside := map[string]bool{}
	names := map[string]int{}
	for _, e := range c.events {
		id, err := contract.ParseEventID(e.ID)
		must(c.t, err)
		if n := len(got); n == 0 || got[n-1].id != id.Epoch {
			if n > 0 && id.Epoch < got[n-1].id {
				c.t.Fatalf("event %s after epoch %d", e.ID, got[n-1].id)
			}
			got = append(got, epoch{id: id.Epoch})
			clear(inside)
		}
		now := &got[len(got)-1]
		if now.events++; id.Seq != now.events {
			c.t.Fatalf("event %s is number %d of its epoch", e.ID, now.events)
		}
		if e.Reader != nil {
			for i := range 2 {
				if e.Reader.Name == d.Reader(i) {
					names[e.Subject] = i
				}
			}
		}
		switch e.Type {
		case contract.CardInserted, contract.CardRemoved:
			reader, known := names[e.Subject]
			if !known || inside[e.Subject] == (e.Type == contract.CardInserted) {
				c.t.Errorf("event %s: %s out of order: %s", e.ID, e.Type, e.Text)
			}
			inside[e.Subject] = e.Type == contract.CardInserted
			now.moves[reader] = append(now.moves[reader], e.Type)
		default:
		}
	}
	if len(got) != len(want) {
		c.t.Fatalf("epochs %v, want %v", got, want)
	}
	for i := range want {
		if got[i].id != want[i].id || got[i].events != want[i].events {
			c.t.Errorf("epoch %d: %d events, want %d of epoch %d", got[i].id, got[i].events, want[i].events, want[i].id)
		}
		for reader := range want[i].moves {
			if !slices.Equal(got[i].moves[reader], want[i].moves[reader]) {
				c.t.Errorf("epoch %d, reader %d: %v, want %v", got[i].id, reader, got[i].moves[reader], want[i].moves[reader])
			}
		}
	}
}

// openDescriptors lists the open descriptors by what they are, but for those in
// a folder.
func openDescriptors(t testing.TB, but string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	var open []string
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.HasPrefix(to, but) {
			open = append(open, to)
		}
	}
	slices.Sort(open)
	return open
}

// awaitDescriptors waits until no more are open than there were: what is let go
// of may take a moment.
func awaitDescriptors(t testing.TB, were []string, but string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		now := openDescriptors(t, but)
		if len(now) <= len(were) {
			t.Logf("%d descriptors, %d before", len(now), len(were))
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Errorf("%d descriptors are open, %d were before:\n%v\n%v", len(now), len(were), now, were)
			return
		}
	}
}
