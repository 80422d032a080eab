package pcsc

import (
	"slices"
	"sync"
	"time"
)

// fakeSystem is a PC/SC service that the test moves by hand. It behaves as
// pcsc-lite 1.9.9 does: the PnP entry tells only of what comes during the
// call, counters of 0 are not compared, 17 states are too many, a name that is
// not known fails the call, and a cancellation before the wait does nothing.
type fakeSystem struct {
	mu      sync.Mutex
	changed chan struct{} // closed at each change
	downs   error         // what Establish says; nil is up
	epoch   int           // counts stops
	readers []*fakeReader
	plugged uint16 // counts readers that came or went, if pnpCounter
	calls   int    // of GetStatusChange
	open    int    // contexts

	pnpCounter bool      // as pcsc-lite 2.3 and later
	afterList  func()    // once, after a list was answered
	broken     error     // what every GetStatusChange says
	restless   bool      // GetStatusChange always returns at once
	card       *fakeCard // what Connect connects to
}

type fakeReader struct {
	name  string
	state StateFlags // without counter
	count uint16
	atr   []byte
}

func newFake(readers ...string) *fakeSystem {
	f := &fakeSystem{changed: make(chan struct{})}
	for _, name := range readers {
		f.readers = append(f.readers, &fakeReader{name: name, state: StateEmpty})
	}
	return f
}

// do changes something and tells those who wait.
func (f *fakeSystem) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeSystem) find(name string) *fakeReader {
	for _, r := range f.readers {
		if r.name == name {
			return r
		}
	}
	return nil
}

func (f *fakeSystem) insert(name string, atr ...byte) {
	f.do(func() { r := f.find(name); r.state, r.atr, r.count = StatePresent, atr, r.count+1 })
}

func (f *fakeSystem) remove(name string) {
	f.do(func() { r := f.find(name); r.state, r.atr, r.count = StateEmpty, nil, r.count+1 })
}

func (f *fakeSystem) swap(name string, atr ...byte) {
	f.do(func() { r := f.find(name); r.state, r.atr, r.count = StatePresent, atr, r.count+2 })
}

func (f *fakeSystem) set(name string, state StateFlags) {
	f.do(func() { f.find(name).state = state })
}

func (f *fakeSystem) plug(name string) {
	f.do(func() { f.readers = append(f.readers, &fakeReader{name: name, state: StateEmpty}); f.plugged++ })
}

func (f *fakeSystem) unplug(name string) {
	f.do(func() {
		f.readers = slices.DeleteFunc(f.readers, func(r *fakeReader) bool { return r.name == name })
		f.plugged++
	})
}

func (f *fakeSystem) stop(err error) { f.do(func() { f.downs = err; f.epoch++ }) }

func (f *fakeSystem) start() {
	f.do(func() {
		f.downs = nil
		for _, r := range f.readers {
			r.count = 0
		}
	})
}

func (f *fakeSystem) Establish() (Context, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.downs != nil {
		return nil, f.downs
	}
	f.open++
	return &fakeContext{f: f, epoch: f.epoch}, nil
}

type fakeContext struct {
	f         *fakeSystem
	epoch     int
	cancelled chan struct{}
}

func (c *fakeContext) gone() bool { return c.epoch != c.f.epoch }

func (c *fakeContext) ListReaders() ([]string, error) {
	c.f.mu.Lock()
	if c.gone() {
		c.f.mu.Unlock()
		return nil, &Error{"SCardListReaders", SCARD_E_INVALID_HANDLE}
	}
	var names []string
	for _, r := range c.f.readers {
		names = append(names, r.name)
	}
	after := c.f.afterList
	c.f.afterList = nil
	c.f.mu.Unlock()
	if after != nil {
		after()
	}
	return names, nil
}

func (c *fakeContext) GetStatusChange(states []ReaderState, timeout time.Duration) error {
	const op = "SCardGetStatusChange"
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.calls++
	if len(states) == 0 || len(states) > maxStates {
		return &Error{op, SCARD_E_INVALID_PARAMETER}
	}
	if c.f.broken != nil {
		return c.f.broken
	}
	for _, s := range states {
		if s.Reader != PnPNotification && c.f.find(s.Reader) == nil {
			return &Error{op, SCARD_E_UNKNOWN_READER}
		}
	}
	var expired <-chan time.Time
	if timeout >= 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	before := len(c.f.readers)
	for {
		if c.gone() {
			return &Error{op, SCARD_F_COMM_ERROR}
		}
		if c.observe(states, before) {
			return nil
		}
		c.cancelled = make(chan struct{})
		changed, cancelled := c.f.changed, c.cancelled
		c.f.mu.Unlock()
		var code Code
		select {
		case <-changed:
		case <-cancelled:
			code = SCARD_E_CANCELLED
		case <-expired:
			code = SCARD_E_TIMEOUT
		}
		c.f.mu.Lock()
		c.cancelled = nil
		if code != 0 {
			return &Error{op, code}
		}
	}
}

func (c *fakeContext) observe(states []ReaderState, before int) (done bool) {
	for i := range states {
		s := &states[i]
		s.Event, s.ATR = 0, nil
		changed := c.f.restless
		if s.Reader == PnPNotification {
			changed = changed || len(c.f.readers) != before
			if c.f.pnpCounter {
				s.Event = StateFlags(c.f.plugged) << 16
				changed = changed || s.Current.Counter() != 0 && s.Current.Counter() != c.f.plugged
			}
		} else if r := c.f.find(s.Reader); r == nil {
			s.Event = StateUnknown | StateUnavailable
			changed = true
		} else {
			s.Event, s.ATR = r.state|StateFlags(r.count)<<16, r.atr
			changed = changed || s.Current == StateUnaware ||
				s.Current.Counter() != 0 && s.Current.Counter() != r.count ||
				s.Current.Has(StateEmpty) && r.state.Has(StatePresent) ||
				s.Current.Has(StatePresent) && r.state.Has(StateEmpty) ||
				s.Current.Has(StateMute) != r.state.Has(StateMute) ||
				s.Current.Has(StateInUse) && !r.state.Has(StateInUse)
		}
		if changed {
			s.Event |= StateChanged
			done = true
		}
	}
	return done
}

func (c *fakeContext) Cancel() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if c.cancelled != nil {
		close(c.cancelled)
		c.cancelled = nil
	}
	return nil
}

func (c *fakeContext) Release() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.open--
	if card := c.f.card; card != nil {
		card.note("release")
	}
	return nil
}
