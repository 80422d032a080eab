package inventory

import (
	"slices"
	"sync"

	"authbridge/agent/contract"
)

// Tell puts events of other parts of the daemon into the journal, in the order
// of the calls, and returns at once. What is told before Run comes with it, what
// is told after it is dropped. The events must not be changed afterwards.
//
// An event with an Owner is seen whole by its owner alone, see [Viewer].
func (i *Inventory) Tell(events ...contract.Event) {
	if len(events) > 0 {
		i.mail.post(letter{events: slices.Clone(events)})
	}
}

// ShowLeases makes leases those that the snapshot shows, together with the
// events that tell of the change, so that no snapshot shows a lease of which
// the events up to its id do not tell. While the inventory runs, it returns
// once that is seen; it waits for no device and no disk. For before, after and
// the order with other calls see [Inventory.Tell].
func (i *Inventory) ShowLeases(leases []contract.Lease, events ...contract.Event) {
	read := i.mail.post(letter{events: slices.Clone(events), leases: notNil(slices.Clone(leases)), shows: true})
	if i.running.Load() {
		<-read
	}
}

// letter is what other parts of the daemon tell the owner at once.
type letter struct {
	events []contract.Event
	leases []contract.Lease
	shows  bool          // leases replace those that are shown
	read   chan struct{} // closed by the owner
}

// mailbox holds the letters that the owner has not read.
type mailbox struct {
	mu      sync.Mutex
	letters []letter
	closed  bool
	wake    chan struct{} // holds a token while there are letters
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// post never blocks. What it returns is closed once the letter is read, or
// dropped.
func (m *mailbox) post(l letter) (read <-chan struct{}) {
	l.read = make(chan struct{})
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		close(l.read)
		return l.read
	}
	m.letters = append(m.letters, l)
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return l.read
}

func (m *mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	letters := m.letters
	m.letters = nil
	return letters
}

// close takes the last letters: later ones are dropped.
func (m *mailbox) close() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	letters := m.letters
	m.letters = nil
	return letters
}
