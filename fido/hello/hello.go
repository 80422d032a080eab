// Package hello asks Windows whether Windows Hello can be used: webauthn.dll,
// which answers for the session of who asks alone. The daemon as a service of
// Windows is in nobody's, so that a program of the user's asks and tells it.
package hello

import "errors"

// State is what Windows says in this session.
type State struct {
	// API is the version of webauthn.dll; 0: there is none, as before Windows 10
	// version 1903.
	API int
	// Available is whether the user of the session has set up a PIN, a finger or
	// a face (WebAuthn L3, 5.1.7: isUserVerifyingPlatformAuthenticatorAvailable).
	Available bool
	// Remote is a session over remote desktop, in which it cannot be used.
	Remote bool
}

// ErrNoSession says that this is no person's session of Windows.
var ErrNoSession = errors.New("hello: this is no person's session of Windows")
