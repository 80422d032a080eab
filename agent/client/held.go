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

// HeldLease is a lease that lasts as long as the connection that took it: it
// ends with this program, however that ends.
type HeldLease struct {
	contract.NewLease

	client *Client
	cancel context.CancelFunc
	taken  chan struct{}
	done   chan struct{}
	last   contract.Lease
	err    error
}

// HoldLease takes a lease and holds it until Release or Close is called, ctx
// ends, or the daemon ends it. told, which may be nil, hears of each change of
// the place in the queue before it returns.
func (c *Client) HoldLease(ctx context.Context, request contract.LeaseRequest, told func(contract.Lease)) (*HeldLease, error) {
	request.Hold = contract.HoldConnection
	ctx, cancel := context.WithCancel(ctx)
	h := &HeldLease{client: c, cancel: cancel, taken: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		defer cancel()
		h.err = h.follow(ctx, request, told)
	}()
	select {
	case <-h.taken:
		return h, nil
	case <-h.done:
	}
	select {
	case <-h.taken: // and ended at once
		return h, nil
	default:
		return nil, h.err
	}
}

// Done is closed when the lease has ended, or the connection, which ends it.
func (h *HeldLease) Done() <-chan struct{} { return h.done }

// Ended waits for the end and tells how it came. An error says that the
// connection ended first; the daemon then ends the lease, and leaves the
// authenticator, by itself.
func (h *HeldLease) Ended() (contract.Lease, error) {
	<-h.done
	return h.last, h.err
}

// Release ends the lease and returns once the authenticator is left. The
// remarks say what could not be left as it was found.
func (h *HeldLease) Release(ctx context.Context) (contract.Lease, error) {
	l, err := h.client.ReleaseLease(ctx, h.ID)
	h.Close()
	return l, err
}

// Close ends the connection, and the lease with it. It may be called again.
func (h *HeldLease) Close() {
	h.cancel()
	<-h.done
}

// errLeaseEnded: the stream has told all.
var errLeaseEnded = errors.New("the lease has ended")

// follow reads the stream that holds the lease to its end.
func (h *HeldLease) follow(ctx context.Context, request contract.LeaseRequest, told func(contract.Lease)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing was heard for %s", silence)) })
	defer watchdog.Stop()
	response, err := h.client.open(ctx, http.MethodPost, "/v1/leases", http.Header{"Accept": {"text/event-stream"}}, request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	err = readStream(response.Body, func() { watchdog.Reset(silence) }, func(m message) error { return h.hear(m, told) })
	var problem *contract.Problem
	switch {
	case errors.Is(err, errLeaseEnded):
		return nil
	case errors.As(err, &problem):
		return h.client.refusal(problem)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errEnded
	}
	return h.client.notReachable(ctx, err)
}

func (h *HeldLease) hear(m message, told func(contract.Lease)) error {
	var err error
	switch contract.EventType(m.kind) {
	case contract.StreamLeaseQueued:
		var l contract.Lease
		if err = json.Unmarshal(m.data, &l); err == nil && told != nil {
			told(l)
		}
	case contract.StreamLeaseTaken:
		if h.ID != "" {
			return errors.New("the daemon says twice that the lease is taken")
		}
		if err = json.Unmarshal(m.data, &h.NewLease); err == nil {
			close(h.taken)
		}
	case contract.StreamLeaseEnded:
		if err = json.Unmarshal(m.data, &h.last); err == nil {
			return errLeaseEnded
		}
	case contract.StreamProblem:
		var p contract.Problem
		if err = json.Unmarshal(m.data, &p); err == nil {
			return &p
		}
	}
	if err != nil {
		return fmt.Errorf("decode %s event: %w", m.kind, err)
	}
	return nil
}
