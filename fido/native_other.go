//go:build !linux && !windows

package fido

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Native is the operating system's HID, which this build cannot reach: Watch
// fails with [errors.ErrUnsupported].
func Native() Bus { return unsupported{} }

type unsupported struct{}

func (unsupported) err() error {
	return fmt.Errorf("fido: no security keys on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (u unsupported) Watch(context.Context, func(Change)) error { return u.err() }

func (u unsupported) Open(context.Context, Node) (Link, error) { return nil, u.err() }
