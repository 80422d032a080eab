package ceremony

import (
	"context"
	"fmt"
	"time"

	"authbridge/agent/contract"
)

// settling bounds the writes after a PIN was sent, which are due also when the
// ceremony is over.
const settling = 10 * time.Second

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
	if o.users == 0 && len(o.blocks) == 0 && o.opened == "" && o.refused.none() {
		delete(p.owners, authenticator)
	}
}

func (p *pins) spend(o *pinOwner) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.spent++
}

// putBlock writes the block of a source before its PIN is sent.
func (p *pins) putBlock(ctx context.Context, o *pinOwner, a attempt) error {
	if a.source == Person {
		return nil
	}
	block := contract.PINBlock{Authenticator: a.authenticator, Source: string(a.source), At: p.now()}
	if err := p.store.PutBlock(ctx, block); err != nil {
		return fmt.Errorf("%w: it could not be written down first: %w", errNotSent, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o.blocks[a.source] = block
	return nil
}

// blockToo blocks another source of a PIN that was refused: a daemon that is
// started again knows the PIN no more, and is not to try it for each of them.
func (p *pins) blockToo(ctx context.Context, o *pinOwner, a attempt) error {
	p.mu.Lock()
	_, blocked := o.blocks[a.source]
	p.mu.Unlock()
	if blocked || a.source == Person {
		return nil
	}
	if err := p.putBlock(ctx, o, a); err != nil {
		return err
	}
	p.sayBlocked(a, "was refused before")
	return nil
}

// dropBlock takes the block of a source away again, whose PIN was not compared.
func (p *pins) dropBlock(ctx context.Context, o *pinOwner, a attempt) error {
	if a.source == Person {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	if err := p.store.DeleteBlock(ctx, a.authenticator, string(a.source)); err != nil {
		return err // and the block stays
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(o.blocks, a.source)
	return nil
}

// clearBlocks takes all blocks away, because the right PIN was seen. One that
// the store does not give up comes back with the next start, and goes with the
// next right PIN: that is no reason to fail what the PIN was for.
func (p *pins) clearBlocks(ctx context.Context, o *pinOwner, a attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	_ = p.store.DeleteBlocks(ctx, a.authenticator)
	p.mu.Lock()
	delete(o.blocks, a.source) // written for this very PIN
	others := len(o.blocks)
	clear(o.blocks)
	p.mu.Unlock()
	if others > 0 {
		p.say(contract.PINUnblocked, a.authenticator, "PINs from everywhere are sent again: a right one was seen")
	}
}

func (p *pins) sayBlocked(a attempt, what string) {
	text := "a PIN from " + string(a.source) + " " + what
	if a.source != Person {
		text += ": nothing from there is sent any more until a right PIN was seen or a person clears the block"
	}
	p.say(contract.PINBlocked, a.authenticator, text)
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
