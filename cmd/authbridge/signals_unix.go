//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// passedOn are the signals that a command under a lease gets from us.
var passedOn = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// supervised runs a daemon as whoever started it wants: managers of services and
// people do so in the same way, and ask for a reload by SIGHUP. Several at once are
// one.
func supervised(*cobra.Command) func(context.Context, daemon) error {
	return func(ctx context.Context, run daemon) error {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGHUP)
		defer signal.Stop(asked)
		return run(ctx, asked)
	}
}
