package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/failure"
	"authbridge/platform"
)

func newService(f *flags) *cobra.Command {
	whose := "your own: it starts with your session, and has your card, key and browser"
	if runtime.GOOS == "windows" {
		whose = "the machine's: it wants an administrator"
	}
	c := &cobra.Command{
		Use: "service", Short: "Have the daemon started by the operating system", Args: cobra.NoArgs,
		Long: `Have the daemon started, watched and restarted by the operating system. The
service is ` + whose + `.

Exit codes: 0 done, 1 it does not run or does not answer (status), 2 wrong
usage, 4 refused.`,
	}
	var config string
	install := &cobra.Command{
		Use: "install", Short: "Install the service and start it", Args: cobra.NoArgs,
		Long: `Install the service, in place of one that is there, and start it. It runs this
program from where it lies now, so put it where it shall stay first.`,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := f.service(config)
			if err != nil {
				return err
			}
			if err := s.Install(c.Context()); err != nil {
				return serviceError(err)
			}
			if err := s.Restart(c.Context()); err != nil {
				return serviceError(err)
			}
			return f.serviceStatus(c, s)
		},
	}
	install.Flags().StringVar(&config, "config", "", "configuration file (default: the user's, if there is one)")
	c.AddCommand(install)
	for _, verb := range []struct {
		use, short, done string
		do               func(*platform.Service, context.Context) error
		show             bool
	}{
		{"uninstall", "Stop the service and take it away; your state and configuration stay", "uninstalled", (*platform.Service).Uninstall, false},
		{"start", "Start the service", "started", (*platform.Service).Start, true},
		{"stop", "Stop the service until the next start or session", "stopped", (*platform.Service).Stop, false},
		{"restart", "Stop the service and start it", "started", (*platform.Service).Restart, true},
	} {
		c.AddCommand(&cobra.Command{
			Use: verb.use, Short: verb.short, Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				s, err := f.service("")
				if err != nil {
					return err
				}
				if err := verb.do(s, c.Context()); err != nil {
					return serviceError(err)
				}
				if verb.show {
					return f.serviceStatus(c, s)
				}
				if !f.json {
					newScreen(c.OutOrStdout()).line("The service is %s.", verb.done)
				}
				return nil
			},
		})
	}
	c.AddCommand(&cobra.Command{
		Use: "status", Short: "Say whether the service is installed, runs and answers", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := f.service("")
			if err != nil {
				return err
			}
			return f.serviceStatus(c, s)
		},
	})
	return c
}

// service is that of this program, with the state folder that was named.
func (f *flags) service(config string) (*platform.Service, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Where the package manager puts the next version is where it starts from.
	args := []string{"run"}
	for _, given := range []struct{ flag, path string }{{"--config", config}, {"--state-dir", f.stateDir}} {
		if given.path == "" {
			continue
		}
		path, err := filepath.Abs(given.path)
		if err != nil {
			return nil, err
		}
		args = append(args, given.flag, path)
	}
	if config != "" {
		if _, err := settle(overrides{config: config, stateDir: f.stateDir}, getenv); err != nil {
			return nil, &exit{exitUsage, err}
		}
	}
	s, err := platform.NewService(program, args...)
	return s, serviceError(err)
}

// serviceReport is what status says, for scripts.
type serviceReport struct {
	Installed bool   `json:"installed"`
	Enabled   bool   `json:"enabled"`
	Running   bool   `json:"running"`
	Answers   bool   `json:"answers"`
	Detail    string `json:"detail,omitempty"`
	Unit      string `json:"unit,omitempty"`
	Restarts  int    `json:"restarts"`
	Version   string `json:"version,omitempty"`
}

// serviceStatus asks the manager, and then the daemon itself: a manager takes
// one that waits for its next try for one that runs.
func (f *flags) serviceStatus(c *cobra.Command, s *platform.Service) error {
	now, err := s.State(c.Context())
	if err != nil {
		return serviceError(err)
	}
	r := serviceReport{
		Installed: now.Installed, Enabled: now.Enabled, Running: now.Running, Detail: now.Detail, Unit: now.Unit, Restarts: now.Restarts,
	}
	snap, err := f.client().Status(c.Context())
	switch {
	case err == nil:
		r.Answers, r.Version = true, snap.Version
	case !errors.Is(err, client.ErrNotReachable):
		return err
	}
	if f.json {
		if err := writeJSON(c.OutOrStdout(), r); err != nil {
			return err
		}
	} else {
		newScreen(c.OutOrStdout()).showService(r)
	}
	if !r.Running || !r.Answers {
		return &exit{code: exitNotReady}
	}
	return nil
}

// showService shows it with what to do where something is amiss.
func (s *screen) showService(r serviceReport) {
	say := func(ok bool, colour, text string, code failure.Code) {
		mark := "✓"
		if !ok {
			mark = "✗"
		}
		s.line("%s %s", s.paint(colour, mark), text)
		if entry, known := failure.Lookup(code); known {
			s.text("  → ", "    ", entry.Remedy)
		}
	}
	switch {
	case !r.Installed:
		say(false, yellow, "the service is not installed", failure.ServiceNone)
		if r.Answers {
			s.line("  A daemon that was started otherwise answers, version %s.", r.Version)
		}
		return
	case !r.Running && r.Detail != "":
		say(false, red, "the service does not run: "+r.Detail, failure.ServiceFailed)
	case !r.Running:
		say(false, yellow, "the service is stopped; authbridge service start starts it", "")
	case !r.Answers:
		say(false, red, "the service runs and does not answer", failure.ServiceSilent)
	default:
		say(true, green, "the service runs and answers, version "+r.Version, "")
	}
	if !r.Enabled {
		s.line("  It does not start by itself.")
	}
	if r.Restarts > 0 {
		s.line("  It was restarted %d times by itself.", r.Restarts)
	}
	if r.Unit != "" {
		s.line("  %s", r.Unit)
	}
}

// serviceError gives what stood in the way a code and a remedy.
func serviceError(err error) error {
	if err == nil {
		return nil
	}
	code := failure.ServiceFailed
	for known, c := range map[error]failure.Code{
		platform.ErrNoServices: failure.ServiceNoManager, platform.ErrNoSession: failure.ServiceNoSession,
		platform.ErrNotInstalled: failure.ServiceNone, platform.ErrNotPermitted: failure.ServiceRights,
		platform.ErrFromPackage: failure.ServicePackaged,
	} {
		if errors.Is(err, known) {
			code = c
		}
	}
	entry, _ := failure.Lookup(code)
	return &exit{exitRefused, fmt.Errorf("%s: %w\n  → %s", code, err, entry.Remedy)}
}
