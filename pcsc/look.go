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

// Look is [Connector.Look] for who has no Connector.
func Look(sys System, reader string) (Reader, error) {
	return NewConnector(sys, ConnectorOptions{}).Look(context.Background(), reader)
}

// WaitFree is [Connector.WaitFree] for who has no Connector.
func WaitFree(ctx context.Context, sys System, reader string) (Reader, error) {
	return NewConnector(sys, ConnectorOptions{}).WaitFree(ctx, reader)
}

// Look reads a reader's state now, without connecting to the card. Its
// Condition is fresh, where that of a [Watch] is as of the last event: that a
// program connects to a card is no event.
func (c *Connector) Look(ctx context.Context, reader string) (Reader, error) {
	return c.stand(ctx, reader, func(pc Context, states []ReaderState) (bool, error) {
		return true, pc.GetStatusChange(states, 0)
	})
}

// WaitFree waits until no program is connected to the card in a reader, and
// returns the reader as it is then: Present, or, when the card or the reader
// went in the meantime, Empty, Mute or Unavailable. It sends nothing to the
// card, watches on a context of its own, and looks by itself once a second at
// most; where the service tells (pcsc-lite with polled readers, Windows) it is
// told earlier. A program may take the card at any moment after; connecting
// then fails with SCARD_E_SHARING_VIOLATION or, if the program shares,
// succeeds.
func (c *Connector) WaitFree(ctx context.Context, reader string) (Reader, error) {
	again := min(lookAgain, c.opts.Deadline/2)
	return c.stand(ctx, reader, func(pc Context, states []ReaderState) (bool, error) {
		looked := states[0].Current == StateUnaware
		began := time.Now()
		err := cancellable(ctx, pc, nil, func() error { return pc.GetStatusChange(states, again) })
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case errors.Is(err, SCARD_E_TIMEOUT):
			states[0].Current = StateUnaware
			return false, nil
		case err != nil:
			return false, err
		}
		if r := readerOf(states[0]); r.Condition != InUse && r.Condition != Exclusive {
			return true, nil
		}
		states[0].Current = states[0].Event &^ StateChanged
		if !looked && time.Since(began) < restless {
			pause(ctx, restless) // still in use, for another reason each time
		}
		return false, nil
	})
}

// stand watches one reader on a context of its own, with the deadline for each
// round of look, until that says that it is done.
func (c *Connector) stand(ctx context.Context, reader string, look func(Context, []ReaderState) (bool, error)) (Reader, error) {
	if err := ctx.Err(); err != nil {
		return Reader{}, err
	}
	conn := newConn(c, reader) // for its worker's deadline and place in the limit
	if err := c.admit(conn); err != nil {
		return Reader{}, err
	}
	type seen struct {
		r   Reader
		err error
	}
	result := make(chan seen, 1)
	go func() {
		w := &worker{c: conn}
		var s seen
		states := []ReaderState{{Reader: reader}}
		w.timed(opEstablish, func() { w.pc, s.err = c.system.Establish() })
		for done := false; s.err == nil && !done && !w.late; {
			select {
			case <-conn.closing: // by Connector.Close, or because ctx ended
				s.err = ErrClosed
				continue
			default:
			}
			w.timed(opStatusChange, func() { done, s.err = look(w.pc, states) })
		}
		s.r = readerOf(states[0])
		w.letGo()
		c.left(conn)
		close(conn.ended)
		result <- s
	}()
	select {
	case s := <-result:
		if s.err != nil {
			return Reader{}, s.err
		}
		return s.r, nil
	case <-conn.gaveUp:
		return Reader{}, conn.hung
	case <-ctx.Done():
		conn.shut()
		return Reader{}, ctx.Err()
	}
}
