package inventory

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/fido"
	"authbridge/fido/vkey"
)

func newKey(t *testing.T, name string, faults ...vkey.Fault) *vkey.Key {
	t.Helper()
	key, err := vkey.New(vkey.Config{Name: name, PIN: []byte("123456"), Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func plug(t *testing.T, bus *vkey.Bus, key *vkey.Key) {
	t.Helper()
	if err := bus.Plug(key); err != nil {
		t.Fatal(err)
	}
}

// await waits for a state of the inventory, with a generous deadline.
func await(t *testing.T, inv *Inventory, what string, wanted func(*contract.Snapshot) bool) *contract.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := inv.Await(ctx, wanted)
	if err != nil {
		t.Fatalf("%s: %v; the state is %s", what, err, inv.Encoded(true))
	}
	return s
}

// keyIn finds a key by its product string.
func keyIn(s *contract.Snapshot, key *vkey.Key) *contract.Authenticator {
	return find(s.Authenticators, func(a *contract.Authenticator) bool { return a.Product == key.Product() })
}

func startKeys(t *testing.T, bus *vkey.Bus) *Inventory {
	source := NewKeys(KeysConfig{Name: "virtual-fido", Bus: bus, Virtual: true})
	inv, _ := start(t, Config{Sources: []Source{source}, Judge: health.Judge})
	t.Cleanup(bus.Close)
	return inv
}

func TestAPluggedKeyIsPresentThenReadyWithItsChecksAndCostsNoTry(t *testing.T) {
	bus, key := vkey.NewBus(), newKey(t, "one")
	inv := startKeys(t, bus)
	await(t, inv, "the source is up", func(s *contract.Snapshot) bool { return s.Sources[0].State == "up" })
	sub := subscribe(t, inv, inv.Snapshot().ID)
	plug(t, bus, key)
	s := await(t, inv, "ready", func(s *contract.Snapshot) bool {
		a := keyIn(s, key)
		return a != nil && a.Condition == contract.Ready
	})
	a := keyIn(s, key)
	if a.Origin != contract.Virtual || a.Kind != contract.SecurityKey || a.PIN.State != "ok" || a.PIN.TriesLeft == nil || *a.PIN.TriesLeft != 8 || a.AAGUID == "" {
		t.Errorf("the key is %+v", a)
	}
	if !strings.HasPrefix(a.ID, "key-") || !strings.HasPrefix(a.Name, "virtual key ") {
		t.Errorf("its id is %s, its name %s", a.ID, a.Name)
	}
	for _, code := range []failure.Code{failure.KeyPresent, failure.KeyFIDO2, failure.KeyPINSet, failure.KeyPINRetries} {
		if c := find(a.Checks, func(c *contract.Check) bool { return c.Code == string(code) }); c == nil || c.State != contract.Pass {
			t.Errorf("check %s is %+v", code, c)
		}
	}
	events := told(t, sub, 3)
	if got := kinds(events[:2]); got != "key.plugged "+a.ID+", authenticator.changed "+a.ID {
		t.Errorf("told %s", got)
	}
	if events[0].Authenticator.Condition != contract.Present {
		t.Errorf("plugged in, it is %s", events[0].Authenticator.Condition)
	}
	if n := key.Stats().PINTries; n != 0 {
		t.Errorf("reading it cost %d PIN tries", n)
	}

	// Reading the state asks the key nothing, however often.
	before := key.Stats().Messages
	for range 100 {
		_, _ = inv.Encoded(false), inv.Snapshot()
		inv.Certificates(a.ID, true)
	}
	if n := key.Stats().Messages; n != before {
		t.Errorf("100 reads of the state asked the key %d things", n-before)
	}
}

func TestAKeyKeepsItsIDOverAReplug(t *testing.T) {
	bus, key, other := vkey.NewBus(), newKey(t, "one"), newKey(t, "two")
	inv := startKeys(t, bus)
	plug(t, bus, other)
	var ids []string
	for range 3 {
		plug(t, bus, key)
		s := await(t, inv, "plugged in", func(s *contract.Snapshot) bool { return keyIn(s, key) != nil && keyIn(s, other) != nil })
		ids = append(ids, keyIn(s, key).ID)
		if keyIn(s, other).ID == ids[0] {
			t.Error("two keys have one id")
		}
		if err := bus.Unplug(key); err != nil {
			t.Fatal(err)
		}
		await(t, inv, "unplugged", func(s *contract.Snapshot) bool { return keyIn(s, key) == nil })
	}
	if ids[0] != ids[1] || ids[0] != ids[2] {
		t.Errorf("its ids were %v", ids)
	}
}

func TestABadKeyIsAStateWithACodeAndDelaysNoOther(t *testing.T) {
	for _, test := range []struct {
		fault     vkey.FaultName
		condition contract.Condition
		code      failure.Code
	}{
		{vkey.Mute, contract.Mute, failure.KeyMute},
		{vkey.Busy, contract.InUse, failure.KeyBusy},
	} {
		t.Run(string(test.fault), func(t *testing.T) {
			t.Parallel()
			bus, good, bad := vkey.NewBus(), newKey(t, "good"), newKey(t, "bad", vkey.Fault{Name: test.fault})
			inv := startKeys(t, bus)
			plug(t, bus, bad)
			plug(t, bus, good)
			s := await(t, inv, "the good key is ready", func(s *contract.Snapshot) bool {
				a := keyIn(s, good)
				return a != nil && a.Condition == contract.Ready
			})
			if test.fault == vkey.Mute && keyIn(s, bad).Condition != contract.Present {
				t.Errorf("the good key waited until the bad one was %s", keyIn(s, bad).Condition)
			}
			s = await(t, inv, "the bad key is known as such", func(s *contract.Snapshot) bool {
				return keyIn(s, bad).Condition == test.condition
			})
			if a := keyIn(s, bad); a.Code != string(test.code) || a.Detail == "" {
				t.Errorf("the bad key is %+v", a)
			}
		})
	}
}

func TestARereadOfAKeySeesWhatChanged(t *testing.T) {
	bus, key := vkey.NewBus(), newKey(t, "one")
	inv := startKeys(t, bus)
	plug(t, bus, key)
	s := await(t, inv, "ready", func(s *contract.Snapshot) bool {
		a := keyIn(s, key)
		return a != nil && a.Condition == contract.Ready
	})
	if err := key.SetFaults(vkey.Fault{Name: vkey.PINBlocked}); err != nil {
		t.Fatal(err)
	}
	if err := inv.Reread(keyIn(s, key).ID); err != nil {
		t.Fatal(err)
	}
	await(t, inv, "blocked", func(s *contract.Snapshot) bool { return keyIn(s, key).PIN.State == "blocked" })
	if err := inv.Reread("key-000000000000"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown key: %v", err)
	}
}

// Two keys of one model without serial number: the port tells them apart, and
// where it does not, the path.
func TestKeysThatLookAlikeHaveIDsOfTheirOwn(t *testing.T) {
	k := NewKeys(KeysConfig{Name: "fido", Bus: vkey.NewBus()})
	nodes := []fido.Node{
		{Path: "a", VendorID: 1, ProductID: 2, Port: "1-1"},
		{Path: "b", VendorID: 1, ProductID: 2, Port: "1-2"},
		{Path: "c", VendorID: 1, ProductID: 2},
		{Path: "d", VendorID: 1, ProductID: 2},
		{Path: "e", VendorID: 1, ProductID: 2, Serial: "0001", Port: "1-3"},
		{Path: "f", VendorID: 1, ProductID: 2, Serial: "0001", Port: "1-4"},
		{Path: "g", VendorID: 1, ProductID: 2, Serial: "0001", Port: "1-4"},
	}
	ids, seen := map[string]string{}, map[string]bool{}
	for _, n := range nodes {
		id := k.identify(n, ids)
		if seen[id] || id != k.identify(n, ids) {
			t.Errorf("%+v has id %s", n, id)
		}
		seen[id] = true
	}
	again := map[string]string{}
	moved := nodes[0]
	moved.Path = "z"
	if k.identify(moved, again) != ids["a"] {
		t.Error("at its old port it has another id")
	}
}

// A bus of our own is virtual whatever it says, and what another bus says
// decides there (rule 4).
func TestTheOriginOfAKeyIsDecidedByItsTransport(t *testing.T) {
	for _, test := range []struct {
		bus, node bool
		want      contract.Origin
	}{{true, false, contract.Virtual}, {true, true, contract.Virtual}, {false, true, contract.Virtual}, {false, false, contract.Physical}} {
		k := NewKeys(KeysConfig{Name: "fido", Bus: vkey.NewBus(), Virtual: test.bus})
		o := k.observe(fido.Report{Keys: []fido.KeyState{{Node: fido.Node{Path: "a", Virtual: test.node}}}}, map[string]string{})
		if o.Keys[0].Origin != test.want {
			t.Errorf("%+v is %s", test, o.Keys[0].Origin)
		}
	}
}

func TestABusThatCannotBeWatchedIsASourceDownWithItsCode(t *testing.T) {
	k := NewKeys(KeysConfig{Name: "fido", Bus: deafBus{}})
	inv, _ := start(t, Config{Sources: []Source{k}})
	s := await(t, inv, "down", func(s *contract.Snapshot) bool { return s.Sources[0].State == "down" })
	if s.Sources[0].Code != string(failure.FIDOUnavailable) || s.Sources[0].Detail == "" {
		t.Errorf("the source is %+v", s.Sources[0])
	}
}

type deafBus struct{}

func (deafBus) Watch(context.Context, func(fido.Change)) error { return errors.ErrUnsupported }

func (deafBus) Open(context.Context, fido.Node) (fido.Link, error) { return nil, fido.ErrGone }
