// Package fido talks to security keys over 64-byte HID reports: which are
// plugged, what they say of themselves, how many PIN tries they have left, and
// for who asks for it, the making and use of credentials. It never sends a PIN
// by itself, none twice, and knows nothing of the daemon.
//
// A [Bus] finds keys; [Native] is the operating system's. [OpenKey] opens one;
// [Session] is what a ceremony does with it. Everything a key says is taken for
// hostile until it proved well formed.
package fido
