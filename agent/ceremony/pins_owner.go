package ceremony

import (
	"context"

	"authbridge/agent/contract"
)

// owner is what is known of an authenticator. The mutex is held, or nobody else
// has p.
func (p *pins) owner(authenticator string) *pinOwner {
	o := p.owners[authenticator]
	if o == nil {
		o = &pinOwner{turn: make(chan struct{}, 1), blocks: make(map[Source]contract.PINBlock)}
		p.owners[authenticator] = o
	}
	return o
}

// take waits for the turn at an authenticator. It is fresh if no try was spent
// meanwhile.
func (p *pins) take(ctx context.Context, authenticator string) (o *pinOwner, fresh bool, err error) {
	p.mu.Lock()
	o = p.owner(authenticator)
	o.users++
	spent := o.spent
	p.mu.Unlock()
	select {
	case o.turn <- struct{}{}:
	case <-ctx.Done():
		p.leave(authenticator, o)
		return nil, false, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return o, o.spent == spent, nil
}

func (p *pins) give(authenticator string, o *pinOwner) {
	<-o.turn
	p.leave(authenticator, o)
}

func (p *pins) leave(authenticator string, o *pinOwner) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.users--
	p.tidy(authenticator, o)
}

// tidy forgets an authenticator of which there is nothing to remember. The mutex
// is held; whoever had the turn has had it since.
func (p *pins) tidy(authenticator string, o *pinOwner) {
	if o.users == 0 && len(o.blocks) == 0 && len(o.worked) == 0 && o.opened == "" && o.refused.none() {
		delete(p.owners, authenticator)
	}
}

func (p *pins) spend(o *pinOwner) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.spent++
}

func (p *pins) say(kind contract.EventType, authenticator, text string) {
	p.tell(contract.Event{Type: kind, At: p.now(), Subject: authenticator, Text: text})
}

// setOpened notes the lease in which the right PIN was sent to a card; "" that
// the card has forgotten it.
func (p *pins) setOpened(authenticator, lease string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.owner(authenticator)
	o.opened = lease
	p.tidy(authenticator, o)
}

// openedIn is whether the right PIN was sent to a card in that lease. It is
// forgotten with the process.
func (p *pins) openedIn(authenticator, lease string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.owners[authenticator]
	return o != nil && lease != "" && o.opened == lease
}
