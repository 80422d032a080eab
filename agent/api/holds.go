package api

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"authbridge/agent/failure"
)

const (
	// maxHolds bounds the calls that are held open: streams and waits. One token
	// gets half of them, and one user three quarters, so that none shuts out all
	// others.
	maxHolds = 2048
	// maxHeld is the longest of the waits: a login run with all its time in the
	// queue for an authenticator, and all its time with it.
	maxHeld = 20 * time.Minute
)

// Why a held call ended before its own end.
var (
	errStopping  = errors.New("the daemon stops")
	errRevoked   = errors.New("the token was revoked")
	errLeaseOver = errors.New("the lease has ended, and its token with it")
	errLost      = errors.New("its user has lost rights")
)

// hold keeps a request open until the daemon stops or its caller's token ends.
func (s *Server) hold(ctx context.Context) (_ context.Context, release func(), err error) {
	caller := callerOf(ctx)
	ctx, letGo, err := s.holds.hold(ctx, caller)
	if err == nil && !s.stands(caller) { // revoked before there was anything to end
		letGo()
		return ctx, func() {}, refuse(failure.Unauthorized, "header.Authorization", errRevoked.Error())
	}
	if err == nil && s.lost(caller) {
		letGo()
		return ctx, func() {}, rightsLost(caller)
	}
	if err != nil || caller.Lease == "" {
		return ctx, letGo, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.config.Leases.Ended(caller.Lease):
			cancel(errLeaseOver)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-watched
		letGo()
	}, nil
}

// cutShort is the refusal of a held call that ended before its own end; nil if
// it did not, or if its caller has gone.
func cutShort(ctx context.Context) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errRevoked):
		return refuse(failure.Unauthorized, "header.Authorization", errRevoked.Error())
	case errors.Is(cause, errLost):
		return rightsLost(callerOf(ctx))
	case errors.Is(cause, errLeaseOver):
		return refuse(failure.LeaseOver, "header.Authorization", errLeaseOver.Error())
	case errors.Is(cause, errStopping):
		return refuse(failure.ShuttingDown, "", "the daemon stopped while the call waited")
	}
	return nil
}

// holds are the calls that are held open. They end when the daemon stops, and
// with the token that opened them: revoking one must not leave its streams.
type holds struct {
	limit int

	mu    sync.Mutex
	open  map[*hold]struct{}
	ended error
}

type hold struct {
	caller Caller
	cancel context.CancelCauseFunc
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
	entry := &hold{caller: caller, cancel: cancel}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended == nil && (len(h.open) >= h.limit || h.hasItsPart(caller)) {
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

// hasItsPart is whether a token, or a user, has its part already. Who calls it
// holds h.mu.
func (h *holds) hasItsPart(next Caller) bool {
	half, most := (h.limit+1)/2, (3*h.limit+3)/4
	if len(h.open) < half {
		return false
	}
	token, user := 0, 0
	for entry := range h.open {
		if c := entry.caller; c.TokenID == next.TokenID && c.Lease == next.Lease {
			token++
		}
		if entry.caller.User.ID == next.User.ID {
			user++
		}
	}
	return (next.TokenID != "" || next.Lease != "") && token >= half || next.User.ID != "" && user >= most
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
		if entry.caller.TokenID == tokenID {
			entry.cancel(errRevoked)
		}
	}
}

// cut ends what those hold open who have lost rights.
func (h *holds) cut(lost func(Caller) bool) {
	h.mu.Lock()
	open := slices.Collect(maps.Keys(h.open))
	h.mu.Unlock()
	for _, entry := range open {
		if lost(entry.caller) {
			entry.cancel(errLost)
		}
	}
}

func (h *holds) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.open)
}
