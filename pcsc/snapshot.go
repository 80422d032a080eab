package pcsc

import "bytes"

// Condition is what a reader is in, as the service says. A card is there in
// the last four.
type Condition string

// The conditions.
const (
	// Unavailable: the reader's driver, or the service, is down.
	Unavailable Condition = "unavailable"
	Empty       Condition = "empty"
	Present     Condition = "present"
	// Mute: there is a card, and it does not answer to reset.
	Mute Condition = "mute"
	// InUse: some program is connected to the card, perhaps this one.
	InUse Condition = "in_use"
	// Exclusive: some program has the card for itself.
	Exclusive Condition = "exclusive"
)

// Reader is a reader at one moment.
type Reader struct {
	Name      string
	Condition Condition
	ATR       []byte // of the card; nil if there is none or it is not known
	// Counter counts insertions and removals where the service does; it
	// starts anew with the service and with the reader.
	Counter uint16
}

// HasCard reports whether there is a card in the reader.
func (r Reader) HasCard() bool {
	switch r.Condition {
	case Present, Mute, InUse, Exclusive:
		return true
	default:
		return false
	}
}

// Service is the PC/SC service at one moment.
type Service struct {
	Up bool
	// Err says why it is not up, with its code where there is one.
	Err error
}

func (s Service) equal(o Service) bool {
	if s.Up != o.Up || (s.Err == nil) != (o.Err == nil) {
		return false
	}
	return s.Err == nil || s.Err.Error() == o.Err.Error()
}

// Snapshot is all that a [Watch] knows at one moment. It is not changed after
// it was reported.
type Snapshot struct {
	Service Service
	Readers []Reader // in the service's order
}

// Reader finds a reader by name.
func (s Snapshot) Reader(name string) (Reader, bool) {
	for _, r := range s.Readers {
		if r.Name == name {
			return r, true
		}
	}
	return Reader{}, false
}

// EventType is what happened.
type EventType string

// The events.
const (
	ServiceUp     EventType = "service_up"
	ServiceDown   EventType = "service_down" // also: down for another reason
	ReaderAdded   EventType = "reader_added"
	ReaderRemoved EventType = "reader_removed"
	CardInserted  EventType = "card_inserted"
	CardRemoved   EventType = "card_removed"
	ReaderChanged EventType = "reader_changed" // its condition, with the same card or none
)

// Event is one thing that happened.
type Event struct {
	Type EventType
	// Reader is the reader as it was right after, but for ReaderRemoved, where
	// only its name is meant. A card that came and went before anybody looked
	// has no ATR.
	Reader  Reader
	Service Service // for ServiceUp and ServiceDown
}

// most pairs of insertion and removal that a counter is believed to have seen
// between two looks; a greater difference is a counter that started anew.
const mostPairs = 32

// Diff says what happened between two snapshots, in the order in which it can
// have happened: the service, readers that went, cards, readers that came. An
// event counter that moved on while a card seems to have stayed is that many
// removals and insertions, so the swap of two equal cards is two events.
func Diff(prev, next Snapshot) []Event {
	var events []Event
	if !prev.Service.equal(next.Service) {
		kind := ServiceDown
		if next.Service.Up {
			kind = ServiceUp
		}
		events = append(events, Event{Type: kind, Service: next.Service})
	}
	for _, p := range prev.Readers {
		if _, stays := next.Reader(p.Name); stays {
			continue
		}
		if p.HasCard() {
			events = append(events, removal(Reader{Name: p.Name, Condition: Empty}))
		}
		events = append(events, Event{Type: ReaderRemoved, Reader: Reader{Name: p.Name, Condition: Unavailable}})
	}
	for _, n := range next.Readers {
		if p, was := prev.Reader(n.Name); was {
			events = append(events, diffReader(p, n)...)
		}
	}
	for _, n := range next.Readers {
		if _, was := prev.Reader(n.Name); was {
			continue
		}
		events = append(events, Event{Type: ReaderAdded, Reader: n})
		if n.HasCard() {
			events = append(events, Event{Type: CardInserted, Reader: n})
		}
	}
	return events
}

func diffReader(p, n Reader) []Event {
	moves := counted(p, n)
	var events []Event
	switch had, has := p.HasCard(), n.HasCard(); {
	case had && has:
		pairs := moves / 2
		if moves%2 == 1 || pairs == 0 && swapped(p, n) {
			pairs++
		}
		for i := range pairs {
			events = append(events, removal(n), insertion(n, i == pairs-1))
		}
		if pairs == 0 && p.Condition != n.Condition {
			events = append(events, Event{Type: ReaderChanged, Reader: n})
		}
	case had:
		events = append(events, removal(n))
		for range max(moves-1, 0) / 2 {
			events = append(events, insertion(n, false), removal(n))
		}
		if n.Condition != Empty {
			events = append(events, Event{Type: ReaderChanged, Reader: n})
		}
	case has:
		for range max(moves-1, 0) / 2 {
			events = append(events, insertion(n, false), removal(n))
		}
		events = append(events, insertion(n, true))
	default:
		for range moves / 2 {
			events = append(events, insertion(n, false), removal(n))
		}
		if p.Condition != n.Condition {
			events = append(events, Event{Type: ReaderChanged, Reader: n})
		}
	}
	return events
}

// counted is how many insertions and removals the counter saw, 0 where it
// cannot be compared.
func counted(p, n Reader) int {
	if p.Condition == Unavailable || n.Condition == Unavailable {
		return 0
	}
	moves := int(n.Counter - p.Counter) // modulo 2^16, as it counts
	if moves <= 2*mostPairs {
		return moves
	}
	if p.HasCard() == n.HasCard() {
		return 2 // it started anew: at least a replug
	}
	return 1
}

// swapped is for services without a counter: two ATRs are two cards.
func swapped(p, n Reader) bool {
	return len(p.ATR) > 0 && len(n.ATR) > 0 && !bytes.Equal(p.ATR, n.ATR)
}

// insertion is of the card that n shows, or of one that has gone since.
func insertion(n Reader, last bool) Event {
	if !last {
		n = Reader{Name: n.Name, Condition: Present, Counter: n.Counter}
	}
	return Event{Type: CardInserted, Reader: n}
}

func removal(n Reader) Event {
	return Event{Type: CardRemoved, Reader: Reader{Name: n.Name, Condition: Empty, Counter: n.Counter}}
}

// condition reads the flags of an event state.
func condition(f StateFlags) Condition {
	switch {
	case f&(StateUnavailable|StateUnknown) != 0:
		return Unavailable
	case !f.Has(StatePresent):
		return Empty
	case f.Has(StateMute):
		return Mute
	case f.Has(StateExclusive):
		return Exclusive
	case f.Has(StateInUse):
		return InUse
	default:
		return Present
	}
}

// readerOf makes a Reader of what SCardGetStatusChange filled in.
func readerOf(s ReaderState) Reader {
	r := Reader{Name: s.Reader, Condition: condition(s.Event), Counter: s.Event.Counter()}
	if r.HasCard() && len(s.ATR) > 0 {
		r.ATR = bytes.Clone(s.ATR)
	}
	return r
}
