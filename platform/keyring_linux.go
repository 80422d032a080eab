package platform

import (
	"os"
	"path/filepath"
)

// keyringReachable is whether there is a session bus: without one the library
// would start a dbus-daemon and leave it behind.
func keyringReachable() bool {
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return false
	}
	bus := filepath.Join(dir, "bus")
	if _, err := os.Stat(bus); err != nil {
		return false
	}
	return os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+bus) == nil
}
