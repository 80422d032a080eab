//go:build linux && cgo

package e2e

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"authbridge/agent/assurance"
	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
	"authbridge/agent/store"
	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// patience is for one thing to happen, on a machine that others use as well.
const patience = time.Minute

// full is whether the soak runs at the length the project promises, which
// takes a quarter of an hour, and not at one that fits into every test run.
func full() bool { return os.Getenv("AUTHBRIDGE_SOAK") == "full" }

// scaled is how often something is done.
func scaled(short, long int) int {
	if full() {
		return long
	}
	return short
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testCA is made once; making it takes keys.
var testCA = sync.OnceValues(func() (*vcard.CA, error) { return vcard.NewCA() })

func newCard(t testing.TB, user string) *vcard.Card {
	t.Helper()
	ca, err := testCA()
	must(t, err)
	card, err := vcard.NewCard(vcard.Profile{User: user, Surname: "Fotherington", Forename: "Araminta", Keys: vcard.ECCP256}, ca)
	must(t, err)
	return card
}

// plug inserts a card. The end of the test pulls it.
func plug(t testing.TB, d *pcscd.Daemon, reader int, card *vcard.Card) *vcard.Plug {
	t.Helper()
	p, err := vcard.PlugVPCD(t.Context(), d.Addr(reader), card)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// bridge is what the daemon runs, without its API.
type bridge struct {
	t     testing.TB
	store *store.Store
	inv   *inventory.Inventory
	end   func()
	ended chan error
}

// startBridge starts one on a state folder. stop, or the end of the test, ends
// it.
func startBridge(t testing.TB, folder string, change ...func(*inventory.CardsConfig)) *bridge {
	t.Helper()
	kept, err := store.Open(t.Context(), store.Options{Dir: folder})
	must(t, err)
	config := inventory.CardsConfig{Name: "pcsc", System: pcsc.Native()}
	for _, c := range change {
		c(&config)
	}
	inv, err := inventory.New(t.Context(), inventory.Config{
		Sources: []inventory.Source{inventory.NewCards(config)},
		Journal: kept, Judge: health.Steady(), Version: "test", OS: runtime.GOOS,
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	b := &bridge{t: t, store: kept, inv: inv, end: cancel, ended: make(chan error, 1)}
	go func() { b.ended <- inv.Run(ctx) }()
	t.Cleanup(b.stop)
	return b
}

// stop ends the bridge and waits for it. It is idempotent.
func (b *bridge) stop() {
	b.t.Helper()
	if b.end == nil {
		return
	}
	b.end()
	b.end = nil
	select {
	case err := <-b.ended:
		if err != nil {
			b.t.Errorf("the inventory ended by %v", err)
		}
	case <-time.After(patience):
		b.t.Fatal("the inventory does not end")
	}
	if n := b.inv.Stats().JournalFailures; n != 0 {
		b.t.Errorf("the journal failed %d times", n)
	}
	if err := b.store.Close(); err != nil {
		b.t.Error(err)
	}
}

// await waits for a snapshot.
func (b *bridge) await(what string, wanted func(*contract.Snapshot) bool) *contract.Snapshot {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := b.inv.Await(ctx, wanted)
	if err != nil {
		b.t.Fatalf("waiting for %s: %v; there is %s", what, err, b.inv.Encoded(true))
	}
	return s
}

// awaitReader waits until a reader is in one of the conditions.
func (b *bridge) awaitReader(name string, conditions ...contract.Condition) *contract.Snapshot {
	b.t.Helper()
	return b.await(fmt.Sprintf("%s to be %v", name, conditions), func(s *contract.Snapshot) bool {
		r := readerIn(s, name)
		return r != nil && slices.Contains(conditions, r.Condition)
	})
}

// awaitSource waits until the source of cards is in a state.
func (b *bridge) awaitSource(state string) contract.Source {
	b.t.Helper()
	s := b.await("the source to be "+state, func(s *contract.Snapshot) bool { return s.Sources[0].State == state })
	return s.Sources[0]
}

// reread reads a card anew and waits until that is done.
func (b *bridge) reread(id string) {
	b.t.Helper()
	a, _ := b.inv.View().Authenticator(id, true)
	must(b.t, b.inv.Reread(id))
	b.await("a fresh read", func(s *contract.Snapshot) bool {
		now := authenticatorIn(s, id)
		return now != nil && now.Condition == contract.Ready && now.ReadAt.After(a.ReadAt)
	})
}

// verdict is what `authbridge ready --aal 3 --target mock --kind smartcard`
// answers from.
func verdict(s *contract.Snapshot) contract.Verdict {
	return assurance.Judge(s, contract.Question{AAL: 3, Target: assurance.Mock, Kind: contract.Smartcard})
}

func readerIn(s *contract.Snapshot, name string) *contract.Reader {
	for i := range s.Readers {
		if s.Readers[i].Name == name {
			return &s.Readers[i]
		}
	}
	return nil
}

func authenticatorIn(s *contract.Snapshot, id string) *contract.Authenticator {
	for i := range s.Authenticators {
		if s.Authenticators[i].ID == id {
			return &s.Authenticators[i]
		}
	}
	return nil
}
