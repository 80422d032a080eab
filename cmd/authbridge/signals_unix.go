//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// passedOn are the signals that a command under a lease gets from us.
var passedOn = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// reloads tells of each SIGHUP until ctx ends. Several at once are one.
func reloads(ctx context.Context) <-chan os.Signal {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { signal.Stop(asked) })
	return asked
}
