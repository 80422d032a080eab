package platform

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// maxSocketPath is below the smallest sun_path there is (104 octets on macOS,
// 108 on Linux).
const maxSocketPath = 100

// socketIn names the socket of a folder. Where the path would be too long for
// a socket address, a short name below the temporary folder stands for it.
func socketIn(goos, dir string) string {
	sum := sha256.Sum256([]byte(dir))
	short := hex.EncodeToString(sum[:8])
	if goos == "windows" {
		return `\\.\pipe\authbridge-` + short
	}
	path := filepath.Join(dir, "authbridge.sock")
	if len(path) > maxSocketPath {
		return filepath.Join("/tmp", "authbridge-"+short, "authbridge.sock")
	}
	return path
}
