package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"authbridge/platform"
)

// passedOn are the signals that a command under a lease gets from us: Windows
// tells every program of a console itself.
var passedOn = []os.Signal{os.Interrupt}

// supervised runs a daemon as whoever started it wants: the manager of services
// asks for that with a flag, and a console has no signal for a reload.
func supervised(c *cobra.Command) func(context.Context, daemon) error {
	managed := c.Flags().Bool(windowsService, false, "the manager of services runs this")
	_ = c.Flags().MarkHidden(windowsService) // it is there
	return func(ctx context.Context, run daemon) error {
		if *managed {
			return platform.RunService(run)
		}
		return run(ctx, nil)
	}
}
