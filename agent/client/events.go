package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"authbridge/agent/contract"
)

const (
	// silence is how long a stream may say nothing; the daemon's heartbeat
	// comes every 15 s.
	silence = 45 * time.Second
	// retryFirst and retryMost are the pauses before a stream is taken up
	// again.
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
)

// Event is what the stream tells, or what becomes of it: one of these.
type Event struct {
	// ID to go on behind, later.
	ID string
	// Snapshot makes void all that was told before.
	Snapshot *contract.Snapshot
	// Truncated: events were missed; a snapshot follows.
	Truncated bool
	// Event is one entry of the journal.
	Event *contract.Event
	// Lost is why the stream broke off, told once; it is tried for again until
	// Back is told. What happened in between is told after that.
	Lost error
	Back bool
}

// Events tells what happens, until ctx ends or tell returns an error. From an
// empty after it begins with a snapshot, else behind that event. A stream that
// breaks off, also because the daemon restarts, is taken up where it was, so
// nothing is missed or told twice; that it is away and back is told too. It
// fails at once if no daemon is reachable at first, and when the daemon
// refuses.
func (c *Client) Events(ctx context.Context, after string, tell func(Event) error) error {
	f := &following{after: after, tell: tell}
	wait := retryFirst
	for {
		f.heard = false
		err := c.stream(ctx, f)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if end := f.final(err); end != nil {
			return end
		}
		if end := f.lost(err); end != nil {
			return end
		}
		if f.heard {
			wait = retryFirst
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		if !f.heard {
			wait = min(2*wait, retryMost)
		}
	}
}

// returnTime is how long who waits for something to end is patient with a daemon
// that is gone: one that is restarted is back before.
const returnTime = 15 * time.Second

// await is Events for who waits for something to end. It also fails once the
// daemon has been gone for a while.
func (c *Client) await(ctx context.Context, tell func(Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	away := time.AfterFunc(returnTime, func() { cancel(c.notReachable(ctx, errEnded)) })
	defer away.Stop()
	away.Stop() // nobody is
	err := c.Events(ctx, "", func(e Event) error {
		switch {
		case e.Lost != nil:
			away.Reset(returnTime)
		case e.Back:
			away.Stop()
		}
		return tell(e)
	})
	if errors.Is(err, context.Canceled) {
		return context.Cause(ctx)
	}
	return err
}

// following is one call of Events, over all its connections.
type following struct {
	after  string
	tell   func(Event) error
	heard  bool // something, on this connection
	begun  bool // something, ever
	linked bool // there is a connection, as far as was told
	again  bool // it was lost before, and each connection takes it up
}

// final is the error that ends it all, if this one does.
func (f *following) final(err error) error {
	var problem *contract.Problem
	var usage *UsageError
	var foreign *ForeignError
	var end *tellError
	switch {
	case errors.As(err, &end):
		return end.err
	case errors.As(err, &problem) && problem.Status < 500 && (!f.begun || problem.Status != http.StatusTooManyRequests), errors.As(err, &usage):
		return err
	case !f.begun && (errors.Is(err, ErrNotReachable) || errors.As(err, &foreign)):
		return err
	}
	return nil
}

// opened tells that a lost stream is taken up.
func (f *following) opened() error {
	f.linked = true
	if !f.again {
		return nil
	}
	if err := f.tell(Event{Back: true}); err != nil {
		return &tellError{err}
	}
	return nil
}

// lost tells once that the stream broke off.
func (f *following) lost(why error) error {
	if !f.linked {
		return nil
	}
	f.linked, f.again = false, true
	if errors.Is(why, io.EOF) || errors.Is(why, io.ErrUnexpectedEOF) {
		why = errEnded
	}
	return f.tell(Event{Lost: why})
}

var errEnded = errors.New("the daemon ended the stream")

func (f *following) pass(e Event) error {
	if e.ID != "" {
		f.after = e.ID
	}
	f.heard, f.begun = true, true
	if err := f.tell(e); err != nil {
		return &tellError{err}
	}
	return nil
}

// tellError is an error of the one who is told.
type tellError struct{ err error }

func (e *tellError) Error() string { return e.err.Error() }

// stream reads one connection to its end.
func (c *Client) stream(ctx context.Context, f *following) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing was heard for %s", silence)) })
	defer watchdog.Stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if f.after != "" {
		header.Set("Last-Event-Id", f.after)
	}
	response, err := c.open(ctx, http.MethodGet, "/v1/events", header, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := f.opened(); err != nil {
		return err
	}
	err = readStream(response.Body, func() { watchdog.Reset(silence) }, func(m message) error {
		e, known, err := m.event()
		if err != nil || !known {
			return err
		}
		return f.pass(e)
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause // why reading failed
	}
	return err
}

// event decodes a message; one of a kind that this version does not know is
// passed over, as HTML's event streams are meant.
func (m message) event() (e Event, known bool, err error) {
	e.ID = m.id
	switch contract.EventType(m.kind) {
	case contract.StreamSnapshot:
		e.Snapshot = new(contract.Snapshot)
		err = json.Unmarshal(m.data, e.Snapshot)
	case contract.StreamTruncated:
		e.Truncated = true
	default:
		if m.id == "" || len(m.data) == 0 {
			return e, false, nil
		}
		e.Event = new(contract.Event)
		err = json.Unmarshal(m.data, e.Event)
	}
	if err != nil {
		return e, false, fmt.Errorf("decode %s event: %w", m.kind, err)
	}
	return e, true, nil
}
