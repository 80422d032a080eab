package api

import (
	"context"
	"errors"
	"sync"

	"authbridge/agent/failure"
)

// maxHolds bounds the calls that are held open: streams and waits.
const maxHolds = 2048

// Why a held call ended before its own end.
var (
	errStopping = errors.New("the daemon stops")
	errRevoked  = errors.New("the token was revoked")
)

// holds are the calls that are held open. They end when the daemon stops, and
// with the token that opened them: revoking one must not leave its streams.
type holds struct {
	limit int

	mu    sync.Mutex
	open  map[*hold]struct{}
	ended error
}

type hold struct {
	tokenID string
	cancel  context.CancelCauseFunc
}

func newHolds(limit int) *holds {
	return &holds{limit: limit, open: make(map[*hold]struct{})}
}

// hold gives the context of a held call; release must be called at its end.
func (h *holds) hold(ctx context.Context, caller Caller) (_ context.Context, release func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopTimer := context.CancelFunc(func() {})
	if !caller.Expires.IsZero() {
		ctx, stopTimer = context.WithDeadlineCause(ctx, caller.Expires, errRevoked)
	}
	entry := &hold{tokenID: caller.TokenID, cancel: cancel}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended == nil && len(h.open) >= h.limit {
		err = refuse(failure.TooManyStreams, "", "as many streams and waiting calls as this daemon keeps are open")
	}
	if h.ended != nil || err != nil {
		cancel(h.ended)
		stopTimer()
		return ctx, func() {}, err
	}
	h.open[entry] = struct{}{}
	return ctx, func() {
		h.mu.Lock()
		delete(h.open, entry)
		h.mu.Unlock()
		stopTimer()
		cancel(nil)
	}, nil
}

// end ends all, and every later one at once.
func (h *holds) end(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = cause
	for entry := range h.open {
		entry.cancel(cause)
	}
}

// revoke ends what a token holds open.
func (h *holds) revoke(tokenID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for entry := range h.open {
		if entry.tokenID == tokenID {
			entry.cancel(errRevoked)
		}
	}
}

func (h *holds) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.open)
}
