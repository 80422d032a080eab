//go:build !linux

package vkey

import (
	"context"
	"fmt"
	"runtime"
)

// UHID is a key that is plugged into the kernel; there is none on this system.
type UHID struct{}

// PlugUHID fails: uhid is Linux's.
func PlugUHID(context.Context, *Key) (*UHID, error) {
	return nil, fmt.Errorf("%w: %s has none, only Linux has", ErrNoUHID, runtime.GOOS)
}

// Unplug does nothing.
func (*UHID) Unplug() error { return nil }

// Done is never closed.
func (*UHID) Done() <-chan struct{} { return nil }

// Err is nil.
func (*UHID) Err() error { return nil }
