package virtual

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/pcsc/vcard"
)

// SetFaults replaces the faults of a device; none clears them. They take effect
// at once, and a fresh read is asked for, so that they show in moments; what
// shows only on another insertion is said with Reinsert.
func (d *Devices) SetFaults(ctx context.Context, kind contract.Kind, name string, faults []contract.Fault) (contract.VirtualDevice, error) {
	dev, release, err := d.hold(ctx, id{kind, name}, false)
	if err != nil {
		return contract.VirtualDevice{}, err
	}
	defer release()
	want, was := dev.record, dev.record.Faults
	want.Faults = append([]contract.Fault(nil), faults...)
	switch kind {
	case contract.Smartcard:
		translated, err := cardFaults(faults, "body")
		if err != nil {
			return contract.VirtualDevice{}, err
		}
		if dev.card != nil {
			if err := dev.card.SetFaults(translated...); err != nil {
				return contract.VirtualDevice{}, bad("body", err.Error())
			}
		}
	default:
		translated, err := keyFaults(faults, "body")
		if err != nil {
			return contract.VirtualDevice{}, err
		}
		if dev.key != nil {
			if err := dev.key.SetFaults(translated...); err != nil {
				return contract.VirtualDevice{}, bad("body", err.Error())
			}
		}
	}
	d.change(func() { dev.record = want })
	if err := d.keep(ctx, dev.id, &want); err != nil {
		return contract.VirtualDevice{}, err
	}
	shown := d.shown(dev)
	shown.Reinsert = shown.Plugged && !d.showAgain(&shown, was, want.Faults)
	return shown, nil
}

// showAgain has a device read anew. It is false where that cannot show the new
// faults: what a card answers to reset is asked at its insertion only, a card
// that hangs is left alone until it is taken out, and where a card is that went
// to pcscd is not known here.
func (d *Devices) showAgain(v *contract.VirtualDevice, was, is []contract.Fault) bool {
	if d.config.Snapshot == nil || d.config.Reread == nil {
		return false
	}
	s := d.config.Snapshot()
	if s == nil {
		return false
	}
	read, shows := authenticatorOf(s, v), true
	if v.Kind == contract.Smartcard {
		shows = v.Where == inProcess && atReset(was) == atReset(is)
		if r := readerOf(s, v); r != nil {
			shows = shows && r.Condition != contract.Hung
			if read == "" { // it was never read
				read = r.ID
			}
		}
	}
	if read != "" {
		// What is not known there any more, or not yet, is read once it is.
		_ = d.config.Reread(read)
	}
	return shows
}

// atReset are the faults that show in the answer to reset.
func atReset(faults []contract.Fault) (found [2]bool) {
	for _, f := range faults {
		switch vcard.FaultName(f.Name) {
		case vcard.FaultRetiredATR:
			found[0] = true
		case vcard.FaultNoATR:
			found[1] = true
		}
	}
	return found
}
