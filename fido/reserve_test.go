package fido_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

// reserve reserves a key and waits until the monitor is done with it.
func reserve(t *testing.T, d *diary, path string) *fido.Reservation {
	t.Helper()
	r, err := d.m.Reserve(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAReservedKeyIsLeftAloneUntilItIsReleased(t *testing.T) {
	t.Parallel()
	for _, fault := range []vkey.FaultName{"", vkey.Mute, vkey.Garbage, vkey.Busy} {
		t.Run("after "+string(fault), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := vkey.Config{PIN: []byte("1234")}
				if fault != "" {
					cfg.Faults = []vkey.Fault{{Name: fault}}
				}
				k := newKey(t, cfg)
				d := monitor(t, busOf(t, k))
				pass(5 * time.Second) // a retry may be under way, one is due
				path := d.key(k).Node.Path
				r := reserve(t, d, path)
				asked := k.Stats().Messages
				for range 50 {
					if !d.m.Reread(path) {
						t.Error("a wish was refused")
					}
					pass(time.Minute)
				}
				if n := k.Stats().Messages; n != asked {
					t.Errorf("%d messages to a reserved key", n-asked)
				}
				if err := k.SetFaults(); err != nil {
					t.Fatal(err)
				}
				d.now()
				r.Release()
				r.Release()
				pass(time.Second)
				d.want("read one ready")
				asked = k.Stats().Messages
				pass(24 * time.Hour)
				if n := k.Stats().Messages; n != asked {
					t.Errorf("%d messages in the day after", n-asked)
				}
			})
		})
	}
}

func TestAReservationWaitsForTheReadUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{Faults: []vkey.Fault{{Name: vkey.Slow, Delay: time.Second}}})
		d := monitor(t, busOf(t, k))
		path := d.want("plugged one present").Keys[0].Node.Path // and being read
		r, err := d.m.Reserve(path)
		if err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := r.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting ended with %v", err)
		}
		if err := r.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		d.want("read one ready")
		r.Release()
		if _, err := d.m.Reserve("elsewhere"); !errors.Is(err, fido.ErrGone) {
			t.Errorf("a key that is not there: %v", err)
		}
	})
}

// Nobody waits for the read of a key that went, however long it takes to end.
func TestAReservationDoesNotWaitForAKeyThatWent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{})
		g := newGate(busOf(t, k))
		g.hold = make(chan struct{})
		d := monitor(t, g)
		node := d.want("plugged one present").Keys[0].Node
		r, err := d.m.Reserve(node.Path)
		if err != nil {
			t.Fatal(err)
		}
		g.inject <- fido.Change{Gone: true, Node: node}
		d.want("unplugged one present")
		if err := r.Wait(t.Context()); err != nil {
			t.Errorf("waiting ended with %v", err)
		}
		r.Release()
	})
}

// Of several reservations the last counts.
func TestReservationsAddUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{})
		d := monitor(t, busOf(t, k))
		pass(time.Second)
		path := d.key(k).Node.Path
		first, second := reserve(t, d, path), reserve(t, d, path)
		d.m.Reread(path)
		first.Release()
		first.Release()
		pass(time.Minute)
		d.want()
		second.Release()
		pass(time.Second)
		d.want("read one ready")
	})
}

// A key that comes back is read, whoever has reserved it where it was.
func TestAReservationEndsWithTheKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{})
		b := busOf(t, k)
		d := monitor(t, b)
		pass(time.Second)
		r := reserve(t, d, d.key(k).Node.Path)
		d.now()
		if err := errors.Join(b.Unplug(k), b.Plug(k)); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		d.want("unplugged one ready", "plugged one present", "read one ready")
		r.Release()
	})
}

// However a read is asked for while another is under way, only one that began
// after it answers it.
func TestAWishIsAnsweredByAReadThatBeganAfterIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{Faults: []vkey.Fault{{Name: vkey.Slow, Delay: time.Second}}})
		d := monitor(t, busOf(t, k))
		pass(0)
		path := d.key(k).Node.Path
		wish, ok := d.m.Ask(path)
		if !ok {
			t.Fatal("refused")
		}
		var answers []uint64
		var reads []time.Time
		for range 20 {
			pass(time.Second)
			if s := d.key(k); !s.ReadAt.IsZero() && (len(answers) == 0 || answers[len(answers)-1] != s.Answered) {
				answers, reads = append(answers, s.Answered), append(reads, s.ReadAt)
			}
		}
		if want := fmt.Sprint([]uint64{0, wish}); fmt.Sprint(answers) != want {
			t.Fatalf("answered %v, want %s", answers, want)
		}
		if first, second := reads[0].Sub(d.key(k).PluggedAt), reads[1].Sub(reads[0]); second-first < 200*time.Millisecond {
			t.Errorf("the first read took %v, the second came %v after: no room for others", first, second)
		}
		if _, ok := d.m.Ask("elsewhere"); ok {
			t.Error("a key that is not there was promised")
		}
	})
}

func TestTheMonitorOpensAKeyOnceItIsFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, vkey.Config{Faults: []vkey.Fault{{Name: vkey.Slow, Delay: time.Second}}})
		g := newGate(busOf(t, k))
		d := monitor(t, g)
		path := d.want("plugged one present").Keys[0].Node.Path
		key, err := d.m.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		d.want("read one ready") // first
		if err := key.Close(); err != nil {
			t.Error(err)
		}

		g.set(k, fmt.Errorf("%w: flock", fido.ErrInUse))
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := d.m.Open(short, path); !errors.Is(err, fido.ErrInUse) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a key that is in use: %v", err)
		}
		opened := make(chan error, 1)
		go func() {
			key, err := d.m.Open(t.Context(), path)
			if err == nil {
				err = key.Close()
			}
			opened <- err
		}()
		pass(time.Minute)
		g.set(k, nil)
		if err := <-opened; err != nil {
			t.Errorf("once it was free: %v", err)
		}
		d.want() // nothing of this is news
		if _, err := d.m.Open(t.Context(), "elsewhere"); !errors.Is(err, fido.ErrGone) {
			t.Errorf("a key that is not there: %v", err)
		}
	})
}
