package platform

import (
	"io/fs"
	"os"
)

// ownDir is below the user's profile, which is the user's by default.
func ownDir(dir string) error { return os.MkdirAll(dir, 0o700) }

// onlyOurs has nothing to look at: the mode that Go shows on Windows is no
// access list, and the user's profile is the user's by default.
func onlyOurs(fs.FileInfo) error { return nil }
