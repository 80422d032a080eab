package fido_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

// pass lets time pass in the bubble of a test, until all is quiet.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's time: it passes when nothing is left to do
	synctest.Wait()
}

// gate is a bus between the monitor and the keys that can refuse.
type gate struct {
	fido.Bus
	mu     sync.Mutex
	refuse map[string]error // by product
	hold   chan struct{}    // if set, opening waits for it
	opens  int
	inject chan fido.Change
	fail   chan error
}

func newGate(b fido.Bus) *gate {
	return &gate{Bus: b, refuse: map[string]error{}, inject: make(chan fido.Change), fail: make(chan error)}
}

func (g *gate) set(k *vkey.Key, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse[k.Product()] = err
}

func (g *gate) Open(ctx context.Context, n fido.Node) (fido.Link, error) {
	g.mu.Lock()
	g.opens++
	err, hold := g.refuse[n.Product], g.hold
	g.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	return g.Bus.Open(ctx, n)
}

func (g *gate) Watch(ctx context.Context, found func(fido.Change)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var one sync.Mutex
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case err := <-g.fail:
				cancel(err)
			case c := <-g.inject:
				one.Lock()
				found(c)
				one.Unlock()
			}
		}
	})
	err := g.Bus.Watch(ctx, func(c fido.Change) {
		one.Lock()
		defer one.Unlock()
		found(c)
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// diary keeps what a monitor reported.
type diary struct {
	t  *testing.T
	m  *fido.Monitor
	mu sync.Mutex

	last   fido.Report
	events []string // of all reports: kind, name, condition
}

func (d *diary) report(r fido.Report) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = r
	for _, e := range r.Events {
		d.events = append(d.events, fmt.Sprintf("%s %s %s", e.Kind, e.Key.Node.Serial, e.Key.Condition))
	}
}

func (d *diary) now() (fido.Report, []string) {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	events := d.events
	d.events = nil
	return d.last, events
}

func (d *diary) want(events ...string) fido.Report {
	d.t.Helper()
	r, got := d.now()
	if !slices.Equal(got, events) {
		d.t.Errorf("events\ngot  %q\nwant %q", got, events)
	}
	return r
}

// key is the state of a key in the last report.
func (d *diary) key(k *vkey.Key) fido.KeyState {
	d.t.Helper()
	r, _ := d.now()
	for _, s := range r.Keys {
		if s.Node.Serial == k.Serial() {
			return s
		}
	}
	d.t.Fatalf("%s is not there", k.Serial())
	return fido.KeyState{}
}

func monitor(t *testing.T, b fido.Bus) *diary {
	d := &diary{t: t, m: fido.NewMonitor(b)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- d.m.Run(ctx, d.report) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return d
}

func TestPresentWaitsForNoKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newKey(t, vkey.Config{Name: "a"}), newKey(t, vkey.Config{Name: "b"})
		g := newGate(busOf(t, a, b))
		g.hold = make(chan struct{})
		d := monitor(t, g)
		r := d.want("plugged a present", "plugged b present")
		if !r.Settled || len(r.Keys) != 2 || r.Err != nil {
			t.Errorf("%+v", r)
		}
		close(g.hold)
		pass(0)
		_, events := d.now()
		slices.Sort(events)
		if !slices.Equal(events, []string{"read a ready", "read b ready"}) {
			t.Errorf("%q", events)
		}
	})
}

func TestABadKeyHidesAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key := func(name string, faults ...vkey.FaultName) *vkey.Key {
			cfg := vkey.Config{Name: name, PIN: []byte("1234")}
			for _, f := range faults {
				cfg.Faults = append(cfg.Faults, vkey.Fault{Name: f})
			}
			return newKey(t, cfg)
		}
		mute, busy, garbage := key("mute", vkey.Mute), key("busy", vkey.Busy), key("garbage", vkey.Garbage)
		foreign, closed, broken := key("foreign", vkey.ForeignChannel), key("closed"), key("broken")
		locked, old, good := key("locked"), key("old", vkey.U2FOnly), key("good")
		g := newGate(busOf(t, mute, busy, garbage, foreign, closed, broken, locked, old, good))
		g.set(closed, fmt.Errorf("%w: EACCES", fido.ErrForbidden))
		g.set(broken, errors.New("EMFILE"))
		g.set(locked, fmt.Errorf("%w: flock", fido.ErrInUse))
		begin := time.Now()
		d := monitor(t, g)
		pass(0)
		if s := d.key(good); s.Condition != fido.Ready || *s.Retries.PIN != 8 || !s.Info.FIDO2() || !s.ReadAt.Equal(begin) || !s.PluggedAt.Equal(begin) {
			t.Errorf("%+v", s)
		}
		pass(8 * time.Second)
		for _, c := range []struct {
			key  *vkey.Key
			want fido.Condition
			err  error
		}{
			{mute, fido.Mute, fido.ErrMute},
			{busy, fido.InUse, fido.ErrInUse},
			{garbage, fido.Unreadable, fido.ErrMalformed},
			{foreign, fido.Mute, fido.ErrMute},
			{closed, fido.Forbidden, fido.ErrForbidden},
			{broken, fido.Unreadable, nil},
			{locked, fido.InUse, fido.ErrInUse},
			{old, fido.Ready, nil},
			{good, fido.Ready, nil},
		} {
			s := d.key(c.key)
			if s.Condition != c.want || (c.err != nil && !errors.Is(s.Err, c.err)) || (s.Condition == fido.Ready) != (s.Err == nil) {
				t.Errorf("%s: %s, %v", c.key.Name(), s.Condition, s.Err)
			}
			if n := c.key.Stats().PINTries; n != 0 {
				t.Errorf("%s: %d PIN tries", c.key.Name(), n)
			}
		}
	})
}

func TestAKeyIsReadOncePerPlugAndWhenAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{PIN: []byte("1234")})
		d := monitor(t, busOf(t, k))
		pass(0)
		d.want("plugged one present", "read one ready")
		path := d.key(k).Node.Path
		asked := k.Stats().Messages
		pass(24 * time.Hour)
		if n := k.Stats().Messages; n != asked {
			t.Errorf("%d messages in a day", n-asked)
		}
		if d.m.Reread("elsewhere") {
			t.Error("a key that is not there was promised")
		}
		for range 50 {
			if !d.m.Reread(path) {
				t.Error("refused")
			}
		}
		pass(0)
		d.want("read one ready")
		if s := d.key(k); !s.ReadAt.Equal(time.Now()) {
			t.Errorf("read at %v, want now", s.ReadAt)
		}
		if n := k.Stats().Messages - asked; n > 2*asked {
			t.Errorf("50 wishes at once made %d messages, one read makes %d", n, asked)
		}
		begin := time.Now()
		for range 4 {
			d.m.Reread(path)
			pass(time.Millisecond)
		}
		pass(time.Second)
		if s := d.key(k); s.ReadAt.Sub(begin) < 200*time.Millisecond {
			t.Errorf("wish upon wish left %v for others", s.ReadAt.Sub(begin))
		}
	})
}

func TestAKeyInUseIsWaitedForAndThatIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{})
		g := newGate(busOf(t, k))
		g.set(k, fido.ErrInUse)
		d := monitor(t, g)
		pass(500 * time.Millisecond)
		d.want("plugged one present") // not for so short a time
		pass(time.Second)
		d.want("read one in_use")
		pass(time.Minute)
		g.set(k, nil)
		pass(10 * time.Second)
		if s := d.key(k); s.Condition != fido.Ready {
			t.Errorf("%s, %v", s.Condition, s.Err)
		}

		g.set(k, fido.ErrInUse)
		d.m.Reread(d.key(k).Node.Path)
		pass(time.Hour)
		if s := d.key(k); s.Condition != fido.InUse || s.Info == nil {
			t.Errorf("%s, %v", s.Condition, s.Err)
		}
		opens := g.opens
		pass(time.Hour)
		if g.opens != opens {
			t.Errorf("after an hour it was still tried, %d times an hour", g.opens-opens)
		}
	})
}

func TestAForbiddenKeyIsReadOnceItsModeIsRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{})
		g := newGate(busOf(t, k))
		g.set(k, fido.ErrForbidden)
		d := monitor(t, g)
		pass(time.Hour)
		d.want("plugged one present", "read one forbidden")
		g.set(k, nil)
		g.inject <- fido.Change{Changed: true, Node: d.key(k).Node}
		pass(time.Second)
		d.want("read one ready")
		g.inject <- fido.Change{Changed: true, Node: d.key(k).Node}
		pass(time.Second)
		d.want() // it is not read again for nothing
	})
}

func TestKeysThatStartSlowlyGetFurtherChances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{Faults: []vkey.Fault{{Name: vkey.Mute}}})
		d := monitor(t, busOf(t, k))
		pass(3500 * time.Millisecond)
		d.want("plugged one present", "read one mute")
		if err := k.SetFaults(); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		d.want("read one ready")

		if err := k.SetFaults(vkey.Fault{Name: vkey.Mute}); err != nil {
			t.Fatal(err)
		}
		d.m.Reread(d.key(k).Node.Path)
		pass(time.Hour)
		_, events := d.now()
		if len(events) != 4 || events[3] != "read one mute" {
			t.Errorf("%q", events)
		}
	})
}

func TestEachPlugIsOneEventInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mute := newKey(t, vkey.Config{Name: "mute", Faults: []vkey.Fault{{Name: vkey.Mute}}})
		k := newKey(t, vkey.Config{Name: "k"})
		b := busOf(t, mute)
		d := monitor(t, b)
		pass(time.Minute)
		d.now()
		var want []string
		for range 50 {
			if err := b.Plug(k); err != nil {
				t.Fatal(err)
			}
			pass(0)
			if err := b.Unplug(k); err != nil {
				t.Fatal(err)
			}
			want = append(want, "plugged k present", "read k ready", "unplugged k ready")
		}
		d.want(want...)
		for range 50 { // too fast to be read
			if err := errors.Join(b.Plug(k), b.Unplug(k)); err != nil {
				t.Fatal(err)
			}
		}
		_, events := d.now()
		events = slices.DeleteFunc(events, func(e string) bool { return e == "read k ready" })
		for i, e := range events {
			if want := []string{"plugged k present", "unplugged k present"}[i%2]; e != want && e != "unplugged k ready" {
				t.Errorf("event %d: %s, want %s", i, e, want)
			}
		}
		if len(events) != 100 {
			t.Errorf("%d events", len(events))
		}
	})
}

func TestABusThatFailsIsWatchedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stays, goes, comes := newKey(t, vkey.Config{Name: "stays"}), newKey(t, vkey.Config{Name: "goes"}), newKey(t, vkey.Config{Name: "comes"})
		b := busOf(t, stays, goes)
		g := newGate(b)
		d := monitor(t, g)
		pass(0)
		d.now()
		g.fail <- errors.New("the socket broke")
		r := d.want()
		if r.Err == nil || r.Settled || len(r.Keys) != 2 {
			t.Errorf("%+v", r)
		}
		if err := errors.Join(b.Unplug(goes), b.Plug(comes)); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		r = d.want("plugged comes present", "unplugged goes ready", "read comes ready")
		if r.Err != nil || !r.Settled || len(r.Keys) != 2 {
			t.Errorf("%+v", r)
		}
	})
}

func TestWhereThereIsNoHIDRunSaysSo(t *testing.T) {
	t.Parallel()
	if err := fido.NewMonitor(nowhere{}).Run(t.Context(), func(fido.Report) {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

type nowhere struct{ fido.Bus }

func (nowhere) Watch(context.Context, func(fido.Change)) error { return errors.ErrUnsupported }
