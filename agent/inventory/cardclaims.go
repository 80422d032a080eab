package inventory

import (
	"context"
	"errors"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/pcsc"
)

// errClaimed: somebody has claimed the card, so that the probe is put off.
var errClaimed = errors.New("the card is claimed")

// know takes the readers as they are about to be published.
func (c *Cards) know(readers []contract.Reader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = readers
}

// wished is how many wishes for a read there were.
func (c *Cards) wished() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wishes
}

// claimed is whether the card in the reader with that id is. One of which it is
// not known yet which card it is never is.
func (c *Cards) claimed(reader string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isClaimed(reader)
}

func (c *Cards) isClaimed(reader string) bool {
	r := find(c.known, func(r *contract.Reader) bool { return r.ID == reader })
	return r != nil && r.Card != "" && c.claims[r.Card] > 0
}

// begin lets a probe begin, unless the card is claimed. To ask where a reader
// comes from is to connect to it; a card waits for its turn first.
func (c *Cards) begin(p *probe) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClaimed(p.slot.id) {
		return false
	}
	if c.probes[p] = true; p.task == askOrigin {
		p.touching = make(chan struct{})
	}
	return true
}

// over notes that a probe has let go of its reader.
func (c *Cards) over(p *probe) {
	c.letGo(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.probes, p)
}

// touch lets a probe that waited for its turn go on to the card, unless that was
// claimed meanwhile.
func (c *Cards) touch(p *probe) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClaimed(p.slot.id) {
		return errClaimed
	}
	p.touching = make(chan struct{})
	return nil
}

// letGo notes that a probe no longer uses its reader.
func (c *Cards) letGo(p *probe) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.touching != nil {
		close(p.touching)
		p.touching = nil
	}
}

// Claim keeps probes away from a card; see [Claimer]. It does not wait for a
// probe that itself waits for its turn, for as long as another program pleases:
// that is put off when its turn comes.
func (c *Cards) Claim(ctx context.Context, id string) (release func(), err error) {
	c.mu.Lock()
	c.claims[id]++
	var touching []<-chan struct{}
	for p := range c.probes {
		if p.touching != nil && c.isClaimed(p.slot.id) {
			touching = append(touching, p.touching)
		}
	}
	c.mu.Unlock()
	release = sync.OnceFunc(func() { c.unclaim(id) })
	for _, ended := range touching {
		select {
		case <-ended:
		case <-ctx.Done():
			release()
			return nil, ctx.Err()
		}
	}
	return release, nil
}

func (c *Cards) unclaim(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.claims[id]--; c.claims[id] == 0 {
		delete(c.claims, id)
	}
	c.signal()
}

// Card connects to a card; see [Inventory.Card].
func (c *Cards) Card(ctx context.Context, id string) (*pcsc.Conn, error) {
	release, err := c.Claim(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	reader, ok := c.readerOf(id)
	if !ok {
		return nil, cardGone(id)
	}
	for pause := shareFirstPause; ; pause = min(2*pause, shareLastPause) {
		conn, err := c.config.Connector.Open(ctx, reader)
		if errors.Is(err, pcsc.SCARD_E_SHARING_VIOLATION) {
			if waited := c.awaitShare(ctx, reader, pause); waited == nil {
				continue
			}
		}
		if err != nil {
			return nil, cardFailure(ctx, err)
		}
		return conn, nil
	}
}

// awaitShare waits until another program may have let go of a card.
func (c *Cards) awaitShare(ctx context.Context, reader string, pause time.Duration) error {
	if r, err := c.config.Connector.Look(ctx, reader); err == nil && taken(r) {
		_, err := c.config.Connector.WaitFree(ctx, reader)
		return err
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
