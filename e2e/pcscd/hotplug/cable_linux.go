package hotplug

import (
	"os"
	"syscall"
	"testing"
)

// lay makes a reader's cable, a FIFO, and returns our end of it. It is a new one
// each time: the driver of a reader that went may hold the other end still.
func lay(t testing.TB, path string) *os.File {
	t.Helper()
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	must(t, syscall.Mkfifo(path, 0o600))
	cable, err := os.OpenFile(path, os.O_RDWR, 0) // not only to write: nobody reads yet
	must(t, err)
	return cable
}
