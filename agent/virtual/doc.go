// Package virtual owns the virtual authenticators of the daemon: which
// readers, cards and keys there are, what is plugged in and where, and what
// they are told to fail at. It keeps that over restarts.
//
// A device is a virtual reader or a virtual key. A card belongs to a user and
// is in one reader at a time; out of it, it lies on the desk with its PIN,
// tries and keys. Devices live in this process, where [Devices.System] and
// [Devices.Bus] hand them to whoever observes, or in a real pcscd or kernel,
// where they are found like any other.
//
// It decides nothing about health, never touches a physical authenticator and
// never passes a virtual one off as real. Cards and keys it makes have the
// same documented PIN ([DefaultPIN]): there is nothing to protect in them.
package virtual
