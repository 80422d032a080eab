package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"authbridge/agent/failure"
)

func newRun(f *flags) *cobra.Command {
	var o overrides
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon in the foreground",
		Long: `Run the daemon in the foreground. It prints one line once it listens, and stops
on Ctrl-C or SIGTERM. Without a configuration file it runs on its embedded
default: virtual authenticators, and your own hardware.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.stateDir = f.stateDir
			s, err := settle(o, getenv)
			if err != nil {
				return &exit{exitUsage, err}
			}
			log, err := newLogger(c.ErrOrStderr(), s.LogLevel)
			if err != nil {
				return &exit{exitUsage, err}
			}
			err = serve(c.Context(), s, log, func(address string) {
				_, _ = fmt.Fprintf(c.OutOrStdout(), "listening on http://%s\n", address)
			})
			return startError(err)
		},
	}
	c.Flags().StringVar(&o.config, "config", "", "configuration file (default: the user's, if there is one)")
	c.Flags().StringVar(&o.listen, "listen", "", "address of the API on loopback; port 0 picks a free one (default "+defaultListen+")")
	c.Flags().StringVar(&o.virtual, "virtual", "", "virtual authenticators: auto, on or off; auto is on where there is no configuration file")
	c.Flags().StringVar(&o.physical, "physical", "", "your own hardware: on or off")
	c.Flags().StringVar(&o.logLevel, "log-level", "", "error, warn, info or debug")
	return c
}

// startError adds the registry's remedy to why the daemon could not start.
func startError(err error) error {
	var fail *failure.Error
	var own interface{ Remedy() string } // the store's, which knows more than a code
	switch {
	case errors.As(err, &own):
		return &exit{exitRefused, fmt.Errorf("%w\n  → %s", err, own.Remedy())}
	case !errors.As(err, &fail):
		return err
	}
	entry, _ := failure.Lookup(fail.Code)
	return &exit{exitRefused, fmt.Errorf("%w\n  → %s", err, entry.Remedy)}
}
