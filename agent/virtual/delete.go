package virtual

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Delete takes a device away for good, and its key's memory with it. A card
// stays on the desk: it is its user's.
func (d *Devices) Delete(ctx context.Context, name string) error {
	kind := contract.Smartcard
	d.mu.Lock()
	if d.devices[id{kind, name}] == nil && d.devices[id{contract.SecurityKey, name}] != nil {
		kind = contract.SecurityKey
	}
	d.mu.Unlock()
	dev, release, err := d.hold(ctx, id{kind, name}, false)
	if err != nil {
		return err
	}
	defer release()
	return d.erase(ctx, dev)
}

// Discard takes a device that is plugged in away for good, and all that it was: a
// key with its memory, a card with its keys and the tries of its PIN. What comes
// next under that name, or for that user, is new.
func (d *Devices) Discard(ctx context.Context, kind contract.Kind, name string) error {
	dev, release, err := d.hold(ctx, id{kind, name}, false)
	if err != nil {
		return err
	}
	defer release()
	if !dev.isPlugged(d) && !dev.record.Plugged {
		return &failure.Error{Code: failure.VirtualState, Field: "path.name", Detail: name + " is not plugged in"}
	}
	user := dev.record.User
	if err := d.erase(ctx, dev); err != nil || kind != contract.Smartcard {
		return err
	}
	select {
	case <-d.forge:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { d.forge <- struct{}{} }()
	d.change(func() { delete(d.cards, user) })
	if err := removeFile(d.cardFile(user)); err != nil {
		return &failure.Error{Code: failure.StateUnusable, Detail: "the virtual card cannot be removed", Err: err}
	}
	return nil
}

// erase takes a device away. The caller holds it.
func (d *Devices) erase(ctx context.Context, dev *device) error {
	if err := d.takeOut(dev); err != nil {
		return err
	}
	if dev.kind == contract.Smartcard {
		d.release(dev, record{})
		_ = d.bench.RemoveReader(dev.name) // fails if it has none there
		if dev.card != nil {
			dev.card.ClearFaults()
		}
	} else if err := removeFile(d.keyFile(dev.name)); err != nil {
		return &failure.Error{Code: failure.StateUnusable, Detail: "the memory of the key cannot be removed", Err: err}
	}
	d.change(func() { delete(d.devices, dev.id) })
	return d.keep(ctx, dev.id, nil)
}
