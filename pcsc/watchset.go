package pcsc

import (
	"slices"
	"time"
)

// policy is how a system wants to be watched.
type policy struct {
	// pnp: the pseudo reader [PnPNotification] tells of readers.
	pnp bool
	// poll is how often to list the readers where nothing tells of them.
	poll time.Duration
}

// maxStates is how many reader states a call may have in pcsc-lite before 2.x
// (PCSCLITE_MAX_READERS_CONTEXTS), which also is how many readers that has: with
// so many there is no need, and no room, to be told of one more.
const maxStates = 16

// policyFor is what differs by operating system.
func policyFor(goos string) policy {
	if goos == "darwin" {
		return policy{poll: time.Second}
	}
	return policy{pnp: true}
}

// watchSet is what one context watches: the states to pass to the next
// SCardGetStatusChange, fed back from the last.
type watchSet struct {
	policy policy
	names  []string
	states []ReaderState // of names, in their order; then the PnP entry if there is one
	last   map[string]Reader
	// plugged is the PnP entry's counter, 0 where the service has none.
	plugged uint16
}

// list takes the service's list of readers.
func (w *watchSet) list(names []string) {
	known := make(map[string]StateFlags, len(w.names))
	for i, name := range w.names {
		known[name] = w.states[i].Current
	}
	last := make(map[string]Reader, len(names))
	w.states = w.states[:0:0]
	for _, name := range names {
		w.states = append(w.states, ReaderState{Reader: name, Current: known[name]})
		if r, seen := w.last[name]; seen {
			last[name] = r
		}
	}
	if w.policy.pnp && len(names) < maxStates {
		w.states = append(w.states, ReaderState{Reader: PnPNotification, Current: StateFlags(w.plugged) << 16})
	}
	w.names, w.last = slices.Clone(names), last
}

// told reports whether the service will tell of readers that come.
func (w *watchSet) told() bool { return len(w.states) > len(w.names) }

// settled reports whether every reader's state is known.
func (w *watchSet) settled() bool { return len(w.last) == len(w.names) }

// take takes what a call that succeeded filled in, and reports whether the
// readers must be listed anew.
func (w *watchSet) take() (relist bool) {
	for i := range w.states {
		s := &w.states[i]
		flags := s.Event &^ StateChanged
		if i >= len(w.names) {
			relist = relist || s.Event.Has(StateChanged) || flags.Counter() != w.plugged
			w.plugged = flags.Counter()
			s.Current = StateFlags(w.plugged) << 16
			continue
		}
		if s.Event.Has(StateUnknown) {
			// It went. Should it be back already, it is another.
			delete(w.last, s.Reader)
			s.Current = StateUnaware
			relist = true
			continue
		}
		s.Current = flags
		w.last[s.Reader] = readerOf(*s)
	}
	return relist
}

// readers is what is known, in the service's order.
func (w *watchSet) readers() []Reader {
	readers := make([]Reader, 0, len(w.names))
	for _, name := range w.names {
		if r, seen := w.last[name]; seen {
			readers = append(readers, r)
		}
	}
	return readers
}
