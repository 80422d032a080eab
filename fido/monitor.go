package fido

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// The pauses between tries to watch a bus that failed.
const firstRewatch, lastRewatch = time.Second, 30 * time.Second

// Monitor watches a bus and reads each key once when it is plugged: what it is
// and how many tries it has left. That a key is there is reported at once,
// before anything is asked of any key; each key is read by a goroutine of its
// own, so that none delays another; a key is open only while it is read. A key
// that somebody else uses is reserved, and left alone.
type Monitor struct {
	bus Bus

	mu     sync.Mutex           // guards what follows
	known  map[string]*presence // by Node.Path
	asked  map[string]uint64    // the last wish for a read, by Node.Path
	wishes uint64               // so far
	wake   chan struct{}        // holds a token while reads are asked for
}

// NewMonitor makes a monitor of a bus.
func NewMonitor(bus Bus) *Monitor {
	return &Monitor{bus: bus, known: map[string]*presence{}, asked: map[string]uint64{}, wake: make(chan struct{}, 1)}
}

// Reread asks for a fresh read of a key, by its Node.Path, and returns at
// once; false if there is no such key. One that is reserved is read once it is
// released.
func (m *Monitor) Reread(path string) bool {
	_, ok := m.Ask(path)
	return ok
}

// Ask is Reread for who wants to know when: the read that began after this is
// over once the key's state has Answered at least wish.
func (m *Monitor) Ask(path string) (wish uint64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[path] == nil {
		return 0, false
	}
	m.wishes++
	m.asked[path] = m.wishes
	m.signal()
	return m.wishes, true
}

func (m *Monitor) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *Monitor) takeAsked() map[string]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked = map[string]uint64{}
	return asked
}

// Run watches until ctx ends (nil). It survives whatever a key does, and a bus
// that fails; it returns an error only where keys cannot be watched at all
// (errors.ErrUnsupported). report is called from one goroutine; it must not
// block for long. When Run returns, no key is open.
func (m *Monitor) Run(ctx context.Context, report func(Report)) error {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{m: m, report: report, results: make(chan result), changes: make(chan Change), busEnd: make(chan error)}
	defer func() {
		cancel()
		w.work.Wait()
		for _, k := range w.keys {
			m.leave(k.presence)
		}
	}()
	return w.run(ctx)
}

// watcher is one call of Run; its goroutine owns the keys.
type watcher struct {
	m       *Monitor
	report  func(Report)
	work    sync.WaitGroup
	results chan result
	changes chan Change
	busEnd  chan error

	keys    []*watched // in the order of plugging
	settled bool
	err     error
	events  []Event
	listed  map[*watched]bool // during a listing that is not the first
}

// watched is a plugged key.
type watched struct {
	state    KeyState
	presence *presence
	cancel   context.CancelFunc // ends the read under way
	reading  bool
	wanted   bool      // a read is due at nextAt
	nextAt   time.Time // zero: none
	failed   int       // reads in a row
	asked    uint64    // the last wish
	serving  uint64    // that of the read under way
}

// result is the outcome of one read.
type result struct {
	key     *watched
	hello   Hello
	info    *Info
	retries *Retries
	err     error
}

func (w *watcher) run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	pause := firstRewatch
	var rewatch time.Time
	w.watch(ctx)
	for {
		timer.Reset(w.untilNext(rewatch))
		select {
		case <-ctx.Done():
			return nil
		case c := <-w.changes:
			w.change(c)
			if c.Settled {
				pause = firstRewatch
			}
		case r := <-w.results:
			w.done(r)
		case <-w.m.wake:
			w.reread()
		case err := <-w.busEnd:
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, errors.ErrUnsupported) {
				return err
			}
			w.settled, w.err = false, err
			w.publish()
			rewatch = time.Now().Add(pause)
			pause = min(2*pause, lastRewatch)
		case <-timer.C:
			if !rewatch.IsZero() && !time.Now().Before(rewatch) {
				rewatch = time.Time{}
				w.watch(ctx)
			}
		}
		if len(w.events) > 0 {
			w.publish() // that a key is there, before it is touched
		}
		w.start(ctx)
	}
}

// untilNext is the time until something is due by itself; an hour if nothing.
func (w *watcher) untilNext(rewatch time.Time) time.Duration {
	next := time.Now().Add(time.Hour)
	if !rewatch.IsZero() {
		next = rewatch
	}
	for _, k := range w.keys {
		if k.wanted && !k.reading && k.nextAt.Before(next) && !w.m.holds(k.presence) {
			next = k.nextAt
		}
	}
	return max(0, time.Until(next))
}

// watch starts watching the bus.
func (w *watcher) watch(ctx context.Context) {
	w.listed = map[*watched]bool{}
	w.work.Go(func() {
		err := w.m.bus.Watch(ctx, func(c Change) {
			select {
			case w.changes <- c:
			case <-ctx.Done():
			}
		})
		if err == nil && ctx.Err() == nil {
			err = errors.New("fido: the bus stopped being watched")
		}
		select {
		case w.busEnd <- err:
		case <-ctx.Done():
		}
	})
}

func (w *watcher) publish() {
	r := Report{Settled: w.settled, Events: w.events, Err: w.err}
	w.events = nil
	for _, k := range w.keys {
		r.Keys = append(r.Keys, k.state)
	}
	w.report(r)
}

func (w *watcher) event(kind EventKind, k *watched) {
	w.events = append(w.events, Event{kind, time.Now(), k.state})
}

// change takes what the bus says.
func (w *watcher) change(c Change) {
	i := slices.IndexFunc(w.keys, func(k *watched) bool { return k.state.Node.Path == c.Node.Path })
	switch {
	case c.Settled:
		w.settle()
	case c.Gone:
		if i >= 0 {
			w.remove(i)
		}
	case c.Changed:
		if i >= 0 && w.keys[i].state.Condition == Forbidden {
			w.want(w.keys[i], time.Now())
		}
	case i >= 0 && w.keys[i].state.Node == c.Node:
		w.listed[w.keys[i]] = true // known from before the bus failed
	default:
		if i >= 0 {
			w.remove(i)
		}
		now := time.Now()
		k := &watched{state: KeyState{Node: c.Node, Condition: Present, PluggedAt: now}}
		w.keys = append(w.keys, k)
		w.listed[k] = true
		k.presence, k.asked = w.m.enter(c.Node)
		w.want(k, now)
		w.event(Plugged, k)
	}
}

func (w *watcher) settle() {
	for i := 0; i < len(w.keys); {
		if w.listed[w.keys[i]] {
			i++
			continue
		}
		w.remove(i)
	}
	w.settled, w.err = true, nil
	w.publish()
}

func (w *watcher) remove(i int) {
	k := w.keys[i]
	if k.cancel != nil {
		k.cancel()
	}
	w.keys = slices.Delete(w.keys, i, i+1)
	w.m.leave(k.presence)
	w.event(Unplugged, k)
}

func (w *watcher) want(k *watched, at time.Time) {
	if gap := k.state.TriedAt.Add(readGap); at.Before(gap) {
		at = gap
	}
	if !k.wanted || at.Before(k.nextAt) {
		k.wanted, k.nextAt = true, at
	}
}

func (w *watcher) reread() {
	asked := w.m.takeAsked()
	for _, k := range w.keys {
		if wish, ok := asked[k.state.Node.Path]; ok {
			k.failed, k.asked = 0, max(wish, k.asked)
			w.want(k, time.Now())
		}
	}
}
