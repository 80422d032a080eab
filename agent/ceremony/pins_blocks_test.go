package ceremony

import (
	"errors"
	"fmt"
	"testing"

	"authbridge/agent/failure"
	"authbridge/pcsc"
)

// Rows are bounded for whoever has many tokens, and who finds no room is not
// heard.
func TestBlocksAreBounded(t *testing.T) {
	t.Parallel()
	kept := &ledger{}
	p, _ := begun(t, kept)
	wants(t, try(t, p, of(Person, wrongPIN), (&sends{err: cardRefuses}).send), failure.PINRefused)
	for n := range 2 * mostBlocks {
		a := of(Source(fmt.Sprint("secret x of token ", n)), wrongPIN)
		a.caller = Source(fmt.Sprint("requests of token ", n))
		want := failure.PINRefusedBefore
		if n >= mostBlocks/2 {
			want = failure.PINSourceBlocked
		}
		wants(t, try(t, p, a, (&sends{}).send), want)
	}
	if len(kept.blocked) != mostBlocks || len(p.blocks()) != mostBlocks {
		t.Errorf("%d are written, %d known", len(kept.blocked), len(p.blocks()))
	}
	var s sends
	wants(t, try(t, p, of("file new.pin", rightPIN), s.send), failure.PINSourceBlocked)
	if err := try(t, p, of(Person, rightPIN), s.send); err != nil || s.n != 1 || len(kept.blocked) != 0 {
		t.Errorf("a person: %v, sent %d times, %d written", err, s.n, len(kept.blocked))
	}
}

// Of two blocks both are written or none is; one that was there before stays.
func TestBlocksOfASecretAndItsCallerGoTogether(t *testing.T) {
	t.Parallel()
	kept := &ledger{}
	p, told := begun(t, kept)
	named := func(secret, pin string) attempt {
		a := of(Source("secret "+secret+" of ci"), pin)
		a.caller = "requests of ci"
		return a
	}
	full, wrote := errors.New("the disk is full"), 0
	kept.wrote = func(what string) error {
		if what == "block" {
			if wrote++; wrote == 2 {
				return full
			}
		}
		return nil
	}
	var s sends
	if err := try(t, p, named("a", rightPIN), s.send); !errors.Is(err, full) || s.n != 0 || len(kept.blocked) != 0 || len(p.blocks()) != 0 {
		t.Errorf("%v, sent %d times, blocks %v", err, s.n, kept.blocked)
	}
	if err := try(t, p, named("a", rightPIN), s.send); err != nil || len(kept.blocked) != 0 || len(told.events) != 0 {
		t.Errorf("%v, blocks %v, told %v", err, kept.blocked, told.events)
	}
	wants(t, try(t, p, named("", wrongPIN), (&sends{err: cardRefuses}).send), failure.PINRefused)
	before := len(kept.blocked)
	if err := try(t, p, named("a", rightPIN), (&sends{err: pcsc.ErrClosed}).send); !errors.Is(err, pcsc.ErrClosed) || len(kept.blocked) != before {
		t.Errorf("%v, blocks %v", err, kept.blocked)
	}
}
