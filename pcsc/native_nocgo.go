//go:build !cgo && !windows

package pcsc

import "fmt"

// Native is the operating system's PC/SC service. This program was built
// without cgo, so its Establish fails with [ErrNotBuilt].
func Native() System { return nativeSystem{} }

type nativeSystem struct{}

func (nativeSystem) Establish() (Context, error) {
	return nil, fmt.Errorf("SCardEstablishContext: %w", ErrNotBuilt)
}
