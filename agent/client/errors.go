package client

import (
	"context"
	"errors"
	"fmt"

	"authbridge/agent/contract"
)

// ErrNotReachable says that no daemon answers. The error that Is it says where it was
// looked for and how to start one.
var ErrNotReachable = errors.New("no daemon is reachable")

// NotReachableError is ErrNotReachable with its place, cause and remedy. Where the
// cause is platform.ErrNotYours a daemon may be there, and be another user's.
type NotReachableError struct {
	Address string
	Hint    string
	Err     error
}

// Error says it all in one line.
func (e *NotReachableError) Error() string {
	return fmt.Sprintf("no daemon is reachable at %s: %v; %s", e.Address, e.Err, e.Hint)
}

// Unwrap gives ErrNotReachable and the cause.
func (e *NotReachableError) Unwrap() []error { return []error{ErrNotReachable, e.Err} }

// ForeignError says that what answers there is no daemon of ours, or one of
// another version.
type ForeignError struct {
	Status string
	Err    error // what is wrong with its answer; nil: its status alone
}

// Error names what was answered.
func (e *ForeignError) Error() string {
	what := e.Status
	if e.Err != nil {
		what += ": " + e.Err.Error()
	}
	return fmt.Sprintf("what answers there (%s) is no authbridge daemon of this version", what)
}

// Unwrap gives the cause.
func (e *ForeignError) Unwrap() error { return e.Err }

// UsageError says that the client was told something that cannot be.
type UsageError struct{ Field, Message string }

// Error names the field.
func (e *UsageError) Error() string { return e.Field + ": " + e.Message }

// notReachable tells a daemon that does not answer from a caller that has
// given up.
func (c *Client) notReachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
			err = cause // our own time limit
		} else {
			return ctx.Err()
		}
	}
	return &NotReachableError{Address: c.address, Hint: c.hint(), Err: err}
}

// shuttingDown is the code of a daemon's last answers.
const shuttingDown = "SHUTTING_DOWN"

// refusal makes a daemon that stops one that is not reachable: in a moment it
// will not be.
func (c *Client) refusal(err error) error {
	var problem *contract.Problem
	if !errors.As(err, &problem) || problem.Code != shuttingDown {
		return err
	}
	text := problem.Detail
	if text == "" {
		text = "the daemon is stopping"
	}
	return &NotReachableError{Address: c.address, Hint: c.hint(), Err: errors.New(text)}
}

const start = "start it with `authbridge service start`, or `authbridge run` in a terminal"

func (c *Client) hint() string {
	switch {
	case c.URL != "":
		return start + ", or correct AUTHBRIDGE_URL"
	case c.StateDir != "":
		return "start one with `authbridge run --state-dir " + c.StateDir + "`"
	}
	return start + ", or say where it is with --state-dir or AUTHBRIDGE_URL and AUTHBRIDGE_TOKEN"
}
