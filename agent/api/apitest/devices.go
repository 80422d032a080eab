package apitest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
)

// SourceName is that of the scripted source.
const SourceName = "scripted"

// Source is a source that sees what the test says.
type Source struct {
	script chan inventory.Observation
	began  time.Time
	seen   time.Duration // one nanosecond an observation; Observe's alone

	mu      sync.Mutex
	ids     map[string]bool
	rereads []string
}

func newSource() *Source {
	return &Source{script: make(chan inventory.Observation), began: time.Now(), ids: make(map[string]bool)}
}

// Name is SourceName.
func (s *Source) Name() string { return SourceName }

// Run publishes what Observe brings.
func (s *Source) Run(ctx context.Context, publish func(inventory.Observation)) error {
	for {
		select {
		case o := <-s.script:
			s.mu.Lock()
			clear(s.ids)
			for _, c := range o.Cards {
				s.ids[c.ID] = true
			}
			for _, k := range o.Keys {
				s.ids[k.ID] = true
			}
			s.mu.Unlock()
			publish(o)
		case <-ctx.Done():
			return nil
		}
	}
}

// Reread notes that a fresh read was asked for.
func (s *Source) Reread(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ids[id] {
		return false
	}
	s.rereads = append(s.rereads, id)
	return true
}

// Rereads are the ids of which a fresh read was asked for.
func (s *Source) Rereads() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.rereads...)
}

// Card is a virtual card that was read.
func Card(id, holder, user string) health.Card {
	tries := 3
	now := time.Now()
	return health.Card{
		Authenticator: contract.Authenticator{
			ID: id, Name: "virtual card " + id, Kind: contract.Smartcard, Origin: contract.Virtual, Source: SourceName,
			Transport: "pcsc", Condition: contract.Ready, Environment: "test", Holder: holder, User: user,
			PIN: contract.PIN{State: "ok", TriesLeft: &tries}, InsertedAt: now, ReadAt: now, ObservedAt: now,
		},
		PIV: true,
		Certificates: []contract.Certificate{{
			Slot: "9A", Subject: "CN=" + user + "_" + holder, Issuer: "CN=Test CA", Environment: "test",
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), Key: "RSA-2048", SHA256: "00ff", Serial: "1", DER: []byte{0x30, 0x00},
		}},
	}
}

// Key is a virtual key that was read.
func Key(id string) health.Key {
	now := time.Now()
	return health.Key{Authenticator: contract.Authenticator{
		ID: id, Name: "virtual key " + id, Kind: contract.SecurityKey, Origin: contract.Virtual, Source: SourceName,
		Transport: "hid", Condition: contract.Ready, PIN: contract.PIN{State: "ok"}, InsertedAt: now, ReadAt: now, ObservedAt: now,
	}}
}

// Devices take the orders to virtual devices, and do nothing but note them.
type Devices struct {
	mu     sync.Mutex
	orders []string
	fails  error
}

// Fail makes every later order fail.
func (d *Devices) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails = err
}

// Orders are all that were given, in order.
func (d *Devices) Orders() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.orders...)
}

// Missing is the name of a device that is never there.
const Missing = "missing"

func (d *Devices) order(kind contract.Kind, name, format string, args ...any) (contract.VirtualDevice, error) {
	if name == Missing {
		return contract.VirtualDevice{}, &failure.Error{Code: failure.NotFound, Field: "path.name", Detail: "there is no such virtual device"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails != nil {
		return contract.VirtualDevice{}, d.fails
	}
	d.orders = append(d.orders, fmt.Sprintf(format, args...))
	return contract.VirtualDevice{Name: name, Kind: kind, Plugged: true, Where: "in-process", Faults: []contract.Fault{}}, nil
}

// List is empty.
func (d *Devices) List() []contract.VirtualDevice { return nil }

// Insert notes it.
func (d *Devices) Insert(_ context.Context, c contract.VirtualInsert) (contract.VirtualDevice, error) {
	return d.order(contract.Smartcard, c.Name, "insert %+v", c)
}

// Remove notes it.
func (d *Devices) Remove(_ context.Context, name string) (contract.VirtualDevice, error) {
	return d.order(contract.Smartcard, name, "remove %s", name)
}

// Swap notes it.
func (d *Devices) Swap(_ context.Context, name string, c contract.VirtualInsert) (contract.VirtualDevice, error) {
	return d.order(contract.Smartcard, name, "swap %s %+v", name, c)
}

// Plug notes it.
func (d *Devices) Plug(_ context.Context, k contract.VirtualPlug) (contract.VirtualDevice, error) {
	return d.order(contract.SecurityKey, k.Name, "plug %+v", k)
}

// Unplug notes it.
func (d *Devices) Unplug(_ context.Context, name string) (contract.VirtualDevice, error) {
	return d.order(contract.SecurityKey, name, "unplug %s", name)
}

// Touch notes it.
func (d *Devices) Touch(_ context.Context, name string) error {
	_, err := d.order(contract.SecurityKey, name, "touch %s", name)
	return err
}

// Delete notes it.
func (d *Devices) Delete(_ context.Context, name string) error {
	_, err := d.order("", name, "delete %s", name)
	return err
}

// SetFaults notes it.
func (d *Devices) SetFaults(_ context.Context, kind contract.Kind, name string, faults []contract.Fault) (contract.VirtualDevice, error) {
	return d.order(kind, name, "faults %s %s %+v", kind, name, faults)
}
