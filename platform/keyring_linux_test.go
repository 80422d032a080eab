package platform

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWithoutASessionBusNoKeyringIsAsked(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if _, err := Keyring(t.Context(), "blue"); !errors.Is(err, ErrNoKeyring) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !keyringReachable() || os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		t.Error("the bus in the usual place is not found")
	}
}
