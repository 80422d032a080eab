package api

import (
	"context"
	"time"
)

// ongoing are things that go on while calls come and go: ceremonies, login runs.
type ongoing[T any] interface {
	Await(ctx context.Context, id string) (T, error)
	Cancel(ctx context.Context, id string) (T, error)
}

// cancelTime is for something whose caller has gone. It is bounded by what
// hardware takes to give up.
const cancelTime = 10 * time.Second

// holdFor holds a call until one is over, or for so long.
func holdFor[T any](ctx context.Context, s *Server, all ongoing[T], id string, wait time.Duration) error {
	ctx, release, err := s.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if _, err := all.Await(ctx, id); err != nil && ctx.Err() == nil {
		return err
	}
	return cutShort(ctx)
}

// stayWith waits for the end of one that the caller has begun, and cancels it
// when held, which is the caller's own context, ends before.
func stayWith[T any](ctx, held context.Context, s *Server, all ongoing[T], id string) (T, error) {
	over, err := all.Await(held, id)
	if err == nil || held.Err() == nil {
		return over, err
	}
	cut := cutShort(held)
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	if _, err := all.Cancel(late, id); err != nil {
		s.failed(ctx, err)
	}
	if cut == nil {
		cut = held.Err() // nobody reads it
	}
	return over, cut
}
