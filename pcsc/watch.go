package pcsc

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"
)

// Report is what [Watch] saw.
type Report struct {
	Snapshot Snapshot
	// Events lead from the previous report's snapshot to this one.
	Events []Event
}

const (
	firstDelay = 50 * time.Millisecond // before a service that is down is asked again; doubled up to:
	lastDelay  = time.Second
	// endWithin is how long the end may take. A call to a service that is frozen
	// holds a lock that all PC/SC calls of the process need.
	endWithin = 2 * time.Second
	rareDelay = 30 * time.Second // the same, where we are told
	// checkAfter is when a wait that has begun checks that no reader came
	// before it began.
	checkAfter = 250 * time.Millisecond
	// restless is how soon a wait has to return, with nothing changed, to be
	// taken for one of a service that does not wait.
	restless = 20 * time.Millisecond
)

// ErrWatchStuck is what [Watch] returns when ctx ended and the service does not
// even answer SCardCancel. What it left behind ends when the service answers.
var ErrWatchStuck = errors.New("pcsc: the smartcard service does not answer; the watch was left behind")

// Watch observes the readers of sys until ctx ends, and then returns nil. It
// owns the one context that it watches on, connects to no card and sends
// nothing to any. It blocks in SCardGetStatusChange for as long as nothing
// happens. A service that is down or goes down is part of the snapshot; the
// readers it had stay in it as Unavailable, and Watch goes on by itself once
// it is back.
//
// report is called from Watch's own goroutine, in the order of the events,
// first for the state at the beginning. While it runs, Watch looks at nothing:
// it must hand on what it got and return. What happens meanwhile is not lost
// where the service counts events, as pcsc-lite and Windows do. On macOS, which
// does not, a card swapped for one with the same ATR within that time is.
func Watch(ctx context.Context, sys System, report func(Report)) error {
	p := policyFor("linux")
	if sys == Native() {
		p = policyFor(runtime.GOOS)
	}
	return (&monitor{sys: sys, policy: p, report: report}).watch(ctx)
}

// watch runs until ctx ends, and then waits, but not for ever.
func (m *monitor) watch(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.run(ctx)
	}()
	<-ctx.Done() // run ends only then
	timer := time.NewTimer(endWithin)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return ErrWatchStuck
	}
}

type monitor struct {
	sys    System
	policy policy
	report func(Report)

	begun bool
	prev  Snapshot
}

// run holds one session after another.
func (m *monitor) run(ctx context.Context) {
	delay := firstDelay
	for ctx.Err() == nil {
		pc, err := m.sys.Establish()
		if err != nil {
			m.down(ctx, err)
			delay = m.awaitService(ctx, delay, err)
			continue
		}
		began := time.Now()
		err = m.session(ctx, pc)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > lastDelay {
			delay = firstDelay
		}
		m.down(ctx, m.whyLost(ctx, err))
		pause(ctx, delay)
		delay = min(2*delay, lastDelay)
	}
}

// whyLost says why a session ended: a service that is gone says best itself
// why. In its last moment, though, pcscd takes a connection and drops it, which
// libpcsclite reads as a refusal; so a refusal is asked for twice.
func (m *monitor) whyLost(ctx context.Context, lost error) error {
	for again := true; ; again = false {
		pc, err := m.sys.Establish()
		if err == nil {
			_ = pc.Release()
			return lost
		}
		if !again || !errors.Is(err, SCARD_W_SECURITY_VIOLATION) {
			return err
		}
		pause(ctx, firstDelay)
	}
}

// awaitService waits until it is worth asking for the service again, and
// returns how long to wait next time. Where the system tells that the service
// comes, that is awaited, and asking without being told is rare.
func (m *monitor) awaitService(ctx context.Context, delay time.Duration, err error) time.Duration {
	if errors.Is(err, ErrNotBuilt) {
		<-ctx.Done()
		return delay
	}
	bell, ok := m.sys.(interface{ bell() *bell })
	if !ok {
		pause(ctx, delay)
		return min(2*delay, lastDelay)
	}
	b := bell.bell()
	if b == nil {
		pause(ctx, delay)
		return min(2*delay, lastDelay)
	}
	defer b.close()
	// It may have come before the bell hung.
	if pc, err := m.sys.Establish(); err == nil {
		_ = pc.Release()
		return firstDelay
	}
	if b.wait(ctx, delay) {
		return firstDelay
	}
	return min(2*delay, rareDelay)
}

// session watches on one context until it fails or ctx ends.
func (m *monitor) session(ctx context.Context, pc Context) error {
	defer func() { _ = pc.Release() }()
	w := &watchSet{policy: m.policy}
	quick := 0 // waits that returned at once, in a row, with nothing changed
	for relist := true; ; {
		if relist {
			names, err := pc.ListReaders()
			if err != nil {
				return err
			}
			w.list(names)
			if w.settled() {
				m.up(ctx, w)
			}
		}
		began := time.Now()
		err := m.wait(ctx, pc, w)
		changed := false
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			relist = w.take()
			changed = m.up(ctx, w)
		case errors.Is(err, SCARD_E_TIMEOUT), errors.Is(err, SCARD_E_CANCELLED), errors.Is(err, SCARD_E_UNKNOWN_READER):
			relist = true
		default:
			return err
		}
		// A service may say at once that something changed and not what, or
		// that it does not know a reader it lists, again and again.
		if changed || time.Since(began) > restless {
			quick = 0
			continue
		}
		if quick++; quick > 3 {
			pause(ctx, min(restless<<min(quick-3, 10), lastDelay))
		}
	}
}

// wait blocks until something in w changes.
func (m *monitor) wait(ctx context.Context, pc Context, w *watchSet) error {
	timeout := time.Duration(-1)
	if !w.told() && m.policy.poll > 0 {
		timeout = m.policy.poll
	}
	if len(w.states) == 0 {
		pause(ctx, timeout)
		return &Error{Op: "SCardGetStatusChange", Code: SCARD_E_TIMEOUT}
	}
	// Only SCardCancel on the same context ends the call, and only one that
	// has begun to block, so it is repeated until the call has returned.
	var check func() bool
	if w.told() && w.plugged == 0 && w.settled() {
		check = func() bool { return m.listChanged(w.names) }
	}
	return cancellable(ctx, pc, check, func() error { return pc.GetStatusChange(w.states, timeout) })
}

// listChanged looks, on another context, whether the readers are others. Where
// the PnP entry has no counter (pcsc-lite before 2.x) a reader that comes
// between the list and the wait is in neither.
func (m *monitor) listChanged(names []string) bool {
	pc, err := m.sys.Establish()
	if err != nil {
		return false // the wait will say so
	}
	defer func() { _ = pc.Release() }()
	now, err := pc.ListReaders()
	return err == nil && !slices.Equal(now, names)
}

// cancellable runs a blocking call of pc, and cancels it once ctx ends, or
// once check, asked a moment after it began, says so.
func cancellable(ctx context.Context, pc Context, check func() bool, call func() error) error {
	done, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		if check != nil {
			timer := time.NewTimer(checkAfter)
			defer timer.Stop()
			select {
			case <-done:
				return
			case <-ctx.Done():
			case <-timer.C:
				if !check() {
					check = nil
				}
			}
		}
		if check == nil {
			select {
			case <-done:
				return
			case <-ctx.Done():
			}
		}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			_ = pc.Cancel()
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	err := call()
	close(done)
	<-finished
	return err
}

// up reports what w knows, if that is news.
func (m *monitor) up(ctx context.Context, w *watchSet) bool {
	return m.publish(ctx, Snapshot{Service: Service{Up: true}, Readers: w.readers()})
}

// down reports that the service is not there.
func (m *monitor) down(ctx context.Context, err error) {
	next := Snapshot{Service: Service{Err: err}}
	for _, r := range m.prev.Readers {
		next.Readers = append(next.Readers, Reader{Name: r.Name, Condition: Unavailable})
	}
	m.publish(ctx, next)
}

func (m *monitor) publish(ctx context.Context, next Snapshot) bool {
	if ctx.Err() != nil {
		return false // nobody listens any more
	}
	events := Diff(m.prev, next)
	if len(events) == 0 && m.begun {
		m.prev = next
		return false
	}
	m.begun, m.prev = true, next
	m.report(Report{Snapshot: next, Events: events})
	return true
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
