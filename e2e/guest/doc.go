// Package guest runs tests in a Linux kernel of the project's own: Debian in
// QEMU, with uhid, hidraw, USB gadgets, udev and systemd, which a developer's
// or CI's machine need not have and must not lend. It is for tests only.
//
// The guest is built once, kept in a cache, and started from a snapshot that
// was taken while it waited for work, so that a run begins within seconds. It
// has no network. Nothing of a run is left in it.
package guest
