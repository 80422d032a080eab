package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// Event is what the stream tells: one of the three.
type Event struct {
	// ID to go on behind, later.
	ID string
	// Snapshot makes void all that was told before.
	Snapshot *contract.Snapshot
	// Truncated: events were missed; a snapshot follows.
	Truncated bool
	// Event is one entry of the journal.
	Event *contract.Event
}

// Events tells what happens, until ctx ends or tell returns an error. From an
// empty after it begins with a snapshot, else behind that event. A stream that
// breaks off, also because the daemon restarts, is taken up where it was, so
// nothing is missed or told twice. It fails at once if no daemon is reachable
// at first, and when the daemon refuses.
func (c *Client) Events(ctx context.Context, after string, tell func(Event) error) error {
	wait := retryFirst
	for begun := false; ; {
		told := false
		err := c.stream(ctx, after, func(e Event) error {
			if e.ID != "" {
				after = e.ID
			}
			begun, told, wait = true, true, retryFirst
			return tell(e)
		})
		var problem *contract.Problem
		var usage *UsageError
		var foreign *ForeignError
		var end *tellError
		switch {
		case errors.As(err, &end):
			return end.err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &problem) && problem.Status < 500 && (!begun || problem.Status != http.StatusTooManyRequests), errors.As(err, &usage):
			return err
		case !begun && (errors.Is(err, ErrNotReachable) || errors.As(err, &foreign)):
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		if !told {
			wait = min(2*wait, retryMost)
		}
	}
}

// tellError is an error of the one who is told.
type tellError struct{ err error }

func (e *tellError) Error() string { return e.err.Error() }

// stream reads one connection to its end.
func (c *Client) stream(ctx context.Context, after string, tell func(Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing was heard for %s", silence)) })
	defer watchdog.Stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if after != "" {
		header.Set("Last-Event-Id", after)
	}
	response, err := c.open(ctx, http.MethodGet, "/v1/events", header, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return readStream(response.Body, func() { watchdog.Reset(silence) }, func(m message) error {
		e, known, err := m.event()
		if err != nil {
			return err
		}
		if !known {
			return nil
		}
		if err := tell(e); err != nil {
			return &tellError{err}
		}
		return nil
	})
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
