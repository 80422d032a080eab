package ceremony

import (
	"context"
	"fmt"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// settling bounds the writes after a PIN was sent, which are due also when the
// ceremony is over.
const settling = 10 * time.Second

const (
	// mostBlocks is how many sources are blocked at an authenticator. Where
	// there are so many, no other one is heard either.
	mostBlocks = 64
	// mostWorked is of how many secrets it is known that their PIN was right.
	mostWorked = 8
)

// blocked says why nothing from a source is sent.
func (p *pins) blocked(o *pinOwner, a attempt) error {
	if a.source == Person {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, source := range a.sources() {
		if source != a.source && slices.Contains(o.worked, a.source) {
			continue
		}
		if block, blocked := o.blocks[source]; blocked {
			return &failure.Error{Code: failure.PINSourceBlocked, Detail: string(source) + ", since " + block.At.UTC().Format(time.RFC3339)}
		}
	}
	if len(o.blocks)+len(a.sources()) > mostBlocks {
		return &failure.Error{Code: failure.PINSourceBlocked, Detail: fmt.Sprintf("%d other sources are, and no more are heard", len(o.blocks))}
	}
	return nil
}

// sources are those that a PIN blocks which is refused.
func (a *attempt) sources() []Source {
	if a.caller == "" || a.caller == a.source {
		return []Source{a.source}
	}
	return []Source{a.caller, a.source}
}

// putBlocks writes the blocks of the sources before the PIN is sent.
func (p *pins) putBlocks(ctx context.Context, o *pinOwner, a *attempt) error {
	if a.source == Person {
		return nil
	}
	for _, source := range a.sources() {
		p.mu.Lock()
		_, already := o.blocks[source]
		p.mu.Unlock()
		if already {
			continue
		}
		block := contract.PINBlock{Authenticator: a.authenticator, Source: string(source), At: p.now()}
		if err := p.store.PutBlock(ctx, block); err != nil {
			_ = p.dropBlocks(ctx, o, *a) // or they stay
			return fmt.Errorf("%w: it could not be written down first: %w", errNotSent, err)
		}
		a.wrote = append(a.wrote, source)
		p.mu.Lock()
		o.blocks[source] = block
		p.mu.Unlock()
	}
	return nil
}

// blockToo blocks another source of a PIN that was refused: a daemon that is
// started again knows the PIN no more, and is not to try it for each of them.
func (p *pins) blockToo(ctx context.Context, o *pinOwner, a attempt) error {
	if a.source == Person || p.blocked(o, a) != nil {
		return nil
	}
	if err := p.putBlocks(ctx, o, &a); err != nil {
		return err
	}
	p.sayBlocked(a, "was refused before")
	return nil
}

// dropBlocks takes away again what was written for a PIN that was not compared.
func (p *pins) dropBlocks(ctx context.Context, o *pinOwner, a attempt) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	for _, source := range a.wrote {
		if err := p.store.DeleteBlock(ctx, a.authenticator, string(source)); err != nil {
			return err // and the block stays
		}
		p.mu.Lock()
		delete(o.blocks, source)
		p.mu.Unlock()
	}
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
	for _, source := range a.wrote {
		delete(o.blocks, source)
	}
	others := len(o.blocks)
	clear(o.blocks)
	p.mu.Unlock()
	if others > 0 {
		p.say(contract.PINUnblocked, a.authenticator, "PINs from everywhere are sent again: a right one was seen")
	}
}

// remember notes of a secret whether the last PIN from there was right: then it
// stays of use while its caller is blocked for another one. It is forgotten with
// the process.
func (p *pins) remember(o *pinOwner, a attempt, right bool) {
	if len(a.sources()) == 1 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o.worked = slices.DeleteFunc(o.worked, func(s Source) bool { return s == a.source })
	if !right {
		return
	}
	if len(o.worked) == mostWorked {
		o.worked = slices.Delete(o.worked, 0, 1)
	}
	o.worked = append(o.worked, a.source)
}

func (p *pins) sayBlocked(a attempt, what string) {
	text := "a PIN from " + string(a.source) + " " + what
	if a.source != Person {
		text += ": nothing from there is sent any more until a right PIN was seen or a person clears the block"
	}
	p.say(contract.PINBlocked, a.authenticator, text)
}
