//go:build !linux

package hotplug

import (
	"os"
	"testing"
)

func lay(t testing.TB, _ string) *os.File {
	t.Helper()
	t.Fatal("hotplug: Linux only")
	return nil
}
