package vkey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"authbridge/fido"
)

// Identification of a virtual key on its bus. The vendor is none that exists:
// no rule for a product's key matches it.
const (
	VendorID  = 0xf1d0
	ProductID = 0xa17b
)

// Config says what key to make.
type Config struct {
	// Name tells the keys of a machine apart; it is in the product string.
	Name string
	// Serial is its serial number; empty: the name.
	Serial string
	// PIN is set if there is none yet.
	PIN []byte
	// Touch is TouchAuto unless given.
	Touch Touch
	// TouchTimeout is how long it waits for a touch; 0: 30 s.
	TouchTimeout time.Duration
	Faults       []Fault
	// File keeps what outlives the power, 0600; empty: nothing does.
	File string
}

// Key is a virtual security key. It is plugged into one bus at a time; it has
// power while it is. All methods can be called at any time from any goroutine.
type Key struct {
	name, serial string
	mem          *memory

	mu      sync.Mutex // guards what follows
	set     settings
	stats   Stats
	log     []Entry
	waiting bool
	changed chan struct{} // closed when waiting changes
	power   *power        // nil while it is not plugged
}

// settings are what can be changed from outside while the key works.
type settings struct {
	touch        Touch
	touchTimeout time.Duration
	faults       []Fault
	delay        time.Duration // of the fault Slow
}

func (s settings) has(name FaultName) bool {
	return slices.ContainsFunc(s.faults, func(f Fault) bool { return f.Name == name })
}

// Stats counts what a key was asked since it was made.
type Stats struct {
	// Messages are whole CTAPHID messages, answered or not.
	Messages uint64
	// PINTries are clientPIN messages that carried a PIN to be compared.
	PINTries uint64
}

// New makes a key, or reads it from its file.
func New(cfg Config) (*Key, error) {
	set := settings{touch: cfg.Touch, touchTimeout: cfg.TouchTimeout}
	if set.touch == "" {
		set.touch = TouchAuto
	}
	if set.touchTimeout == 0 {
		set.touchTimeout = 30 * time.Second
	}
	if cfg.Name == "" || !label(cfg.Name) || !label(cfg.Serial) {
		return nil, errors.New("vkey: a key's name and serial number have 1 to 63 printable ASCII characters")
	}
	k := &Key{name: cfg.Name, serial: cfg.Serial, set: set, changed: make(chan struct{})}
	if k.serial == "" {
		k.serial = cfg.Name
	}
	if err := k.SetTouch(set.touch); err != nil {
		return nil, err
	}
	if err := k.SetFaults(cfg.Faults...); err != nil {
		return nil, err
	}
	var err error
	if k.mem, err = openMemory(cfg.File); err != nil {
		return nil, err
	}
	if hash, _ := k.mem.pin(); hash == nil && cfg.PIN != nil {
		if err := k.SetPIN(cfg.PIN); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// label says whether a name can be told to a kernel: there it becomes a line
// of text.
func label(name string) bool {
	return len(name) <= 63 && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
}

// Save writes what outlives the power to a file, 0600. Config.File reads it.
func (k *Key) Save(file string) error { return k.mem.save(file) }

// Name is the key's name among those of its maker.
func (k *Key) Name() string { return k.name }

// Serial is its serial number.
func (k *Key) Serial() string { return k.serial }

// Product is its product string, which says that it is virtual.
func (k *Key) Product() string { return "authbridge virtual key " + k.name }

func (k *Key) node(path string) fido.Node {
	return fido.Node{
		Path: path, Product: k.Product(), Serial: k.serial,
		VendorID: VendorID, ProductID: ProductID, Virtual: true,
	}
}

// SetPIN sets the PIN as its maker could, without the old one, and gives all
// tries back.
func (k *Key) SetPIN(pin []byte) error {
	if len(pin) > 63 || !utf8.Valid(pin) || utf8.RuneCount(pin) < minPINLength || pin[len(pin)-1] == 0 {
		return fmt.Errorf("vkey: a PIN has %d characters to 63 octets", minPINLength)
	}
	return k.mem.setPIN(hashPIN(pin))
}

// Touch puts a finger on the key. It is false if the key did not wait for
// one: then nothing came of it.
func (k *Key) Touch() bool {
	k.mu.Lock()
	p := k.power
	k.mu.Unlock()
	return p != nil && p.touch()
}

// AwaitTouch returns once the key waits for a touch.
func (k *Key) AwaitTouch(ctx context.Context) error {
	for {
		k.mu.Lock()
		waiting, changed := k.waiting, k.changed
		k.mu.Unlock()
		if waiting {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// SetTouch says how touches come from now on.
func (k *Key) SetTouch(t Touch) error {
	if t != TouchAuto && t != TouchCommand && t != TouchNever {
		return fmt.Errorf("vkey: no way of touching %q", t)
	}
	k.adjust(func(s *settings) { s.touch = t })
	return nil
}

// TouchMode is how touches come.
func (k *Key) TouchMode() Touch { return k.settings().touch }

// SetFaults replaces the faults. What is under way goes on as it began.
func (k *Key) SetFaults(faults ...Fault) error {
	var delay time.Duration
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
		delay = max(delay, f.Delay)
	}
	k.adjust(func(s *settings) { s.faults, s.delay = slices.Clone(faults), delay })
	return nil
}

// Faults are those that are set.
func (k *Key) Faults() []Fault { return slices.Clone(k.settings().faults) }

// clearFault ends a fault.
func (k *Key) clearFault(name FaultName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set.faults = slices.DeleteFunc(slices.Clone(k.set.faults), func(f Fault) bool { return f.Name == name })
}

func (k *Key) adjust(change func(*settings)) {
	k.mu.Lock()
	change(&k.set)
	p := k.power
	k.mu.Unlock()
	if p != nil {
		p.kick()
	}
}

func (k *Key) settings() settings {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set
}

func (k *Key) waits(waiting bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waiting != waiting {
		k.waiting = waiting
		close(k.changed)
		k.changed = make(chan struct{})
	}
}

// Stats tells what the key was asked.
func (k *Key) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stats
}
