package vkey

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"authbridge/fido"
)

// patience is how long the tests wait for what must come.
const patience = 30 * time.Second

func newKey(t *testing.T, cfg Config) *Key {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "one"
	}
	k, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newBus(t *testing.T, keys ...*Key) *Bus {
	t.Helper()
	b := NewBus()
	t.Cleanup(b.Close)
	for _, k := range keys {
		if err := b.Plug(k); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// watch collects changes until the test ends.
func watch(t *testing.T, b *Bus) <-chan fido.Change {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	changes := make(chan fido.Change, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Watch(ctx, func(c fido.Change) { changes <- c }); err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return changes
}

func next(t *testing.T, changes <-chan fido.Change) fido.Change {
	t.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(patience):
		t.Fatal("no change came")
		return fido.Change{}
	}
}

func open(t *testing.T, b *Bus) fido.Link {
	t.Helper()
	b.mu.Lock()
	node := b.plugged[0].node
	b.mu.Unlock()
	l, err := b.Open(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func readReport(t *testing.T, l fido.Link) report {
	t.Helper()
	var r report
	if err := l.ReadReport(r[:], time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return r
}

func writeReport(t *testing.T, l fido.Link, r report) {
	t.Helper()
	if err := l.WriteReport(r[:]); err != nil {
		t.Fatal(err)
	}
}

// channelOn gets a channel over a link.
func channelOn(t *testing.T, l fido.Link) uint32 {
	t.Helper()
	writeReport(t, l, packets(broadcastCID, CTAPHID_INIT, []byte("12345678"))[0])
	r := readReport(t, l)
	return binary.BigEndian.Uint32(r[15:19])
}

func TestWatchTellsWhatIsThereThenWhatHappens(t *testing.T) {
	t.Parallel()
	one, two := newKey(t, Config{Name: "one"}), newKey(t, Config{Name: "two", Serial: "0002"})
	b := newBus(t, one)
	changes := watch(t, b)
	first := next(t, changes)
	want := fido.Node{Path: first.Node.Path, Port: "vkey:one", Product: "authbridge virtual key one", Serial: "one", VendorID: VendorID, ProductID: ProductID, Virtual: true}
	if first != (fido.Change{Node: want}) {
		t.Errorf("first %+v, want %+v", first, want)
	}
	if c := next(t, changes); !c.Settled {
		t.Errorf("then %+v, want settled", c)
	}
	for range 50 {
		if err := b.Plug(two); err != nil {
			t.Fatal(err)
		}
		if err := b.Unplug(two); err != nil {
			t.Fatal(err)
		}
	}
	paths := map[string]bool{}
	for range 50 {
		in, out := next(t, changes), next(t, changes)
		if in.Gone || !out.Gone || in.Node != out.Node || in.Node.Serial != "0002" || paths[in.Node.Path] {
			t.Fatalf("got %+v, %+v", in, out)
		}
		paths[in.Node.Path] = true
	}
}

func TestAKeyIsInOnePlace(t *testing.T) {
	t.Parallel()
	k := newKey(t, Config{})
	b, other := newBus(t, k), newBus(t)
	if err := other.Plug(k); !errors.Is(err, ErrPlugged) {
		t.Errorf("plugged twice: %v", err)
	}
	if err := other.Unplug(k); !errors.Is(err, ErrNotPlugged) {
		t.Errorf("pulled out of where it is not: %v", err)
	}
	if err := b.Unplug(k); err != nil {
		t.Fatal(err)
	}
	if err := other.Plug(k); err != nil {
		t.Fatal(err)
	}
}

func TestEveryOpenerGetsEveryReport(t *testing.T) {
	t.Parallel()
	b := newBus(t, newKey(t, Config{}))
	one, two := open(t, b), open(t, b)
	cid := channelOn(t, one)
	if r := readReport(t, two); r.cmd() != CTAPHID_INIT {
		t.Errorf("the second opener got %x", r)
	}
	for _, p := range packets(cid, CTAPHID_PING, bytes.Repeat([]byte{7}, maxMessage)) {
		writeReport(t, two, p)
	}
	for _, l := range []fido.Link{one, two} {
		for range 129 {
			if r := readReport(t, l); r.cid() != cid {
				t.Fatalf("got %x", r)
			}
		}
	}
}

func TestAKeyPulledOutInTheMiddle(t *testing.T) {
	t.Parallel()
	k := newKey(t, Config{Touch: TouchCommand})
	b := newBus(t, k)
	reader, writer := open(t, b), open(t, b)
	cid := channelOn(t, writer)
	readReport(t, reader)
	writeReport(t, writer, packets(cid, CTAPHID_CBOR, []byte{authenticatorSelection})[0])
	if r := readReport(t, reader); r.cmd() != CTAPHID_KEEPALIVE {
		t.Fatalf("got %x, want KEEPALIVE", r)
	}
	ended := make(chan error)
	go func() {
		for {
			var r report
			if err := reader.ReadReport(r[:], time.Time{}); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := b.Unplug(k); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, fido.ErrGone) {
		t.Errorf("the blocked read ended with %v", err)
	}
	var r report
	if err := writer.WriteReport(r[:]); !errors.Is(err, fido.ErrGone) {
		t.Errorf("a write after that: %v", err)
	}
	if err := writer.ReadReport(r[:], time.Time{}); !errors.Is(err, fido.ErrGone) {
		t.Errorf("a read after that: %v", err)
	}
	if _, err := b.Open(t.Context(), fido.Node{Path: "vkey:1"}); !errors.Is(err, fido.ErrGone) {
		t.Errorf("an open after that: %v", err)
	}
	if k.Touch() {
		t.Error("a key without power felt a touch")
	}
}

func TestLinksEnd(t *testing.T) {
	t.Parallel()
	b := newBus(t, newKey(t, Config{}))
	l := open(t, b)
	var r report
	if err := l.ReadReport(r[:], time.Now().Add(-time.Second)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past its deadline: %v", err)
	}
	ended := make(chan error)
	go func() { ended <- l.ReadReport(make([]byte, fido.ReportSize), time.Time{}) }()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("the blocked read ended with %v", err)
	}
	if err := l.WriteReport(r[:]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write after that: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestTheTouchComesFromOutside(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	k := newKey(t, Config{Touch: TouchCommand})
	b := newBus(t, k)
	l := open(t, b)
	cid := channelOn(t, l)
	if k.Touch() {
		t.Error("a touch that nobody waited for was felt")
	}
	writeReport(t, l, packets(cid, CTAPHID_CBOR, []byte{authenticatorSelection})[0])
	if err := k.AwaitTouch(ctx); err != nil {
		t.Fatal(err)
	}
	if err := k.SetTouch(TouchNever); err != nil {
		t.Fatal(err)
	}
	if k.Touch() {
		t.Error("a key that nobody touches felt a touch")
	}
	if err := k.SetTouch(TouchCommand); err != nil {
		t.Fatal(err)
	}
	if !k.Touch() {
		t.Error("the touch was not felt")
	}
	var seen []byte
	for len(seen) == 0 || seen[len(seen)-1] != CTAPHID_CBOR {
		r := readReport(t, l)
		seen = append(seen, r.cmd())
	}
	if !slices.Contains(seen, byte(CTAPHID_KEEPALIVE)) {
		t.Error("no KEEPALIVE came")
	}
	// Now in the other order: the key is told that a finger lies on it.
	writeReport(t, l, packets(cid, CTAPHID_CBOR, []byte{authenticatorSelection})[0])
	if err := k.AwaitTouch(ctx); err != nil {
		t.Fatal(err)
	}
	if err := k.SetTouch(TouchAuto); err != nil {
		t.Fatal(err)
	}
	for r := readReport(t, l); r.cmd() != CTAPHID_CBOR; r = readReport(t, l) {
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	k := newKey(t, Config{})
	b := newBus(t, k)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				b.mu.Lock()
				var node fido.Node
				if len(b.plugged) > 0 {
					node = b.plugged[0].node
				}
				b.mu.Unlock()
				l, err := b.Open(context.Background(), node)
				if err != nil {
					continue
				}
				r := packets(broadcastCID, CTAPHID_INIT, []byte("12345678"))[0]
				if l.WriteReport(r[:]) == nil {
					_ = l.ReadReport(r[:], time.Now().Add(patience))
				}
				_ = l.Close()
			}
		})
	}
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = k.SetFaults(Fault{Name: NoPIN})
				_ = k.SetFaults()
				k.Touch()
			}
		}
	})
	for range 200 {
		if err := b.Unplug(k); err != nil {
			t.Error(err)
		}
		if err := b.Plug(k); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}
