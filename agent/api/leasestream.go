package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"authbridge/agent/contract"
)

// farewell is how long the last words of a stream wait for the authenticator to
// be left. The daemon's stop waits for them.
const farewell = 2 * time.Second

// heldLease is a lease that the connection keeps which asked for it. Its
// goroutine takes the lease, stream tells of it and ends it.
type heldLease struct {
	server *Server
	place  *standing
	taken  chan taking // one, always
}

type taking struct {
	lease contract.NewLease
	err   error
}

// standing is the place in the queue, as it is now: who reads slowly skips what was.
type standing struct {
	mu      sync.Mutex
	lease   contract.Lease
	changed chan struct{}
}

func (p *standing) set(l contract.Lease) {
	p.mu.Lock()
	p.lease = l
	p.mu.Unlock()
	p.mark()
}

func (p *standing) mark() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *standing) get() contract.Lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lease
}

// holdLease takes a lease for a connection. What is refused before there is
// anything to tell is a problem like any other; later it is an event.
func (s *Server) holdLease(ctx context.Context, release func(), request contract.LeaseRequest) (*takeLeaseOutput, error) {
	h := &heldLease{server: s, place: &standing{changed: make(chan struct{}, 1)}, taken: make(chan taking, 1)}
	go func() {
		l, err := s.config.Leases.Take(ctx, callerOf(ctx).asks(), request, h.place.set)
		h.taken <- taking{l, err}
	}()
	quiet := time.NewTimer(heartbeat)
	defer quiet.Stop()
	select {
	case t := <-h.taken:
		if t.err != nil {
			defer release()
			if cut := cutShort(ctx); cut != nil {
				return nil, cut
			}
			return nil, t.err
		}
		h.taken <- t
	case <-h.place.changed:
		h.place.mark()
	case <-quiet.C:
	}
	return &takeLeaseOutput{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		h.stream(ctx, release, w)
	}}, nil
}

// stream tells of the lease until it or the connection ends, and sees to it
// that then neither the lease nor its place in the queue is left.
func (h *heldLease) stream(ctx context.Context, release func(), w http.ResponseWriter) {
	send := startStream(w)
	l, ok := h.queue(ctx, send)
	if !ok {
		release() // which ends the taking
		if t := <-h.taken; t.err == nil {
			h.server.config.Leases.Dropped(t.lease.ID)
		}
		return
	}
	if l.ID == "" {
		release()
		return
	}
	defer release()
	defer h.server.config.Leases.Dropped(l.ID)
	h.keep(ctx, send, l)
}

// queue tells of the place in the queue until there is a lease, or that there
// will be none. It is not ok if nobody reads it any more.
func (h *heldLease) queue(ctx context.Context, send func([]byte) bool) (_ contract.NewLease, ok bool) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case t := <-h.taken:
			if t.err != nil {
				err := t.err
				if cut := cutShort(ctx); cut != nil {
					err = cut
				}
				h.server.failed(ctx, err)
				send(streamEvent(contract.StreamProblem, problemFrom(ctx, err).Problem))
			}
			return t.lease, true
		case <-h.place.changed:
			if !send(streamEvent(contract.StreamLeaseQueued, h.server.shownLease(ctx, h.place.get()))) {
				return contract.NewLease{}, false
			}
		case <-beat.C:
			if !send([]byte(heartbeatLine)) {
				return contract.NewLease{}, false
			}
		}
	}
}

// keep tells that the lease is there, and then its end.
func (h *heldLease) keep(ctx context.Context, send func([]byte) bool, l contract.NewLease) {
	text := streamEvent(contract.StreamLeaseTaken, h.server.shownNewLease(ctx, l))
	defer clear(text)
	if !send(text) {
		return
	}
	ended := h.server.config.Leases.Ended(l.ID)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ended:
			h.tellEnd(ctx, send, l.ID)
			return
		case <-ctx.Done():
			h.part(ctx, send, l.ID, ended)
			return
		case <-beat.C:
			if !send([]byte(heartbeatLine)) {
				return
			}
		}
	}
}

// part ends the lease because its connection ends. Whoever still listens, since
// it is the daemon or the token that ends, is told what became of the lease.
func (h *heldLease) part(ctx context.Context, send func([]byte) bool, id string, ended <-chan struct{}) {
	cut := cutShort(ctx)
	h.server.config.Leases.Dropped(id)
	if cut == nil {
		return
	}
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-ended:
		h.tellEnd(ctx, send, id)
	case <-late.C:
		send(streamEvent(contract.StreamProblem, problemFrom(ctx, cut).Problem))
	}
}

func (h *heldLease) tellEnd(ctx context.Context, send func([]byte) bool, id string) {
	if l, ok := h.server.config.Leases.Lease(id); ok {
		send(streamEvent(contract.StreamLeaseEnded, h.server.shownLease(ctx, l)))
	}
}

// streamEvent is one event; all it holds is strings and numbers.
func streamEvent(kind contract.EventType, value any) []byte {
	text, _ := json.Marshal(value)
	defer clear(text)
	return appendEvent(nil, "", string(kind), text)
}
