package virtual_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/virtual"
	"authbridge/fido"
	"authbridge/pcsc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory keeps settings as the store does.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	broken error
}

func (m *memory) Settings(context.Context, string) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values), m.broken
}

func (m *memory) SetSetting(_ context.Context, _, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = make(map[string][]byte)
	}
	if value == nil {
		delete(m.values, key)
	} else {
		m.values[key] = value
	}
	return m.broken
}

// begin makes devices that end with the test.
func begin(t *testing.T, config virtual.Config) *virtual.Devices {
	t.Helper()
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	d, err := virtual.New(t.Context(), config.Quick())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.Restored(soon(t)); err != nil {
		t.Fatal(err)
	}
	return d
}

// soon is a context for what should happen at once, on a machine that is busy.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T) func(contract.VirtualDevice, error) contract.VirtualDevice {
	return func(v contract.VirtualDevice, err error) contract.VirtualDevice {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantCode(t *testing.T, err error, code failure.Code, field string) {
	t.Helper()
	e, ok := err.(*failure.Error) //nolint:errorlint // the API gets it as it is
	if !ok || e.Code != code || e.Field != field {
		t.Errorf("got %#v, want %s at %q", err, code, field)
	}
	if ok && e.Detail == "" {
		t.Errorf("%s says nothing to the caller", e.Code)
	}
}

func listed(t *testing.T, d *virtual.Devices, name string) contract.VirtualDevice {
	t.Helper()
	for _, v := range d.List() {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("%s is not listed", name)
	return contract.VirtualDevice{}
}

// cardIn asks PC/SC what is in a reader: whether there is one, and a card.
func cardIn(t *testing.T, d *virtual.Devices, reader string) (there, card bool) {
	t.Helper()
	c, err := d.System().Establish()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Release() }()
	states := []pcsc.ReaderState{{Reader: reader}}
	if err := c.GetStatusChange(states, 0); err != nil {
		return false, false
	}
	return true, states[0].Event.Has(pcsc.StatePresent)
}

// events is the insert and remove counter of a reader.
func events(t *testing.T, d *virtual.Devices, reader string) uint16 {
	t.Helper()
	c, err := d.System().Establish()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Release() }()
	states := []pcsc.ReaderState{{Reader: reader}}
	if err := c.GetStatusChange(states, 0); err != nil {
		t.Fatal(err)
	}
	return states[0].Event.Counter()
}

// transmit sends one APDU to the card in a reader.
func transmit(t *testing.T, d *virtual.Devices, reader string, command []byte) []byte {
	t.Helper()
	c, err := d.System().Establish()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Release() }()
	h, err := c.Connect(reader, pcsc.ShareShared, pcsc.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Disconnect(pcsc.LeaveCard) }()
	answer, err := h.Transmit(command)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// onBus lists the products of the keys on the bus.
func onBus(t *testing.T, d *virtual.Devices) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	var products []string
	err := d.Bus().Watch(ctx, func(c fido.Change) {
		if c.Settled {
			cancel()
			return
		}
		if !c.Node.Virtual {
			t.Errorf("%s passes for real", c.Node.Product)
		}
		products = append(products, c.Node.Product)
	})
	if err != nil {
		t.Fatal(err)
	}
	return products
}
