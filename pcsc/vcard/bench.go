package vcard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"authbridge/pcsc"
)

// Bench is a PC/SC service with virtual readers, in process. It behaves as
// pcsc-lite does, traps included: calls on a context whose card hangs hang
// too, a card pulled in mid-APDU answers with nothing and no error, a client
// that leaves without disconnecting resets the card, 17 reader states are
// refused. What it leaves out: it does not power down unused cards.
//
// Its methods are the physical verbs and are safe to call from any goroutine.
// Each has taken effect when it returns.
type Bench struct {
	mu      sync.Mutex // guards everything below, and all readers and handles
	running bool
	epoch   int // grows each time the service stops
	plugged uint16
	readers []*reader // in the order they were added, unplugged ones too
	changed chan struct{}
	events  chan struct{}
}

// reader is a virtual reader. The bench's mutex guards it.
type reader struct {
	name      string
	unplugged bool
	plugs     int // tells handles of an earlier life
	card      *Card
	inserted  int // counts insertions and never restarts
	counter   uint16
	atr       []byte
	powered   bool
	protocol  pcsc.Protocol // negotiated since power-on
	resets    int
	handles   int
	exclusive bool
	owner     *handle // of the transaction
	depth     int
	busy      bool // an exchange is under way
	pull      int  // the card is pulled during this many-th APDU; 0 never
	io        context.Context
	cut       context.CancelFunc // ends what the card is doing
}

// What a verb can be refused for.
var (
	ErrNoReader     = errors.New("there is no such reader")
	ErrReaderExists = errors.New("there is a reader of that name")
	ErrOccupied     = errors.New("there is a card in the reader")
	ErrEmpty        = errors.New("there is no card in the reader")
	ErrElsewhere    = errors.New("the card is in another reader")
)

// NewBench makes a running service without readers.
func NewBench() *Bench {
	return &Bench{running: true, changed: make(chan struct{}), events: make(chan struct{})}
}

// ReaderStatus is one reader as a person at the bench sees it.
type ReaderStatus struct {
	Name    string
	Plugged bool
	Card    *Card // nil if empty
	InUse   bool
}

// Readers lists all readers, unplugged ones too.
func (b *Bench) Readers() []ReaderStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]ReaderStatus, len(b.readers))
	for i, r := range b.readers {
		list[i] = ReaderStatus{Name: r.name, Plugged: !r.unplugged, Card: r.card, InUse: r.handles > 0}
	}
	return list
}

// AddReader plugs in a new reader.
func (b *Bench) AddReader(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name == "" || name == pcsc.PnPNotification || slices.ContainsFunc(b.readers, func(r *reader) bool { return r.name == name }) {
		return refused("add reader", name, ErrReaderExists)
	}
	b.readers = append(b.readers, &reader{name: name})
	b.plugged++
	b.announce()
	return nil
}

// RemoveReader takes a reader away for good, its card out first.
func (b *Bench) RemoveReader(name string) error {
	return b.on("remove reader", name, func(r *reader) error {
		b.release(r)
		b.unplug(r)
		b.readers = slices.DeleteFunc(b.readers, func(other *reader) bool { return other == r })
		return nil
	})
}

// Unplug pulls a reader's cable, with the card left in it.
func (b *Bench) Unplug(name string) error {
	return b.on("unplug", name, func(r *reader) error {
		b.unplug(r)
		return nil
	})
}

// Plug plugs an unplugged reader in again.
func (b *Bench) Plug(name string) error {
	return b.on("plug", name, func(r *reader) error {
		if r.unplugged {
			r.unplugged, r.counter = false, 0
			b.plugged++
			b.powerOn(r)
		}
		return nil
	})
}

// Insert puts a card into a reader. A card is in one place at a time.
func (b *Bench) Insert(name string, card *Card) error {
	return b.on("insert", name, func(r *reader) error {
		if r.card != nil {
			return ErrOccupied
		}
		return b.insert(r, card)
	})
}

// Remove pulls the card out of a reader, whatever it is doing.
func (b *Bench) Remove(name string) error {
	return b.on("remove", name, func(r *reader) error {
		if r.card == nil {
			return ErrEmpty
		}
		b.release(r)
		return nil
	})
}

// Swap pulls a card and puts another (or the same) in, faster than any program
// can look in between.
func (b *Bench) Swap(name string, card *Card) error {
	return b.on("swap", name, func(r *reader) error {
		if r.card == nil {
			return ErrEmpty
		}
		b.release(r)
		return b.insert(r, card)
	})
}

// PullDuring arranges for the card to be pulled during the n-th APDU from now:
// the card gets it, nobody gets its answer.
func (b *Bench) PullDuring(name string, n int) error {
	return b.on("pull", name, func(r *reader) error {
		if r.card == nil {
			return ErrEmpty
		}
		r.pull = n
		return nil
	})
}

// Reset resets the card as another program would: every handle is told.
func (b *Bench) Reset(name string) error {
	return b.on("reset", name, func(r *reader) error { return b.restart(r, true) })
}

// PowerCycle takes the card's power away and gives it back.
func (b *Bench) PowerCycle(name string) error {
	return b.on("power-cycle", name, func(r *reader) error { return b.restart(r, false) })
}

// StopService ends the service as a crash would: every call fails, blocked
// ones at once, and cards lose power.
func (b *Bench) StopService() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running {
		return
	}
	b.running = false
	b.epoch++
	for _, r := range b.readers {
		b.powerOff(r)
		r.handles, r.exclusive, r.owner, r.depth = 0, false, nil, 0
	}
	b.announce()
}

// StartService starts a stopped service; its counters begin at 0.
func (b *Bench) StartService() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running {
		return
	}
	b.running = true
	b.plugged = 0
	for _, r := range b.readers {
		r.counter = 0
		if !r.unplugged {
			b.powerOn(r)
		}
	}
	b.announce()
}

// Close stops the service and takes all cards out. Blocked calls end.
func (b *Bench) Close() error {
	b.StopService()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.readers {
		if r.card != nil {
			b.release(r)
		}
	}
	b.readers = nil
	return nil
}

func refused(verb, reader string, why error) error {
	return fmt.Errorf("%s %q: %w", verb, reader, why)
}

// on runs a verb on a reader and lets everybody know.
func (b *Bench) on(verb, name string, do func(*reader) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.readers, func(r *reader) bool { return r.name == name })
	if i < 0 {
		return refused(verb, name, ErrNoReader)
	}
	if err := do(b.readers[i]); err != nil {
		return refused(verb, name, err)
	}
	b.announce()
	return nil
}

// find is the reader that programs see by that name.
func (b *Bench) find(name string) *reader {
	for _, r := range b.readers {
		if r.name == name && !r.unplugged {
			return r
		}
	}
	return nil
}

// announce wakes everybody, those who wait for an event too.
func (b *Bench) announce() {
	close(b.events)
	b.events = make(chan struct{})
	b.wake()
}

// wake wakes who waits for a reader to be free, but not who waits for an
// event: pcscd does not signal a change of sharing.
func (b *Bench) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}
