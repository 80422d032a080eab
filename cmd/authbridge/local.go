package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/platform"
)

func newVersion(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which version this is", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.json {
				return writeJSON(c.OutOrStdout(), map[string]string{"version": version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "authbridge %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

func newConfig(f *flags) *cobra.Command {
	config := &cobra.Command{Use: "config", Short: "Show, check or change the configuration", Args: cobra.NoArgs}
	var file string
	show := &cobra.Command{
		Use: "show", Short: "Show what is in force and where it comes from", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settle(overrides{config: file, stateDir: f.stateDir}, getenv)
			if err != nil {
				return &exit{exitUsage, err}
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), s)
			}
			newScreen(c.OutOrStdout()).showSettings(s)
			return nil
		},
	}
	show.Flags().StringVar(&file, "config", "", "configuration file (default: the user's)")
	config.AddCommand(show, &cobra.Command{
		Use: "check [FILE]", Short: "Say all that is wrong with a configuration file (default: yours)", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{platform.UserPaths().Config}
			}
			if _, err := settle(overrides{config: args[0]}, func(string) string { return "" }); err != nil {
				return &exit{exitUsage, err}
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is in order\n", args[0])
			return err
		},
	}, newConfigUser(f))
	return config
}

// newDoctor explains what is wrong with a set-up. It works without a daemon,
// too: that is when it is needed most.
func newDoctor(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Find and explain what is wrong with this set-up", Args: cobra.NoArgs,
		Long: `Find what is wrong with this machine, its set-up and its authenticators, say
what to do, and write the command that does it, where there is one, on a line of
its own. Works without a daemon, too.

Exit codes: 0 nothing fails, 1 something does, 2 wrong usage, 4 refused.`,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settle(overrides{stateDir: f.stateDir}, getenv)
			if err != nil {
				return &exit{exitUsage, err}
			}
			tellHello(c.Context(), f.client())
			snap, err := f.client().Status(c.Context())
			if err != nil && !errors.Is(err, client.ErrNotReachable) {
				return err
			}
			var ended []string
			if snap == nil {
				ended = f.servicesEnded(c.Context())
			}
			found := diagnose(platform.Inspect(), snap, s.Listen, ended...)
			var more []group
			if snap != nil {
				more = attention(*snap, found)
			}
			all := append([]contract.Check{}, found...)
			for _, g := range more {
				all = append(append(all, g.checks...), g.standIns...)
			}
			if f.json {
				if err := writeJSON(c.OutOrStdout(), all); err != nil {
					return err
				}
			} else {
				newScreen(c.OutOrStdout()).showFindings(found, more)
			}
			for _, check := range all {
				if check.State == contract.Fail {
					return &exit{code: exitNotReady}
				}
			}
			return nil
		},
	}
}
