package platform

// noCoreDumps has nothing to do: Windows writes dumps only where an
// administrator asked Windows Error Reporting to.
func noCoreDumps() error { return undumpable() }
