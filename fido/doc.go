// Package fido talks to security keys over 64-byte HID reports: which are
// plugged, what they say of themselves, how many PIN tries they have left. It
// never sends a PIN by itself and knows nothing of the daemon.
//
// A [Bus] finds keys; [Native] is the operating system's. Everything a key
// says is taken for hostile until it proved well formed.
package fido
