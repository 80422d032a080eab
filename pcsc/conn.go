package pcsc

import (
	"bytes"
	"context"
	"errors"
	"sync"
)

// Conn is a connection to a card, made by [Connector.Open]. A goroutine of its
// own owns its PC/SC context and handle, and nobody else ever touches them: one
// call on a context whose card hangs would freeze all PC/SC of the process.
//
// Each call has the Connector's deadline. One that misses it is given up: its
// caller gets a [HungError], the Conn is dead, and once the call does return,
// its goroutine undoes what it did. A call cut short by its context closes the
// Conn, because nobody can know what the card has made of it.
type Conn struct {
	home   *Connector
	reader string
	calls  chan call
	turn   chan struct{} // held by who may send commands

	shutOnce sync.Once
	closing  chan struct{} // closed when the worker has to let go
	reset    bool          // the card is not to be left as it is; set before closing is closed
	ended    chan struct{} // closed when it has
	resetErr error         // why the card was not reset; set before ended is closed
	gaveUp   chan struct{} // closed when it missed a deadline
	hung     error         // why; set before gaveUp is closed

	protocol Protocol // set before Open returns
}

// call is a piece of work for the worker.
type call struct {
	op    string
	do    func(Handle) ([]byte, error)
	reply chan reply // has room for the one reply
}

type reply struct {
	answer []byte
	err    error
}

func newConn(home *Connector, reader string) *Conn {
	return &Conn{
		home: home, reader: reader,
		calls: make(chan call), turn: make(chan struct{}, 1),
		closing: make(chan struct{}), ended: make(chan struct{}), gaveUp: make(chan struct{}),
	}
}

// Reader is the name of the reader.
func (c *Conn) Reader() string { return c.reader }

// Protocol is the one that the card and reader settled on.
func (c *Conn) Protocol() Protocol { return c.protocol }

// Transmit sends one command APDU outside a transaction, where other programs
// may come in between it and the next. The command is copied, and the copy
// wiped.
func (c *Conn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	defer c.give()
	return c.transmit(ctx, command)
}

// Transaction runs f while no other program can use the card. It waits for
// other programs' transactions to end, but for no longer than the deadline:
// then the error is SCARD_E_SHARING_VIOLATION. The card is left as it is
// afterwards, never reset. f must not wait for a person.
func (c *Conn) Transaction(ctx context.Context, f func(*Tx) error) (err error) {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.give()
	if _, _, err := c.do(ctx, opBegin, func(h Handle) ([]byte, error) { return nil, h.BeginTransaction() }); err != nil {
		return err
	}
	tx := &Tx{c: c}
	defer func() {
		tx.over = true
		// The end is due also when ctx is over. Where the Conn is closing, the
		// worker sees to it.
		_, _, end := c.do(context.WithoutCancel(ctx), opEnd, func(h Handle) ([]byte, error) { return nil, h.EndTransaction(LeaveCard) })
		if err == nil && !errors.Is(end, ErrClosed) {
			err = end
		}
	}()
	return f(tx)
}

// Tx is a transaction. It is for the function that got it, until that returns,
// and for one goroutine.
type Tx struct {
	c    *Conn
	over bool
}

// Transmit sends one command APDU. The command is copied, and the copy wiped.
func (t *Tx) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if t.over {
		return nil, ErrClosed
	}
	return t.c.transmit(ctx, command)
}

// Close lets go of the card, leaving it as it is, and waits until that is done
// or a deadline is missed, which is a [HungError]. It is idempotent.
func (c *Conn) Close() error {
	c.shut()
	select {
	case <-c.ended:
	case <-c.gaveUp:
	}
	select {
	case <-c.gaveUp:
		return c.hung
	default:
		return nil
	}
}

// CloseReset lets go of the card by resetting it, and waits as [Conn.Close] does.
// Every program that is connected to the card loses what it had achieved there,
// and is told so by SCARD_W_RESET_CARD. It is the one exception from leaving a
// card as it is: for a PIN that we verified in a lease and that nothing else
// closes (DESIGN rule 3). It fails with [ErrClosed] where the Conn was closed
// before, and the card was not reset.
func (c *Conn) CloseReset() error {
	first := false
	c.shutOnce.Do(func() {
		first, c.reset = true, true
		close(c.closing)
	})
	if err := c.Close(); err != nil {
		return err
	}
	if !first {
		return ErrClosed
	}
	return c.resetErr
}

func (c *Conn) shut() { c.shutOnce.Do(func() { close(c.closing) }) }

func (c *Conn) take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.gaveUp:
		return c.hung
	case <-c.closing:
		return ErrClosed
	}
}

func (c *Conn) give() { <-c.turn }

func (c *Conn) transmit(ctx context.Context, command []byte) ([]byte, error) {
	// The caller may wipe or reuse its own as soon as we return.
	own := bytes.Clone(command)
	answer, begun, err := c.do(ctx, opTransmit, func(h Handle) ([]byte, error) {
		defer clear(own)
		return h.Transmit(own)
	})
	if !begun {
		clear(own)
	}
	if err == nil && len(answer) < 2 {
		return nil, &ShortAnswerError{Reader: c.reader, Octets: len(answer)}
	}
	return answer, err
}

// do has the worker make a call, and says whether it took it.
func (c *Conn) do(ctx context.Context, op string, f func(Handle) ([]byte, error)) (answer []byte, begun bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	work := call{op: op, do: f, reply: make(chan reply, 1)}
	select {
	case c.calls <- work:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	case <-c.gaveUp:
		return nil, false, c.hung
	case <-c.closing:
		return nil, false, ErrClosed
	}
	select {
	case r := <-work.reply:
		return r.answer, true, r.err
	case <-c.gaveUp:
		return nil, true, c.hung
	case <-ctx.Done():
		c.shut()
		return nil, true, ctx.Err()
	}
}
