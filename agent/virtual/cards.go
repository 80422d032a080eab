package virtual

import (
	"context"
	"errors"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/pcsc/vcard"
)

// Insert makes a virtual card and puts it into a reader, or puts the reader's
// own card back in. Without a name it takes the first empty reader, or makes
// one; without a user the reader's last card if that is free, or a new one.
func (d *Devices) Insert(ctx context.Context, in contract.VirtualInsert) (contract.VirtualDevice, error) {
	if err := checkInsert(in); err != nil {
		return contract.VirtualDevice{}, err
	}
	dev, release, err := d.holdUnplugged(ctx, id{contract.Smartcard, in.Name})
	if err != nil {
		return contract.VirtualDevice{}, err
	}
	defer release()
	if dev.isPlugged(d) {
		return contract.VirtualDevice{}, &failure.Error{Code: failure.VirtualExists, Field: "body.name", Detail: "there is a card in " + dev.name + "; swap it, or remove it first"}
	}
	want := dev.record
	want.Plugged, want.Where, want.VPCD = true, inProcess, ""
	if in.PCSCD {
		want.Where, want.VPCD = inPCSCD, in.VPCD
	}
	switch {
	case in.User != "":
		want.User = in.User
	case want.User == "" || d.claimedByOther(want.User, dev):
		want.User = d.freeUser(dev)
	}
	if in.Faults != nil {
		want.Faults = in.Faults
	}
	return d.settle(ctx, dev, want, d.setCard)
}

// Remove pulls the card out of a reader, whatever it is doing. The card keeps
// its PIN, tries and keys.
func (d *Devices) Remove(ctx context.Context, name string) (contract.VirtualDevice, error) {
	return d.unplug(ctx, id{contract.Smartcard, name}, "there is no card in "+name)
}

// Swap pulls the card out of a reader and puts another in, or the same one if
// no other user is named, faster than any program can look in between.
func (d *Devices) Swap(ctx context.Context, name string, in contract.VirtualInsert) (contract.VirtualDevice, error) {
	switch {
	case in.Name != "" && in.Name != name:
		return contract.VirtualDevice{}, bad("body.name", "allowed: none, or that of the reader in the path")
	case in.PCSCD || in.VPCD != "":
		return contract.VirtualDevice{}, bad("body.pcscd", "a swapped card stays where its reader is; leave it out")
	}
	if err := checkInsert(in); err != nil {
		return contract.VirtualDevice{}, err
	}
	dev, release, err := d.hold(ctx, id{contract.Smartcard, name}, false)
	if err != nil {
		return contract.VirtualDevice{}, err
	}
	defer release()
	if !dev.isPlugged(d) {
		return contract.VirtualDevice{}, &failure.Error{Code: failure.VirtualState, Field: "path.name", Detail: "there is no card in " + name + " to swap; insert one"}
	}
	want := dev.record
	if in.User != "" {
		want.User = in.User
	}
	if in.Faults != nil {
		want.Faults = in.Faults
	}
	return d.settle(ctx, dev, want, d.setCard)
}

// settle brings a device into a state and writes that down.
func (d *Devices) settle(ctx context.Context, dev *device, want record, set func(context.Context, *device, record) error) (contract.VirtualDevice, error) {
	if err := set(ctx, dev, want); err != nil {
		d.forget(dev)
		return contract.VirtualDevice{}, err
	}
	d.change(func() { dev.fresh = false })
	if err := d.keep(ctx, dev.id, &want); err != nil {
		return contract.VirtualDevice{}, err
	}
	return d.shown(dev), nil
}

// forget undoes a device that never came into being.
func (d *Devices) forget(dev *device) {
	if !dev.fresh {
		return
	}
	d.change(func() { delete(d.devices, dev.id) })
	if dev.kind == contract.Smartcard {
		_ = d.bench.RemoveReader(dev.name) // fails if it has none there
	}
}

// setCard brings the card of a reader into the state that a record wants. The
// caller holds the device. A card already in the reader is pulled and the
// wanted one put in within one moment.
func (d *Devices) setCard(ctx context.Context, dev *device, want record) error {
	faults, err := cardFaults(want.Faults, "body.faults")
	if err != nil {
		return err
	}
	if want.Plugged {
		if err := d.claim(want.User, dev); err != nil {
			return err
		}
	}
	card, err := d.card(ctx, want.User)
	if err == nil {
		err = placed(d.place(ctx, dev, card, want, faults), want)
	}
	if err != nil {
		d.release(dev, dev.record)
		return err
	}
	d.release(dev, want)
	was := dev.card
	if was != nil && was != card {
		was.ClearFaults() // they are the reader's script, and its next card's
	}
	d.change(func() { dev.card, dev.record = card, want })
	return nil
}

// claim makes a user's card one reader's.
func (d *Devices) claim(user string, dev *device) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if other := d.claims[user]; other != nil && other != dev {
		return &failure.Error{Code: failure.VirtualExists, Field: "body.user", Detail: "the card of this user is in " + other.name + "; remove it there first"}
	}
	d.claims[user] = dev
	return nil
}

func (d *Devices) claimedByOther(user string, dev *device) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	other := d.claims[user]
	return other != nil && other != dev
}

// release gives up all cards of a reader but the one that is in it by a
// record.
func (d *Devices) release(dev *device, is record) {
	d.change(func() {
		for user, holder := range d.claims {
			if holder == dev && (!is.Plugged || user != is.User) {
				delete(d.claims, user)
			}
		}
	})
}

// place puts the card where it is wanted.
func (d *Devices) place(ctx context.Context, dev *device, card *vcard.Card, want record, faults []vcard.Fault) error {
	old := card.Faults()
	if err := card.SetFaults(faults...); err != nil {
		return bad("body.faults", err.Error())
	}
	err := d.put(ctx, dev, card, want)
	if err != nil {
		_ = card.SetFaults(old...) // it had them before
	}
	return err
}

func (d *Devices) put(ctx context.Context, dev *device, card *vcard.Card, want record) error {
	if want.Where == inPCSCD {
		if err := d.takeOut(dev); err != nil {
			return err
		}
		if !want.Plugged {
			return nil
		}
		life, cancel, commit := d.lifetime(ctx)
		plug, err := vcard.PlugVPCD(life, vpcdAddress(want.VPCD), card)
		if err == nil && !commit() {
			err = errors.Join(ctx.Err(), plug.Close())
		}
		if err != nil {
			cancel()
			return err
		}
		_ = d.bench.RemoveReader(dev.name) // fails if it has none there
		d.change(func() { dev.plug, dev.cancel = plug, cancel })
		return nil
	}
	if dev.plug != nil { // pulled by a fault
		if err := d.takeOut(dev); err != nil {
			return err
		}
	}
	if err := d.bench.AddReader(dev.name); err != nil && !errors.Is(err, vcard.ErrReaderExists) {
		return err
	}
	if !want.Plugged {
		return nil
	}
	err := d.bench.Swap(dev.name, card)
	if errors.Is(err, vcard.ErrEmpty) {
		err = d.bench.Insert(dev.name, card)
	}
	return err
}

// lifetime is a context that ends with the devices, and with the request
// until commit says that the request has done its part.
func (d *Devices) lifetime(ctx context.Context) (life context.Context, cancel context.CancelFunc, commit func() bool) {
	life, cancel = context.WithCancel(d.life)
	return life, cancel, context.AfterFunc(ctx, cancel)
}

// placed says in a caller's words why a card is not where it is wanted.
func placed(err error, want record) error {
	switch {
	case err == nil, failure.CodeOf(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case want.Where == inPCSCD:
		return &failure.Error{Code: failure.VPCDUnavailable, Field: "body.vpcd", Detail: "nothing listens on " + vpcdAddress(want.VPCD), Err: err}
	}
	return err
}

// card is the card of a user, made on first use.
func (d *Devices) card(ctx context.Context, user string) (*vcard.Card, error) {
	select {
	case <-d.forge:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { d.forge <- struct{}{} }()
	d.mu.Lock()
	card := d.cards[user]
	d.mu.Unlock()
	if card != nil {
		return card, nil
	}
	if d.ca == nil {
		ca, err := vcard.OpenCA(d.config.Dir)
		if err != nil {
			return nil, failure.OfState("the test authority of virtual cards cannot be opened", err)
		}
		d.ca = ca
	}
	surname, forename := nameOf(user)
	card, err := vcard.OpenCard(d.cardFile(user), vcard.Profile{User: user, Surname: surname, Forename: forename, Keys: d.config.keys}, d.ca)
	if err != nil {
		return nil, failure.OfState("the virtual card cannot be opened or made", err)
	}
	d.change(func() { d.cards[user] = card })
	return card, nil
}
