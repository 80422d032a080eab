package pcsc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a Watch under test, in a bubble of false time.
type watched struct {
	t       *testing.T
	f       *fakeSystem
	mu      sync.Mutex
	events  []Event
	last    Snapshot
	reports int
	cancel  context.CancelFunc
	done    chan error
}

func watchFake(t *testing.T, f *fakeSystem, goos string) *watched {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{t: t, f: f, cancel: cancel, done: make(chan error, 1)}
	m := &monitor{sys: f, policy: policyFor(goos), report: func(r Report) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, r.Events...)
		w.last = r.Snapshot
		w.reports++
	}}
	go func() { w.done <- m.watch(ctx) }()
	synctest.Wait()
	return w
}

// saw checks what was reported since it was last asked.
func (w *watched) saw(want string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := story(w.events); got != want {
		w.t.Errorf("\n got %s\nwant %s", got, want)
	}
	w.events = nil
}

func (w *watched) calls() int {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	return w.f.calls
}

// elapse lets false time go by.
func elapse(d time.Duration) { <-time.After(d) }

// end ends it, and checks that it ends at once and leaves no context behind.
func (w *watched) end() {
	w.t.Helper()
	began := time.Now()
	w.cancel()
	if err := <-w.done; err != nil {
		w.t.Errorf("Watch ended by %v", err)
	}
	if took := time.Since(began); took > 100*time.Millisecond {
		w.t.Errorf("Watch took %v to end", took)
	}
	if w.f.open != 0 {
		w.t.Errorf("%d contexts are left", w.f.open)
	}
}

func TestWatchTellsWhatIsThereThenWhatHappens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A", "B")
		f.insert("B", 0x3B)
		w := watchFake(t, f, "linux")
		defer w.end()
		w.saw("up, +A, +B, in B 3b present")
		if w.reports != 1 {
			t.Errorf("the beginning came in %d reports", w.reports)
		}
		f.insert("A", 0x3F)
		w.saw("in A 3f present")
		f.remove("B")
		w.saw("out B")
		f.set("A", StatePresent|StateMute)
		w.saw("A is mute")
	})
}

func TestWatchSaysAtOnceThatThereIsNoReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		w := watchFake(t, f, "linux")
		defer w.end()
		w.saw("up")
		f.plug("A")
		w.saw("+A")
		f.unplug("A")
		w.saw("-A")
	})
}

func TestASwapOfEqualCardsIsTwoEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A")
		f.insert("A", 0x3B)
		w := watchFake(t, f, "linux")
		defer w.end()
		w.saw("up, +A, in A 3b present")
		f.swap("A", 0x3B)
		w.saw("out A, in A 3b present")
	})
}

func TestWatchDoesNothingWhileNothingHappens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watchFake(t, newFake("A"), "linux")
		defer w.end()
		elapse(time.Second)
		before := w.calls()
		elapse(24 * time.Hour)
		if more := w.calls() - before; more != 0 {
			t.Errorf("%d calls in a day without events", more)
		}
	})
}

// 16 readers and the PnP entry are 17 states, which pcsc-lite refuses at once.
func TestSixteenReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		w := watchFake(t, f, "linux")
		defer w.end()
		want := "up"
		for i := range 16 {
			f.plug(fmt.Sprintf("R%d", i))
			want += fmt.Sprintf(", +R%d", i)
			synctest.Wait()
		}
		w.saw(want)
		elapse(time.Second)
		before := w.calls()
		f.insert("R15", 0x3B)
		w.saw("in R15 3b present")
		elapse(time.Hour)
		if more := w.calls() - before; more > 3 {
			t.Errorf("%d calls for one event", more)
		}
		f.unplug("R3")
		w.saw("-R3")
		f.plug("new")
		w.saw("+new")
	})
}

func TestAReaderThatGoesBetweenListAndWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A", "B")
		f.insert("A", 0x3B)
		f.afterList = func() { f.unplug("B") }
		w := watchFake(t, f, "linux")
		defer w.end()
		w.saw("up, +A, in A 3b present")
	})
}

// pcsc-lite before 2.x tells only of readers that come during the call.
func TestAReaderThatComesBetweenListAndWait(t *testing.T) {
	t.Parallel()
	for _, pnpCounter := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("A")
			f.pnpCounter, f.plugged = pnpCounter, 1
			w := watchFake(t, f, "linux")
			defer w.end()
			w.saw("up, +A")
			f.mu.Lock()
			f.afterList = func() { f.plug("C") }
			f.mu.Unlock()
			f.plug("B")
			elapse(time.Second)
			w.saw("+B, +C")
		})
	}
}

// A reader that was pulled and plugged again before anybody listed the readers
// is a new one, though its name and state are the same.
func TestAReplugIsSeenThoughTheNameIsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A")
		f.set("A", StatePresent)
		w := watchFake(t, f, "linux")
		defer w.end()
		w.saw("up, +A, in A  present")
		f.do(func() {
			old := f.readers
			f.readers = nil
			close(f.changed) // the blocked call looks now
			f.changed = make(chan struct{})
			f.mu.Unlock()
			synctest.Wait()
			f.mu.Lock()
			f.readers = old
		})
		w.saw("out A, -A, +A, in A  present")
	})
}

func TestTheServiceStopsAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A")
		f.insert("A", 0x3B)
		w := watchFake(t, f, "linux")
		defer w.end()
		w.saw("up, +A, in A 3b present")

		f.stop(&Error{"SCardEstablishContext", SCARD_E_NO_SERVICE})
		w.saw("down SCARD_E_NO_SERVICE, out A, A is unavailable")
		elapse(time.Hour)
		w.saw("")
		f.do(func() { f.downs = &Error{"SCardEstablishContext", SCARD_W_SECURITY_VIOLATION} })
		elapse(time.Second)
		w.saw("down SCARD_W_SECURITY_VIOLATION")

		f.start()
		elapse(time.Second)
		w.saw("up, in A 3b present")
		f.remove("A")
		w.saw("out A")
	})
}

// A service that was killed and is back before it was asked why.
func TestAServiceThatIsBackAtOnceWasDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A")
		w := watchFake(t, f, "linux")
		defer w.end()
		w.saw("up, +A")
		f.stop(nil)
		w.saw("down SCARD_F_COMM_ERROR, A is unavailable")
		elapse(time.Second)
		w.saw("up, A is empty")
	})
}

func TestWatchWaitsForAServiceThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A")
		f.stop(&Error{"SCardEstablishContext", SCARD_E_NO_SERVICE})
		w := watchFake(t, f, "linux")
		w.saw("down SCARD_E_NO_SERVICE")
		w.end() // also while it waits

		w = watchFake(t, f, "linux")
		defer w.end()
		elapse(time.Minute)
		f.start()
		elapse(time.Second)
		w.saw("down SCARD_E_NO_SERVICE, up, +A")
	})
}

func TestAServiceThatDoesNotWaitIsNotAskedWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*fakeSystem){
		"always changed":  func(f *fakeSystem) { f.restless = true },
		"always refused":  func(f *fakeSystem) { f.broken = &Error{"SCardGetStatusChange", SCARD_E_INVALID_PARAMETER} },
		"never the name":  func(f *fakeSystem) { f.broken = &Error{"SCardGetStatusChange", SCARD_E_UNKNOWN_READER} },
		"says the time's": func(f *fakeSystem) { f.broken = &Error{"SCardGetStatusChange", SCARD_E_TIMEOUT} },
		"state not known": func(f *fakeSystem) { f.find("A").state = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake("A")
				fault(f)
				w := watchFake(t, f, "linux")
				elapse(time.Minute)
				if n := w.calls(); n > 150 {
					t.Errorf("%d calls in a minute", n)
				}
				w.cancel()
				if err := <-w.done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// macOS has neither PnP entry nor counter: readers are listed every second,
// and another ATR is another card.
func TestMacOSIsWatchedByValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		w := watchFake(t, f, "darwin")
		defer w.end()
		w.saw("up")
		f.plug("A")
		elapse(1100 * time.Millisecond)
		w.saw("+A")
		f.do(func() { r := f.find("A"); r.state, r.atr = StatePresent, []byte{0x3B} })
		w.saw("in A 3b present")
		f.do(func() { f.find("A").atr = []byte{0x3F} })
		elapse(1100 * time.Millisecond)
		f.set("A", StatePresent|StateMute) // wakes it
		w.saw("out A, in A 3f mute")
		f.unplug("A")
		w.saw("out A, -A")
	})
}

// What a listener is slow to take is merged, in order, by the counter.
func TestASlowListenerLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A")
		f.insert("A", 0x3B)
		gate := make(chan struct{})
		var events []Event
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- Watch(ctx, f, func(r Report) {
				events = append(events, r.Events...)
				<-gate
			})
		}()
		synctest.Wait()
		f.swap("A", 0x3B)
		f.swap("A", 0x3B)
		f.remove("A")
		close(gate)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := "up, +A, in A 3b present, out A, in A  present, out A, in A  present, out A"
		if got := story(events); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
}

func TestWaitFreeWaitsUntilTheOtherProgramLetsGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A")
		f.insert("A", 0x3B)
		c := NewConnector(f, ConnectorOptions{})
		if r, err := c.WaitFree(t.Context(), "A"); err != nil || r.Condition != Present {
			t.Fatalf("a free card: %v, %v", r, err)
		}
		f.set("A", StatePresent|StateExclusive)
		if r, err := c.Look(t.Context(), "A"); err != nil || r.Condition != Exclusive {
			t.Errorf("Look says %v, %v", r, err)
		}
		type result struct {
			r   Reader
			err error
		}
		free := make(chan result, 1)
		go func() { r, err := c.WaitFree(t.Context(), "A"); free <- result{r, err} }()
		elapse(time.Minute)
		f.set("A", StatePresent|StateInUse) // another, before the first let go
		elapse(time.Minute)
		f.mu.Lock()
		calls := f.calls
		f.mu.Unlock()
		if calls > 2*120+10 {
			t.Errorf("%d calls in two minutes", calls)
		}
		select {
		case r := <-free:
			t.Fatalf("it is in use, and WaitFree says %v", r)
		default:
		}
		f.remove("A")
		if r := <-free; r.err != nil || r.r.Condition != Empty {
			t.Errorf("the card went, and WaitFree says %v", r)
		}
		if f.open != 0 {
			t.Errorf("%d contexts are left", f.open)
		}
	})
}

func TestWaitFreeEndsWithItsContextOrItsConnector(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A")
		f.set("A", StatePresent|StateInUse)
		c := NewConnector(f, ConnectorOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if _, err := c.WaitFree(ctx, "A"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > time.Hour+100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		ended := make(chan error, 1)
		go func() { _, err := c.WaitFree(t.Context(), "A"); ended <- err }()
		elapse(time.Minute)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}
