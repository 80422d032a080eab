// Package installer holds the test of what `make dist` makes that needs no guest:
// that it is the same each time. What the deb does on a machine is a story of
// package kernel. It has no code but tests.
package installer
