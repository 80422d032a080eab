package virtual_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
	"authbridge/agent/virtual"
)

func TestFaultsAskForAReadOfWhatTheyAreOf(t *testing.T) {
	t.Parallel()
	var reread []string
	snapshot := &contract.Snapshot{
		Readers: []contract.Reader{
			{ID: "reader-0", Name: virtual.DefaultReader, Origin: contract.Physical, Card: "a stranger"},
			{ID: "reader-1", Name: virtual.DefaultReader, Origin: contract.Virtual},
		},
		Authenticators: []contract.Authenticator{{ID: "key-9", Origin: contract.Virtual, Product: "authbridge virtual key " + virtual.DefaultKey}},
	}
	d := begin(t, virtual.Config{
		Snapshot: func() *contract.Snapshot { return snapshot },
		Reread:   func(id string) error { reread = append(reread, id); return inventory.ErrNotFound },
	})
	card := func(faults ...contract.Fault) contract.VirtualDevice {
		return must(t)(d.SetFaults(soon(t), contract.Smartcard, virtual.DefaultReader, faults))
	}
	if v := card(contract.Fault{Name: "no-cert"}); v.Reinsert {
		t.Errorf("%+v", v)
	}
	snapshot.Readers[1].Card = "card-7"
	if v := card(); v.Reinsert {
		t.Errorf("%+v", v)
	}
	if v := card(contract.Fault{Name: "retired-atr"}); !v.Reinsert {
		t.Errorf("%+v: an ATR is told at the insertion", v)
	}
	if v := card(contract.Fault{Name: "retired-atr"}, contract.Fault{Name: "no-cert"}); v.Reinsert {
		t.Errorf("%+v: the ATR stays as it was", v)
	}
	if v := card(); !v.Reinsert {
		t.Errorf("%+v: an ATR is told at the insertion", v)
	}
	snapshot.Readers[1].Condition = contract.Hung
	if v := card(); !v.Reinsert {
		t.Errorf("%+v: a card that hangs is left alone", v)
	}
	must(t)(d.SetFaults(soon(t), contract.SecurityKey, virtual.DefaultKey, []contract.Fault{{Name: "no-pin"}}))
	if want := []string{"reader-1", "card-7", "card-7", "card-7", "card-7", "card-7", "key-9"}; !slices.Equal(reread, want) {
		t.Errorf("asked to read %q, want %q", reread, want)
	}
	must(t)(d.Remove(soon(t), virtual.DefaultReader))
	if v := card(contract.Fault{Name: "no-atr"}); v.Reinsert {
		t.Errorf("%+v: it is out", v)
	}
	if len(reread) != 7 {
		t.Errorf("a card on the desk was to be read: %q", reread)
	}
}

// TestFaultsShowInMoments: set and cleared on devices that are plugged in and
// were read, through the real inventory.
func TestFaultsShowInMoments(t *testing.T) {
	t.Parallel()
	var inv *inventory.Inventory
	d := begin(t, virtual.Config{
		Snapshot: func() *contract.Snapshot { return inv.Snapshot() },
		Reread:   func(id string) error { return inv.Reread(id) },
	})
	ctx, cancel := context.WithCancel(soon(t))
	var err error
	inv, err = inventory.New(ctx, inventory.Config{Judge: health.Steady(), OS: "linux", Sources: []inventory.Source{
		inventory.NewCards(inventory.CardsConfig{Name: "virtual-pcsc", System: d.System(), Virtual: true}),
		inventory.NewKeys(inventory.KeysConfig{Name: "virtual-fido", Bus: d.Bus(), Virtual: true}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := inv.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()
	until := func(kind contract.Kind, code string, state contract.CheckState) {
		t.Helper()
		_, err := inv.Await(ctx, func(s *contract.Snapshot) bool {
			for _, a := range s.Authenticators {
				if a.Kind == kind && slices.ContainsFunc(a.Checks, func(c contract.Check) bool { return c.Code == code && c.State == state }) {
					return true
				}
			}
			return false
		})
		if err != nil {
			t.Fatalf("%s is not %s: %v", code, state, err)
		}
	}
	until(contract.Smartcard, "CARD_BLANK", contract.Pass)
	until(contract.SecurityKey, "KEY_PIN_SET", contract.Pass)
	for range 3 {
		must(t)(d.SetFaults(ctx, contract.Smartcard, virtual.DefaultReader, []contract.Fault{{Name: "no-cert"}}))
		must(t)(d.SetFaults(ctx, contract.SecurityKey, virtual.DefaultKey, []contract.Fault{{Name: "no-pin"}}))
		until(contract.Smartcard, "CARD_BLANK", contract.Fail)
		until(contract.SecurityKey, "KEY_PIN_SET", contract.Fail)
		must(t)(d.SetFaults(ctx, contract.Smartcard, virtual.DefaultReader, nil))
		must(t)(d.SetFaults(ctx, contract.SecurityKey, virtual.DefaultKey, nil))
		until(contract.Smartcard, "CARD_BLANK", contract.Pass)
		until(contract.SecurityKey, "KEY_PIN_SET", contract.Pass)
	}
	if v := listed(t, d, virtual.DefaultReader); v.PINTries != 0 {
		t.Errorf("reading cost %d tries", v.PINTries)
	}
}
