package pcsc

import (
	"context"
	"errors"
	"time"
)

// lookAgain is how long WaitFree trusts the service to tell it. pcsc-lite tells
// of a card that is given back when it next polls the reader, which with a
// reader that interrupts may be never.
const lookAgain = time.Second

// Look reads a reader's state now, on a context of its own, without connecting
// to the card. Its Condition is fresh, where that of a [Watch] is as of the
// last event: that a program connects to a card is no event.
func Look(sys System, reader string) (Reader, error) {
	pc, err := sys.Establish()
	if err != nil {
		return Reader{}, err
	}
	defer func() { _ = pc.Release() }()
	states := []ReaderState{{Reader: reader}}
	if err := pc.GetStatusChange(states, 0); err != nil {
		return Reader{}, err
	}
	return readerOf(states[0]), nil
}

// WaitFree waits until no program is connected to the card in a reader, and
// returns the reader as it is then: Present, or, when the card or the reader
// went in the meantime, Empty, Mute or Unavailable. It sends nothing to the card, watches on
// a context of its own, and looks by itself once a second at most; where the
// service tells (pcsc-lite with polled readers, Windows) it is told earlier.
// A program may take the card at any moment after; connecting then fails with
// SCARD_E_SHARING_VIOLATION or, if the program shares, succeeds.
func WaitFree(ctx context.Context, sys System, reader string) (Reader, error) {
	pc, err := sys.Establish()
	if err != nil {
		return Reader{}, err
	}
	defer func() { _ = pc.Release() }()
	states := []ReaderState{{Reader: reader}}
	for {
		began := time.Now()
		err := cancellable(ctx, pc, nil, func() error { return pc.GetStatusChange(states, lookAgain) })
		switch {
		case ctx.Err() != nil:
			return Reader{}, ctx.Err()
		case err == nil:
			r := readerOf(states[0])
			if r.Condition != InUse && r.Condition != Exclusive {
				return r, nil
			}
			looked := states[0].Current == StateUnaware
			states[0].Current = states[0].Event &^ StateChanged
			if !looked && time.Since(began) < restless {
				pause(ctx, restless) // still in use, for another reason each time
			}
		case errors.Is(err, SCARD_E_TIMEOUT):
			states[0].Current = StateUnaware
		default:
			return Reader{}, err
		}
	}
}
