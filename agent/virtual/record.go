package virtual

import (
	"context"
	"encoding/json"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// bucket is where the records lie in the memory.
const bucket = "virtual"

// begun is kept once the embedded default was made: who deletes all devices
// finds none at the next start.
const begun = "begun"

// record is what is kept of a device over restarts.
type record struct {
	Plugged bool             `json:"plugged"`
	Where   string           `json:"where"`
	VPCD    string           `json:"vpcd,omitempty"`
	User    string           `json:"user,omitempty"`
	Touch   string           `json:"touch,omitempty"`
	Faults  []contract.Fault `json:"faults,omitempty"`
}

func (r record) touch() string {
	if r.Touch == "" {
		return "auto"
	}
	return r.Touch
}

// remember reads the records of all devices. On first use they are those of
// the embedded default.
func (d *Devices) remember(ctx context.Context) (map[id]record, error) {
	records := make(map[id]record)
	kept := map[string][]byte{}
	if d.config.Memory != nil {
		var err error
		if kept, err = d.config.Memory.Settings(ctx, bucket); err != nil {
			return nil, &failure.Error{Code: failure.StateUnusable, Detail: "what is known of virtual devices cannot be read", Err: err}
		}
	}
	for key, value := range kept {
		kind, name, _ := strings.Cut(key, "/")
		var r record
		if json.Unmarshal(value, &r) != nil || !validName(name) || kind != string(contract.Smartcard) && kind != string(contract.SecurityKey) {
			continue // of a version that we do not know: leave it alone
		}
		records[id{contract.Kind(kind), name}] = r
	}
	if len(kept) == 0 && !d.config.Empty {
		if d.config.Memory != nil {
			if err := d.config.Memory.SetSetting(ctx, bucket, begun, []byte("true")); err != nil {
				return nil, &failure.Error{Code: failure.StateUnusable, Detail: "what is plugged in cannot be written down", Err: err}
			}
		}
		for name, r := range map[id]record{
			{contract.Smartcard, DefaultReader}: {Plugged: true, Where: inProcess, User: firstUser},
			{contract.SecurityKey, DefaultKey}:  {Plugged: true, Where: inProcess},
		} {
			records[name] = r
			if err := d.keep(ctx, name, &r); err != nil {
				return nil, err
			}
		}
	}
	return records, nil
}

// keep writes the record of a device; nil forgets it.
func (d *Devices) keep(ctx context.Context, name id, r *record) error {
	if d.config.Memory == nil {
		return nil
	}
	var value []byte
	if r != nil {
		var err error
		if value, err = json.Marshal(r); err != nil {
			return err
		}
	}
	// What was done is written down, whether or not somebody still waits.
	if err := d.config.Memory.SetSetting(context.WithoutCancel(ctx), bucket, string(name.kind)+"/"+name.name, value); err != nil {
		return &failure.Error{Code: failure.StateUnusable, Detail: "what is plugged in cannot be written down", Err: err}
	}
	return nil
}

// restore brings the devices back: the readers at once, what is in them and
// the keys in the background, keys first because they are made in no time.
func (d *Devices) restore(records map[id]record) {
	var keys, readers []*device
	for name, r := range records {
		dev := newDevice(name)
		<-dev.order // restoring is the first order
		dev.record = r
		d.devices[name] = dev
		if name.kind == contract.SecurityKey {
			keys = append(keys, dev)
			continue
		}
		readers = append(readers, dev)
		if r.Where == inProcess {
			_ = d.bench.AddReader(name.name) // fails if it is there
		}
	}
	d.work.Go(func() {
		defer close(d.restored)
		for _, dev := range append(keys, readers...) {
			if d.life.Err() == nil {
				d.tell(dev, d.bringBack(dev))
			}
			dev.order <- struct{}{}
		}
	})
}

func (d *Devices) bringBack(dev *device) error {
	if dev.kind == contract.SecurityKey {
		return d.setKey(d.life, dev, dev.record)
	}
	if dev.record.User == "" {
		return nil
	}
	return d.setCard(d.life, dev, dev.record)
}
