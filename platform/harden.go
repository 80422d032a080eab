package platform

// NoCoreDumps keeps the memory of this process, in which PINs and tokens pass,
// from being written to disk when it crashes.
func NoCoreDumps() error { return noCoreDumps() }
