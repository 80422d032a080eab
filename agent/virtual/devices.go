package virtual

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido"
	"authbridge/fido/vkey"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// DefaultPIN is that of every virtual card and key.
const DefaultPIN = vcard.DefaultPIN

// The embedded default: what is there on first use.
const (
	DefaultReader = "virtual-reader-1"
	DefaultKey    = "virtual-key-1"
)

// Where a device is plugged in.
const (
	inProcess = "in-process"
	inPCSCD   = "pcscd"
	inUHID    = "uhid"
)

// touchWait is how long a touch waits for a key that wants one: a script may
// ask for the touch before the ceremony has reached the key.
const touchWait = 10 * time.Second

// Memory keeps small values by name; package store has it.
type Memory interface {
	Settings(ctx context.Context, bucket string) (map[string][]byte, error)
	// SetSetting writes a value; nil deletes it.
	SetSetting(ctx context.Context, bucket, key string, value []byte) error
}

// Config is what the devices need.
type Config struct {
	// Dir is the folder for the test authority and what cards and keys keep.
	Dir string
	// Memory keeps which devices there are; nil forgets them at the end.
	Memory Memory
	// Empty leaves out the embedded default on first use.
	Empty bool
	// Snapshot is the newest of the inventory, to tell which authenticator a
	// device became; nil tells nothing.
	Snapshot func() *contract.Snapshot
	// Reread asks for a fresh read of an authenticator, or of the card in a
	// reader, by its id in the Snapshot, so that new faults are seen in
	// moments; nil leaves them to the next read.
	Reread func(id string) error
	// Log gets what happens in the background; nil is none.
	Log logrus.FieldLogger

	keys vcard.KeyType // of new cards; tests make the cheap ones
}

// Devices are all virtual devices. Its methods may be called concurrently;
// orders to one device are carried out one after the other.
type Devices struct {
	config Config
	bench  *vcard.Bench
	bus    *vkey.Bus

	life     context.Context
	end      context.CancelFunc
	work     sync.WaitGroup
	restored chan struct{}

	forge chan struct{} // holds one token: cards are made one at a time
	ca    *vcard.CA     // of who holds the token

	mu      sync.Mutex // guards the rest; held for moments only
	devices map[id]*device
	cards   map[string]*vcard.Card // by user
	claims  map[string]*device     // which reader a user's card is for
	closed  sync.Once
	closing error
}

// id names a device.
type id struct {
	kind contract.Kind
	name string
}

// New makes the devices that were there before, or the embedded default, and
// returns at once: readers are there when it returns, keys and cards soon
// after, because making them takes time.
func New(ctx context.Context, config Config) (*Devices, error) {
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, &failure.Error{Code: failure.StateUnusable, Detail: "the folder of virtual devices cannot be made", Err: err}
	}
	d := &Devices{
		config: config, bench: vcard.NewBench(), bus: vkey.NewBus(), restored: make(chan struct{}),
		forge: make(chan struct{}, 1), devices: make(map[id]*device), cards: make(map[string]*vcard.Card),
		claims: make(map[string]*device),
	}
	d.life, d.end = context.WithCancel(context.WithoutCancel(ctx))
	d.forge <- struct{}{}
	records, err := d.remember(ctx)
	if err != nil {
		d.end()
		return nil, err
	}
	d.restore(records)
	return d, nil
}

// System is the PC/SC service of the virtual readers in this process.
func (d *Devices) System() pcsc.System { return d.bench }

// Bus is the bus of the virtual keys in this process.
func (d *Devices) Bus() fido.Bus { return d.bus }

// Restored waits until all that was there before is there again, as far as
// that is possible.
func (d *Devices) Restored(ctx context.Context) error {
	select {
	case <-d.restored:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close takes all devices away and waits until nothing of them is left. What
// was plugged in will be so again at the next start.
func (d *Devices) Close() error {
	d.closed.Do(func() { d.closing = d.close() })
	return d.closing
}

func (d *Devices) close() error {
	d.end()
	d.work.Wait()
	d.mu.Lock()
	all := make([]*device, 0, len(d.devices))
	for _, dev := range d.devices {
		all = append(all, dev)
	}
	cards := make(map[string]*vcard.Card, len(d.cards))
	for user, card := range d.cards {
		cards[user] = card
	}
	d.mu.Unlock()
	var errs []error
	for _, dev := range all {
		<-dev.order // an order under way ends first; nobody gives it back
		errs = append(errs, d.takeOut(dev))
	}
	d.bus.Close()
	errs = append(errs, d.bench.Close())
	for user, card := range cards {
		errs = append(errs, card.Save(d.cardFile(user))) // with its counts
	}
	return errors.Join(errs...)
}

// device is a virtual reader or key. Its order token is held by whoever works
// on it; the rest is guarded by Devices.mu, and changed by the token's holder
// only.
type device struct {
	id
	order chan struct{}

	fresh  bool // nothing has come of it yet
	record record
	card   *vcard.Card // of a reader; nil until it was made
	plug   *vcard.Plug // in pcscd
	key    *vkey.Key   // nil until it was made
	uhid   *vkey.UHID  // in the kernel
	cancel context.CancelFunc
}

func newDevice(name id) *device {
	dev := &device{id: name, order: make(chan struct{}, 1)}
	dev.order <- struct{}{}
	dev.record.Where = inProcess
	return dev
}

// hold takes a device for one order. make says whether it may come into being.
func (d *Devices) hold(ctx context.Context, name id, create bool) (*device, func(), error) {
	for {
		d.mu.Lock()
		dev := d.devices[name]
		if dev == nil && create {
			if other := d.alike(name); other != "" {
				d.mu.Unlock()
				return nil, nil, &failure.Error{Code: failure.VirtualExists, Field: "body.name", Detail: other}
			}
			dev = newDevice(name)
			dev.fresh = true
			d.devices[name] = dev
		}
		d.mu.Unlock()
		if dev == nil {
			return nil, nil, &failure.Error{Code: failure.NotFound, Field: "path.name", Detail: "there is no virtual " + word(name.kind) + " of that name; GET /v1/virtual lists them"}
		}
		select {
		case <-dev.order:
		case <-d.life.Done():
			return nil, nil, stopping()
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		release := func() { dev.order <- struct{}{} }
		d.mu.Lock()
		same := d.devices[name] == dev
		d.mu.Unlock()
		if same && d.life.Err() == nil {
			return dev, release, nil
		}
		release() // it was deleted meanwhile, or all is ending
		if d.life.Err() != nil {
			return nil, nil, stopping()
		}
	}
}

// holdUnplugged takes the device of that name; without a name one that has
// nothing plugged in.
func (d *Devices) holdUnplugged(ctx context.Context, name id) (*device, func(), error) {
	if name.name != "" {
		return d.hold(ctx, name, true)
	}
	for {
		name.name = d.free(name.kind)
		dev, release, err := d.hold(ctx, name, true)
		if err != nil || !dev.isPlugged(d) {
			return dev, release, err
		}
		release() // somebody was faster
	}
}

func stopping() error {
	return &failure.Error{Code: failure.ShuttingDown}
}

// change edits what the lock guards.
func (d *Devices) change(edit func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	edit()
}

// List lists all devices, by kind and name.
func (d *Devices) List() []contract.VirtualDevice {
	d.mu.Lock()
	devices := make([]device, 0, len(d.devices))
	for _, dev := range d.devices {
		devices = append(devices, dev.copy())
	}
	d.mu.Unlock()
	list := d.describe(devices...)
	slices.SortFunc(list, func(a, b contract.VirtualDevice) int {
		return cmp.Or(-cmp.Compare(a.Kind, b.Kind), compareNames(a.Name, b.Name))
	})
	return list
}

// shown is one device as the API tells it.
func (d *Devices) shown(dev *device) contract.VirtualDevice {
	d.mu.Lock()
	now := dev.copy()
	d.mu.Unlock()
	return d.describe(now)[0]
}

// copy is called with the lock held. Who describes the copy may wait for a
// card that is at work, and holds nobody up.
func (dev *device) copy() device { return *dev }

func (d *Devices) describe(devices ...device) []contract.VirtualDevice {
	list := make([]contract.VirtualDevice, len(devices))
	for i := range devices {
		list[i] = devices[i].describe()
	}
	d.identify(list)
	return list
}

func (dev *device) describe() contract.VirtualDevice {
	v := contract.VirtualDevice{
		Name: dev.name, Kind: dev.kind, Plugged: dev.plugged(), Where: dev.record.Where,
		Faults: append([]contract.Fault{}, dev.record.Faults...), CanFail: faultNames(dev.kind),
	}
	switch dev.kind {
	case contract.Smartcard:
		v.Profile, v.User = "nhs", dev.record.User
		if dev.card != nil {
			v.APDUs, v.PINTries = dev.card.APDUs(), dev.card.PINTries()
		}
	default:
		v.Touch = dev.record.touch()
		if dev.key != nil {
			stats := dev.key.Stats()
			v.Messages, v.PINTries = stats.Messages, stats.PINTries
		}
	}
	return v
}

// plugged is what is, not what was asked for: a card may have been pulled by a
// fault, a key by the kernel.
func (dev *device) plugged() bool {
	switch {
	case dev.plug != nil:
		return !closed(dev.plug.Done())
	case dev.uhid != nil:
		return !closed(dev.uhid.Done())
	}
	return dev.record.Plugged && dev.record.Where == inProcess && (dev.card != nil || dev.key != nil)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// identify fills in which authenticators the devices became.
func (d *Devices) identify(list []contract.VirtualDevice) {
	if d.config.Snapshot == nil {
		return
	}
	s := d.config.Snapshot()
	if s == nil {
		return
	}
	for i := range list {
		if list[i].Plugged {
			list[i].Authenticator = authenticatorOf(s, &list[i])
		}
	}
}

// authenticatorOf finds a device in a snapshot: a card by its reader, a key by
// its product string, which has its name.
func authenticatorOf(s *contract.Snapshot, v *contract.VirtualDevice) string {
	if v.Kind == contract.Smartcard {
		if r := readerOf(s, v); r != nil {
			return r.Card
		}
		return ""
	}
	for i := range s.Authenticators {
		if a := &s.Authenticators[i]; a.Origin == contract.Virtual && a.Product == productOf(v.Name) {
			return a.ID
		}
	}
	return ""
}

// readerOf finds a virtual reader in a snapshot. A card in pcscd is in a reader
// that pcscd named, and is not found.
func readerOf(s *contract.Snapshot, v *contract.VirtualDevice) *contract.Reader {
	for i := range s.Readers {
		if r := &s.Readers[i]; r.Origin == contract.Virtual && r.Name == v.Name && v.Where == inProcess {
			return r
		}
	}
	return nil
}

func productOf(key string) string { return "authbridge virtual key " + key }

func (d *Devices) cardFile(user string) string {
	return filepath.Join(d.config.Dir, "card-"+user+".json")
}

func (d *Devices) keyFile(name string) string {
	return filepath.Join(d.config.Dir, "key-"+name+".json")
}

// tell logs what went wrong in the background.
func (d *Devices) tell(dev *device, err error) {
	if d.config.Log != nil && err != nil && !errors.Is(err, context.Canceled) {
		d.config.Log.WithField("device", dev.name).WithError(err).Warn(fmt.Sprintf("virtual %s is not plugged in again", word(dev.kind)))
	}
}

func word(k contract.Kind) string {
	if k == contract.Smartcard {
		return "reader"
	}
	return "key"
}
