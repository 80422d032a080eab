//go:build !linux

package pcsc

import (
	"context"
	"time"
)

// bell is for systems that tell when the service comes.
type bell struct{}

func newBell() *bell { return nil }

func (*bell) wait(context.Context, time.Duration) bool { return false }

func (*bell) close() {}
