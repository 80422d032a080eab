package platform

import "io/fs"

// onlyOurs has nothing to look at: the mode that Go shows on Windows is no
// access list, and the user's profile is the user's by default.
func onlyOurs(fs.FileInfo) error { return nil }
