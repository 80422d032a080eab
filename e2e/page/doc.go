// Package page holds the tests of the diagnostics page in a real browser. Run
// with the build tag e2e, it starts worlds whose devices are scripted, and the
// built daemon, and runs the specs beside it in Debian's Chromium. It has no
// code but tests.
package page
