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
// own, so that none delays another; a key is open only while it is read.
type Monitor struct {
	bus Bus

	mu    sync.Mutex // guards what follows
	known map[string]bool
	asked []string
	wake  chan struct{} // holds a token while reads are asked for
}

// NewMonitor makes a monitor of a bus.
func NewMonitor(bus Bus) *Monitor {
	return &Monitor{bus: bus, known: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// Reread asks for a fresh read of a key, by its Node.Path, and returns at
// once; false if there is no such key.
func (m *Monitor) Reread(path string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.known[path] {
		return false
	}
	if !slices.Contains(m.asked, path) {
		m.asked = append(m.asked, path)
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return true
}

func (m *Monitor) takeAsked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked = nil
	return asked
}

func (m *Monitor) know(path string, there bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if there {
		m.known[path] = true
	} else {
		delete(m.known, path)
	}
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
			m.know(k.state.Node.Path, false)
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
	state   KeyState
	cancel  context.CancelFunc // ends the read under way
	reading bool
	wanted  bool      // a read is due at nextAt
	nextAt  time.Time // zero: none
	failed  int       // reads in a row
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
		timer.Reset(untilNext(w.keys, rewatch))
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
func untilNext(keys []*watched, rewatch time.Time) time.Duration {
	next := time.Now().Add(time.Hour)
	if !rewatch.IsZero() {
		next = rewatch
	}
	for _, k := range keys {
		if k.wanted && !k.reading && k.nextAt.Before(next) {
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
		w.m.know(c.Node.Path, true)
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
	w.m.know(k.state.Node.Path, false)
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
	for _, path := range w.m.takeAsked() {
		for _, k := range w.keys {
			if k.state.Node.Path == path {
				k.failed = 0
				w.want(k, time.Now())
			}
		}
	}
}
