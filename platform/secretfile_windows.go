package platform

import "io/fs"

// secretOnlyOurs has nothing to look at; see onlyOurs.
func secretOnlyOurs(fs.FileInfo, bool) error { return nil }
