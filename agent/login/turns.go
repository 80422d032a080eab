package login

import (
	"context"
	"sync"
)

// turns lets one run at a time use what there is one of: the device that a
// scenario brings, the address to which a browser is sent back.
type turns struct {
	mu  sync.Mutex // guards all
	all map[string]chan struct{}
}

// take waits for the turn, and fails with the cause of ctx's end. Whoever has
// it gives it back.
func (t *turns) take(ctx context.Context, what string) (giveBack func(), err error) {
	t.mu.Lock()
	if t.all == nil {
		t.all = make(map[string]chan struct{})
	}
	if t.all[what] == nil {
		t.all[what] = make(chan struct{}, 1)
	}
	turn := t.all[what]
	t.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
