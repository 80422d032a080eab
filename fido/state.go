package fido

import (
	"context"
	"errors"
	"time"
)

// Condition is what can be done with a key now.
type Condition string

// The conditions of a key.
const (
	Present    Condition = "present"    // there, not read yet
	Ready      Condition = "ready"      // read; Info and Retries are known
	Mute       Condition = "mute"       // it does not answer
	InUse      Condition = "in_use"     // another program has it
	Unreadable Condition = "unreadable" // it answers, but not as CTAP says
	Forbidden  Condition = "forbidden"  // this process may not open it
)

// KeyState is what is known of a plugged key. It is immutable once reported.
type KeyState struct {
	Node      Node
	Condition Condition
	// Err is why it is neither Present nor Ready. It matches ErrMute,
	// ErrInUse, ErrForbidden, ErrMalformed or ErrGone, or is a *StatusError or
	// an error of the system; the system's number is kept.
	Err error
	// Info and Retries are those of the last read that succeeded, at ReadAt;
	// nil before.
	Info    *Info
	Retries *Retries
	Hello   Hello
	// PluggedAt is when the bus told of it; TriedAt is the end of the last
	// read, whether it succeeded or not.
	PluggedAt, ReadAt, TriedAt time.Time
	// Answered is the number of the last wish for a read ([Monitor.Ask]) that
	// the last read began after.
	Answered uint64
}

// conditionOf says in which condition a key is after a read.
func conditionOf(err error) Condition {
	switch {
	case err == nil:
		return Ready
	case errors.Is(err, ErrForbidden):
		return Forbidden
	case errors.Is(err, ErrInUse):
		return InUse
	case errors.Is(err, ErrMute), errors.Is(err, context.DeadlineExceeded):
		return Mute
	}
	return Unreadable
}

// EventKind is what happened to a key.
type EventKind string

// What happens to keys.
const (
	Plugged   EventKind = "plugged"
	Unplugged EventKind = "unplugged"
	Read      EventKind = "read" // or tried to; the condition tells
)

// Event is one thing that happened to a key, with its state after it.
type Event struct {
	Kind EventKind
	At   time.Time
	Key  KeyState
}

// Report is all that is known of the keys of a bus, and what happened since
// the report before.
type Report struct {
	// Settled is false until the first listing is over, and while Err is set.
	Settled bool
	// Keys are in the order in which they were plugged.
	Keys []KeyState
	// Events are in the order in which they happened.
	Events []Event
	// Err is why the bus cannot be watched now; it is tried again.
	Err error
}

// again says whether, and when, a key is read again by itself after a read
// that failed for the n-th time (n from 1): while another program has it, it
// is waited for; a key that gave no sensible answer is given few more chances,
// as one that is just starting up needs them. A key that was read is never
// read again by itself.
func again(err error, n int) (time.Duration, bool) {
	switch {
	case errors.Is(err, ErrInUse):
		const first, most, tries = 250 * time.Millisecond, 10 * time.Second, 36 // about 5 minutes
		return min(first<<min(n-1, 10), most), n <= tries
	case errors.Is(err, ErrForbidden): // until its mode changes
		return 0, false
	default:
		return time.Second << (2 * min(n-1, 10)), n <= 3
	}
}
