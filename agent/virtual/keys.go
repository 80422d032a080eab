package virtual

import (
	"context"
	"errors"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido/vkey"
)

// Plug makes a virtual key and plugs it in, or plugs an existing one. Without
// a name it takes the first that is unplugged, or makes one.
func (d *Devices) Plug(ctx context.Context, in contract.VirtualPlug) (contract.VirtualDevice, error) {
	if err := checkPlug(in); err != nil {
		return contract.VirtualDevice{}, err
	}
	dev, release, err := d.holdUnplugged(ctx, id{contract.SecurityKey, in.Name})
	if err != nil {
		return contract.VirtualDevice{}, err
	}
	defer release()
	if dev.isPlugged(d) {
		return contract.VirtualDevice{}, &failure.Error{Code: failure.VirtualExists, Field: "body.name", Detail: dev.name + " is plugged in already; unplug it first"}
	}
	want := dev.record
	want.Plugged, want.Where = true, inProcess
	if in.UHID {
		want.Where = inUHID
	}
	if in.Touch != "" {
		want.Touch = in.Touch
	}
	if in.Faults != nil {
		want.Faults = in.Faults
	}
	return d.settle(ctx, dev, want, d.setKey)
}

// Unplug pulls a key out, whatever it is doing. It keeps its PIN and
// credentials.
func (d *Devices) Unplug(ctx context.Context, name string) (contract.VirtualDevice, error) {
	return d.unplug(ctx, id{contract.SecurityKey, name}, name+" is not plugged in")
}

// Touch puts a finger on a key. It waits a while for the key to want one, as a
// person does who watches for the blinking.
func (d *Devices) Touch(ctx context.Context, name string) error {
	d.mu.Lock()
	dev := d.devices[id{contract.SecurityKey, name}]
	var key *vkey.Key
	var touch string
	plugged := dev != nil && dev.plugged()
	if dev != nil {
		key, touch = dev.key, dev.record.touch()
	}
	d.mu.Unlock()
	switch {
	case dev == nil:
		return &failure.Error{Code: failure.NotFound, Field: "path.name", Detail: "there is no virtual key of that name; GET /v1/virtual lists them"}
	case !plugged:
		return &failure.Error{Code: failure.VirtualState, Field: "path.name", Detail: name + " is not plugged in"}
	case touch != string(vkey.TouchCommand):
		return &failure.Error{Code: failure.VirtualState, Field: "path.name", Detail: name + " is not touched by command but " + touch + "; plug it in with touch command"}
	}
	ctx, cancel := context.WithTimeout(ctx, touchWait)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	for {
		if err := key.AwaitTouch(ctx); err != nil {
			return &failure.Error{Code: failure.VirtualState, Field: "path.name", Detail: name + " did not wait for a touch within " + touchWait.String(), Err: err}
		}
		if key.Touch() {
			return nil
		}
	}
}

// unplug takes out what is plugged in and writes that down.
func (d *Devices) unplug(ctx context.Context, name id, refusal string) (contract.VirtualDevice, error) {
	dev, release, err := d.hold(ctx, name, false)
	if err != nil {
		return contract.VirtualDevice{}, err
	}
	defer release()
	if !dev.isPlugged(d) && !dev.record.Plugged {
		return contract.VirtualDevice{}, &failure.Error{Code: failure.VirtualState, Field: "path.name", Detail: refusal}
	}
	if err := d.takeOut(dev); err != nil {
		return contract.VirtualDevice{}, err
	}
	want := dev.record
	want.Plugged = false
	d.release(dev, want)
	d.change(func() { dev.record = want })
	if err := d.keep(ctx, name, &want); err != nil {
		return contract.VirtualDevice{}, err
	}
	return d.shown(dev), nil
}

// isPlugged is for the holder of the device.
func (dev *device) isPlugged(d *Devices) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return dev.plugged()
}

// takeOut takes a device out of wherever it is plugged in.
func (d *Devices) takeOut(dev *device) error {
	var errs []error
	if dev.plug != nil {
		errs = append(errs, dev.plug.Close())
	}
	if dev.uhid != nil {
		errs = append(errs, dev.uhid.Unplug())
	}
	if dev.cancel != nil {
		dev.cancel()
	}
	d.change(func() { dev.plug, dev.uhid, dev.cancel = nil, nil, nil })
	if dev.kind == contract.Smartcard {
		_ = d.bench.Remove(dev.name) // fails if it is empty or not there
	} else if dev.key != nil {
		if err := d.bus.Unplug(dev.key); err != nil && !errors.Is(err, vkey.ErrNotPlugged) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// setKey brings a key into the state that a record wants. The caller holds the
// device.
func (d *Devices) setKey(ctx context.Context, dev *device, want record) error {
	faults, err := keyFaults(want.Faults, "body.faults")
	if err != nil {
		return err
	}
	key := dev.key
	if key == nil {
		if key, err = vkey.New(vkey.Config{Name: dev.name, PIN: []byte(DefaultPIN), File: d.keyFile(dev.name)}); err != nil {
			return failure.OfState("the virtual key cannot be opened or made", err)
		}
	}
	if err := errors.Join(key.SetTouch(vkey.Touch(want.touch())), key.SetFaults(faults...)); err != nil {
		return bad("body", err.Error())
	}
	if want.Plugged {
		if err := d.plugKey(ctx, dev, key, want); err != nil {
			return err
		}
	}
	d.change(func() { dev.key, dev.record = key, want })
	return nil
}

func (d *Devices) plugKey(ctx context.Context, dev *device, key *vkey.Key, want record) error {
	if err := d.takeOut(dev); err != nil { // what is left of one that the kernel pulled
		return err
	}
	if want.Where != inUHID {
		return d.bus.Plug(key)
	}
	life, cancel, commit := d.lifetime(ctx)
	uhid, err := vkey.PlugUHID(life, key)
	if err == nil && !commit() {
		err = errors.Join(ctx.Err(), uhid.Unplug())
	}
	switch {
	case errors.Is(err, vkey.ErrNoUHID):
		cancel()
		return &failure.Error{Code: failure.UHIDUnavailable, Field: "body.uhid", Detail: err.Error()}
	case err != nil:
		cancel()
		return err
	}
	d.change(func() { dev.uhid, dev.cancel = uhid, cancel })
	return nil
}
