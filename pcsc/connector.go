package pcsc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Defaults of ConnectorOptions.
const (
	DefaultDeadline = 10 * time.Second
	DefaultMaxStuck = 16
)

// ErrHung is what errors.Is finds in a [HungError].
var ErrHung = errors.New("the card has stopped answering")

// ErrClosed is what a connection or connector says once it was closed, or once
// a call on it was cut short by its context.
var ErrClosed = errors.New("pcsc: the connection is closed")

// ErrTooManyHung is why no connection is opened while as many as the limit
// allows have been given up and have not come back.
var ErrTooManyHung = errors.New("pcsc: too many cards have stopped answering")

// HungError is a card or reader that did not answer within the deadline. Its
// reader is hung until the call returns, which it does when the card goes.
type HungError struct {
	Reader string
	Op     string // the PC/SC function that has not returned
	After  time.Duration
}

func (e *HungError) Error() string {
	return fmt.Sprintf("%s: %v: no answer from %q within %v", e.Op, ErrHung, e.Reader, e.After)
}

// Is makes it [ErrHung].
func (e *HungError) Is(target error) bool { return target == ErrHung }

// OfService reports whether it was the service that did not answer: nothing
// has reached the reader or the card.
func (e *HungError) OfService() bool { return e.Op == opEstablish || e.Op == opStatusChange }

// ShortAnswerError is an answer without a status word: the card was pulled in
// mid-command, or is broken. To the system that is a success.
type ShortAnswerError struct {
	Reader string
	Octets int
}

func (e *ShortAnswerError) Error() string {
	return fmt.Sprintf("SCardTransmit: the card in %q answered %d octets, and a status word is 2", e.Reader, e.Octets)
}

// ConnectorOptions may be zero.
type ConnectorOptions struct {
	// Deadline is for each PC/SC call to a card.
	Deadline time.Duration
	// MaxStuck bounds the calls that were given up and have not returned: each
	// holds a thread and a connection to the service.
	MaxStuck int
	// Sysfs is where Linux's /sys is; tests put their own there.
	Sysfs string
}

// Connector opens connections to the cards of one system, and knows which of
// them hung (docs/adr/0001-hung-cards.md). It may be used by many goroutines.
type Connector struct {
	system System
	opts   ConnectorOptions

	mu     sync.Mutex
	closed bool
	conns  map[*Conn]struct{} // whose worker is neither done nor given up
	stuck  map[*Conn]error    // whose worker was given up and has not returned
	back   chan struct{}      // closed and replaced when one of them returns
	quiet  chan struct{}      // closed when conns is empty after Close
}

// NewConnector makes a Connector for the cards of sys.
func NewConnector(sys System, opts ConnectorOptions) *Connector {
	if opts.Deadline <= 0 {
		opts.Deadline = DefaultDeadline
	}
	if opts.MaxStuck <= 0 {
		opts.MaxStuck = DefaultMaxStuck
	}
	if opts.Sysfs == "" {
		opts.Sysfs = "/sys"
	}
	return &Connector{
		system: sys, opts: opts,
		conns: make(map[*Conn]struct{}), stuck: make(map[*Conn]error),
		back: make(chan struct{}), quiet: make(chan struct{}),
	}
}

// Open connects to the card in a reader, shared, T=0 or T=1, without resetting
// it. It fails with SCARD_E_SHARING_VIOLATION where another program has the
// card for itself, with SCARD_E_NO_SMARTCARD, SCARD_W_UNRESPONSIVE_CARD and the
// like, and with a [HungError] at once where a card hangs already. The caller
// closes the Conn.
func (c *Connector) Open(ctx context.Context, reader string) (*Conn, error) {
	return c.open(ctx, reader, ShareShared, ProtocolAny)
}

func (c *Connector) open(ctx context.Context, reader string, share ShareMode, protocols Protocol) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn := newConn(c, reader)
	if err := c.admit(conn); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go conn.work(share, protocols, ready)
	select {
	case err := <-ready:
		if err != nil {
			return nil, err
		}
		return conn, nil
	case <-conn.gaveUp:
		return nil, conn.hung
	case <-ctx.Done():
		conn.shut()
		return nil, ctx.Err()
	}
}

// Hung names the readers with a call that was given up and has not returned.
func (c *Connector) Hung() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var readers []string
	for conn, err := range c.stuck {
		if errors.Is(err, ErrHung) && !slices.Contains(readers, conn.reader) {
			readers = append(readers, conn.reader)
		}
	}
	slices.Sort(readers)
	return readers
}

// Returned waits until every call for a reader that was given up has returned,
// as it does when the card goes or the service answers again.
func (c *Connector) Returned(ctx context.Context, reader string) error {
	for {
		c.mu.Lock()
		out, back := false, c.back
		for conn := range c.stuck {
			out = out || conn.reader == reader
		}
		c.mu.Unlock()
		if !out {
			return nil
		}
		select {
		case <-back:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close closes all connections and waits until each has let go of its card, or
// missed its deadline. It is idempotent.
func (c *Connector) Close() error {
	c.mu.Lock()
	c.closed = true
	for conn := range c.conns {
		conn.shut()
	}
	c.checkQuiet()
	c.mu.Unlock()
	<-c.quiet
	return nil
}

// admit lets a connection begin.
func (c *Connector) admit(conn *Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	for stuck, err := range c.stuck {
		if stuck.reader == conn.reader {
			return err
		}
	}
	if len(c.stuck) >= c.opts.MaxStuck {
		return ErrTooManyHung
	}
	c.conns[conn] = struct{}{}
	return nil
}

// gaveUp is told that conn's worker missed its deadline.
func (c *Connector) gaveUp(conn *Conn, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
	c.stuck[conn] = err
	c.checkQuiet()
}

// left is told that conn's worker has let go of its card, late or not.
func (c *Connector) left(conn *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
	if _, stuck := c.stuck[conn]; stuck {
		delete(c.stuck, conn)
		close(c.back)
		c.back = make(chan struct{})
	}
	c.checkQuiet()
}

func (c *Connector) checkQuiet() {
	if !c.closed || len(c.conns) > 0 {
		return
	}
	select {
	case <-c.quiet:
	default:
		close(c.quiet)
	}
}
