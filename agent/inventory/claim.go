package inventory

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrClaimed says that an authenticator is claimed already.
var ErrClaimed = errors.New("the authenticator is claimed already")

// Claim keeps the daemon's own probes away from an authenticator until it is
// released, and waits for one that is under way: not one APDU or report of ours
// comes in between what the claimer does. One that is not there can be claimed
// too; when it comes back it is read once as ever, since only that tells which
// one it is. A read that is asked for meanwhile takes place after the release,
// which is idempotent. Claim fails with ErrClaimed and with the context's error.
func (i *Inventory) Claim(ctx context.Context, id string) (release func(), err error) {
	if err := i.claim(id); err != nil {
		return nil, err
	}
	var releases []func()
	release = sync.OnceFunc(func() {
		i.unclaim(id)
		for _, r := range releases {
			r()
		}
	})
	for _, source := range i.config.Sources {
		c, ok := source.(Claimer)
		if !ok {
			continue
		}
		r, err := c.Claim(ctx, id)
		if err != nil {
			release()
			return nil, err
		}
		releases = append(releases, r)
	}
	return release, nil
}

func (i *Inventory) claim(id string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.claims[id] {
		return fmt.Errorf("%w: %q", ErrClaimed, id)
	}
	i.claims[id] = true
	return nil
}

func (i *Inventory) unclaim(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.claims, id)
}

func (i *Inventory) claimed(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.claims[id]
}

// Fresh asks for a read of an authenticator and waits until it is in the
// snapshot, whatever came of it. A read that was under way does not count. It
// fails with ErrNotFound if there is no such authenticator, or none any more,
// and with the context's error: while another program has a card to itself, or
// somebody has claimed the authenticator, it waits.
func (i *Inventory) Fresh(ctx context.Context, id string) error {
	for _, source := range i.config.Sources {
		if asker, ok := source.(Asker); ok {
			if wish, ok := asker.Ask(id); ok {
				return i.awaitRead(ctx, asker, id, wish)
			}
		}
	}
	return fmt.Errorf("%w: %q", ErrNotFound, id)
}

func (i *Inventory) awaitRead(ctx context.Context, asker Asker, id string, wish uint64) error {
	for {
		changed := i.Changed()
		// In this order: what the source forgets it has published, or does at
		// once, and then there is another view.
		has := asker.Has(id)
		view := i.View()
		_, shown := view.Authenticator(id, true)
		switch {
		case shown && view.answered[id] >= wish:
			return nil
		case !shown && !has:
			return fmt.Errorf("%w any more: %q", ErrNotFound, id)
		}
		select {
		case <-changed:
		case <-i.ended:
			return ErrEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
