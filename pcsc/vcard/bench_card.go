package vcard

import (
	"context"

	"authbridge/pcsc"
)

func (b *Bench) insert(r *reader, card *Card) error {
	if !card.take() {
		return ErrElsewhere
	}
	r.card = card
	r.inserted++
	r.counter++
	r.pull = 0
	if b.running && !r.unplugged {
		b.powerOn(r)
	}
	return nil
}

// release takes the card out, if there is one.
func (b *Bench) release(r *reader) {
	if r.card == nil {
		return
	}
	b.powerOff(r)
	r.card.give()
	r.card = nil
	r.inserted++
	r.counter++
	r.pull = 0
	r.owner, r.depth = nil, 0
}

func (b *Bench) unplug(r *reader) {
	if r.unplugged {
		return
	}
	b.powerOff(r)
	r.unplugged = true
	r.plugs++
	r.handles, r.exclusive, r.owner, r.depth = 0, false, nil, 0
	b.plugged++
}

// restart resets the card, or takes its power away first; what it was doing is
// lost.
func (b *Bench) restart(r *reader, warm bool) error {
	if r.card == nil {
		return ErrEmpty
	}
	if warm && r.powered {
		b.reset(r)
	} else {
		b.powerOff(r)
		if b.running && !r.unplugged {
			b.powerOn(r)
		}
	}
	r.resets++
	return nil
}

func (b *Bench) powerOn(r *reader) {
	if r.card == nil {
		return
	}
	atr := r.card.PowerOn()
	r.atr, r.powered = atr, atr != nil
	r.protocol = pcsc.ProtocolUndefined
	r.io, r.cut = context.WithCancel(context.Background())
}

func (b *Bench) powerOff(r *reader) {
	if r.cut != nil {
		r.cut()
		r.cut = nil
	}
	if r.card != nil {
		r.card.PowerOff()
	}
	r.powered, r.atr = false, nil
	r.protocol = pcsc.ProtocolUndefined
}

func (b *Bench) reset(r *reader) {
	r.cut()
	r.atr = r.card.Reset()
	r.powered = r.atr != nil
	r.protocol = pcsc.ProtocolUndefined
	r.io, r.cut = context.WithCancel(context.Background())
}
