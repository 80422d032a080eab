//go:build !linux

package platform

// keyringReachable is always so: the keychain and the credential manager are
// part of the system.
func keyringReachable() bool { return true }
