// Package tray holds the test of the tray in a real panel: Xfce's, on a display
// and a session bus of its own, with the built daemon and the built tray. Run
// with the build tag e2e. It has no code but tests.
package tray
