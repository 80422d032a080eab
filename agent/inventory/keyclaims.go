package inventory

import (
	"context"
	"sync"

	"authbridge/fido"
)

// keyClaims are the claims of one key, and what keeps the monitor from it while
// it is plugged in.
type keyClaims struct {
	n           int
	reservation *fido.Reservation // nil: the key is not there
}

// follow reserves the key where it is now; an empty path is nowhere. Of a key
// that was just plugged in the monitor has the first read all the same. It
// reserves anew each time: another key may be where the key was.
func (c *keyClaims) follow(m *fido.Monitor, path string) {
	was := c.reservation
	c.reservation = nil
	if path != "" {
		// An error is that it went, of which we are about to be told.
		c.reservation, _ = m.Reserve(path)
	}
	if was != nil {
		was.Release()
	}
}

// know takes which keys are plugged in where, by their paths, before the
// monitor does anything with them.
func (k *Keys) know(ids map[string]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.paths = make(map[string]string, len(ids))
	for path, id := range ids {
		k.paths[id] = path
	}
	for id, c := range k.claims {
		c.follow(k.monitor, k.paths[id])
	}
}

func (k *Keys) path(id string) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	path, ok := k.paths[id]
	return path, ok
}

// Claim keeps the monitor's reads away from a key; see [Claimer].
func (k *Keys) Claim(ctx context.Context, id string) (release func(), err error) {
	k.mu.Lock()
	c := k.claims[id]
	if c == nil {
		c = &keyClaims{}
		k.claims[id] = c
	}
	c.n++
	c.follow(k.monitor, k.paths[id])
	reservation := c.reservation
	k.mu.Unlock()
	release = sync.OnceFunc(func() { k.unclaim(id) })
	if reservation != nil {
		if err := reservation.Wait(ctx); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

func (k *Keys) unclaim(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.claims[id]
	if c.n--; c.n == 0 {
		c.follow(k.monitor, "")
		delete(k.claims, id)
	}
}

// Key opens a key; see [Inventory.Key].
func (k *Keys) Key(ctx context.Context, id string) (*fido.Key, error) {
	path, ok := k.path(id)
	if !ok {
		return nil, keyGone(id)
	}
	key, err := k.monitor.Open(ctx, path)
	if err != nil {
		return nil, keyFailure(ctx, err, k.config.Windows)
	}
	return key, nil
}
