//go:build linux && e2e

package kernel_test

import (
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"
)

// polkitLets are the actions that polkit lets a process do and not just anybody.
func polkitLets(t *testing.T, pid int) (actions []string) {
	t.Helper()
	bus, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bus.Close() }()
	authority := bus.Object("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority")
	const prefix = "org.freedesktop.PolicyKit1.Authority."
	var all []struct {
		ID, Description, Message, Vendor, VendorURL, Icon string
		Any, Inactive, Active                             uint32 // what it takes; 5: nothing
		Annotations                                       map[string]string
	}
	if err := authority.Call(prefix+"EnumerateActions", 0, "").Store(&all); err != nil {
		t.Fatal(err)
	}
	subject := struct {
		Kind    string
		Details map[string]dbus.Variant
	}{"unix-process", map[string]dbus.Variant{"pid": dbus.MakeVariant(uint32(pid)), "start-time": dbus.MakeVariant(uint64(0))}}
	const free = 5
	for _, action := range all {
		var may struct {
			Authorized, Challenge bool
			Details               map[string]string
		}
		if err := authority.Call(prefix+"CheckAuthorization", 0, subject, action.ID, map[string]string{}, uint32(0), "").Store(&may); err != nil {
			t.Fatalf("%s: %v", action.ID, err)
		}
		if may.Authorized && action.Any != free {
			actions = append(actions, action.ID)
		}
	}
	if len(all) < 10 {
		t.Errorf("polkit knows %d actions", len(all))
	}
	slices.Sort(actions)
	return actions
}
