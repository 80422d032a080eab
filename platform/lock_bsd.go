//go:build unix && !linux

package platform

import (
	"io"
	"path/filepath"
)

// lockPhysical uses a file that all users may lock: /tmp is sticky, so nobody
// takes it from another.
func lockPhysical(name string) (io.Closer, error) {
	return lockFile(filepath.Join("/tmp", name+".lock"), "physical hardware of this machine", 0o666)
}
