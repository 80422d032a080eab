package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/failure"
	"authbridge/platform"
)

func newService(f *flags) *cobra.Command {
	whose := `your own: it starts with your session, and has your card, key and browser.
With --system it is the machine's: it starts with that, serves all users by who
they are, and wants an administrator`
	if runtime.GOOS == "windows" {
		whose = "the machine's: it wants an administrator"
	}
	of := &served{flags: f, system: runtime.GOOS == "windows"}
	c := &cobra.Command{
		Use: "service", Short: "Have the daemon started by the operating system", Args: cobra.NoArgs,
		Long: `Have the daemon started, watched and restarted by the operating system. It is
` + whose + `.

Exit codes: 0 done, 1 it does not run or does not answer (status), 2 wrong
usage, 4 refused.`,
	}
	if !of.system {
		c.PersistentFlags().BoolVar(&of.system, "system", false, "the service of the machine, for all its users")
	}
	var config string
	install := &cobra.Command{
		Use: "install", Short: "Install the service and start it", Args: cobra.NoArgs,
		Long: `Install the service, in place of one that is there, and start it. It runs this
program from where it lies now, so put it where it shall stay first.`,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := of.service(config)
			if err != nil {
				return err
			}
			if err := s.Install(c.Context()); err != nil {
				return serviceError(err)
			}
			if err := s.Restart(c.Context()); err != nil {
				return serviceError(err)
			}
			of.remark(c.OutOrStdout(), besideOwn[runtime.GOOS])
			return of.status(c, s)
		},
	}
	install.Flags().StringVar(&config, "config", "", "configuration file (default: the usual one, if it is there)")
	c.AddCommand(install)
	for _, verb := range []struct {
		use, short, done string
		do               func(*platform.Service, context.Context) error
		show             bool
		remark           string // of the system's
	}{
		{"uninstall", "Stop the service and take it away; state and configuration stay", "uninstalled", (*platform.Service).Uninstall, false, leftOver[runtime.GOOS]},
		{"start", "Start the service", "started", (*platform.Service).Start, true, ""},
		{"stop", "Stop the service until the next start or session", "stopped", (*platform.Service).Stop, false, ""},
		{"restart", "Stop the service and start it", "started", (*platform.Service).Restart, true, ""},
	} {
		c.AddCommand(&cobra.Command{
			Use: verb.use, Short: verb.short, Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				s, err := of.service("")
				if err != nil {
					return err
				}
				if err := verb.do(s, c.Context()); err != nil {
					return serviceError(err)
				}
				if verb.show {
					return of.status(c, s)
				}
				if !f.json {
					newScreen(c.OutOrStdout()).line("The service is %s.", verb.done)
				}
				of.remark(c.OutOrStdout(), verb.remark)
				return nil
			},
		})
	}
	c.AddCommand(&cobra.Command{
		Use: "status", Short: "Say whether the service is installed, runs and answers", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := of.service("")
			if err != nil {
				return err
			}
			return of.status(c, s)
		},
	})
	return c
}

// served is what the verbs are about: one's own service, or the machine's.
type served struct {
	*flags
	system bool
}

// What is said beside the outcome for the machine's service, by GOOS.
var (
	besideOwn = map[string]string{"linux": `Whoever runs a daemon of their own keeps it, and the one that starts first has the
readers and keys. To leave them to this one:
  authbridge service uninstall                       (each of them)
  sudo systemctl --global disable authbridge.service (all, where a package enabled it)
Members of the group authbridge may use it: sudo gpasswd --add USER authbridge`}
	leftOver = map[string]string{
		"linux": `Left are /etc/authbridge, /var/lib/authbridge, and the user and groups authbridge and
authbridge-keys.`,
		"windows": "Left are " + platform.SystemPaths().State + " and the group authbridge.",
	}
)

func (f *served) remark(w io.Writer, text string) {
	if f.system && !f.json && text != "" {
		newScreen(w).line("%s", text)
	}
}

// service is that of this program, with the state folder that was named.
func (f *served) service(config string) (*platform.Service, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Where the package manager puts the next version is where it starts from.
	args, made := []string{"run"}, platform.NewService
	if f.system {
		args, made = append(args, "--system"), platform.NewSystemService
		if runtime.GOOS == "windows" {
			args = append(args, "--"+windowsService)
		}
		if f.stateDir != "" && runtime.GOOS != "windows" {
			return nil, &exit{exitUsage, errors.New("the system service keeps its state where its unit says: leave --state-dir out")}
		}
	}
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
		if _, err := settle(overrides{config: config, stateDir: f.stateDir, system: f.system}, getenv); err != nil {
			return nil, &exit{exitUsage, err}
		}
	}
	s, err := made(program, args...)
	return s, serviceError(err)
}

// serviceReport is what status says, for scripts.
type serviceReport struct {
	Installed bool   `json:"installed"`
	Enabled   bool   `json:"enabled"`
	Running   bool   `json:"running"`
	Answers   bool   `json:"answers"`
	Detail    string `json:"detail,omitempty"`
	Why       string `json:"why,omitempty"`
	Unit      string `json:"unit,omitempty"`
	Restarts  int    `json:"restarts"`
	Version   string `json:"version,omitempty"`
}

func reportOf(s platform.ServiceState) serviceReport {
	return serviceReport{
		Installed: s.Installed, Enabled: s.Enabled, Running: s.Running, Detail: s.Detail, Why: s.Why, Unit: s.Unit, Restarts: s.Restarts,
	}
}

// servicesEnded is why one's own service and the machine's do not run.
func (f *flags) servicesEnded(ctx context.Context) (why []string) {
	if f.stateDir != "" {
		return nil // a daemon of its own
	}
	for _, of := range []*served{{flags: f}, {flags: f, system: true}} {
		service, err := of.service("")
		if err != nil {
			continue
		}
		if now, err := service.State(ctx); err == nil && now.Why != "" {
			why = append(why, now.Why)
		}
	}
	return why
}

// status asks the manager, and then the daemon itself: a manager takes
// one that waits for its next try for one that runs.
func (f *served) status(c *cobra.Command, s *platform.Service) error {
	now, err := s.State(c.Context())
	if err != nil {
		return serviceError(err)
	}
	r := reportOf(now)
	daemon := f.client()
	if f.system && f.stateDir == "" {
		daemon = &client.Client{URL: "unix:" + client.SystemSocket()}
	}
	snap, err := daemon.Status(c.Context())
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
		newScreen(c.OutOrStdout()).showService(r, f.system && runtime.GOOS != "windows")
	}
	if !r.Running || !r.Answers {
		return &exit{code: exitNotReady}
	}
	return nil
}

// showService shows it with what to do where something is amiss.
func (s *screen) showService(r serviceReport, system bool) {
	again := "authbridge service start"
	if system {
		again = "sudo " + again + " --system"
	}
	say := func(ok bool, colour, text string, code failure.Code) {
		mark := "✓"
		if !ok {
			mark = "✗"
		}
		s.text(s.paint(colour, mark)+" ", "  ", text)
		if entry, known := failure.Lookup(code); known {
			s.text("  → ", "    ", entry.Remedy)
			for command := range strings.Lines(entry.Mend.Here()) {
				s.line("      %s", strings.TrimSuffix(command, "\n"))
			}
		}
	}
	switch {
	case !r.Installed:
		say(false, yellow, "the service is not installed", failure.ServiceNone)
		if r.Answers {
			s.line("  A daemon that was started otherwise answers, version %s.", r.Version)
		}
		return
	case !r.Running && r.Why != "":
		code, why := endedBy(r.Why)
		say(false, red, "the service does not run: "+why, code)
	case !r.Running && r.Detail != "":
		say(false, red, "the service does not run: "+r.Detail, failure.ServiceFailed)
	case !r.Running:
		say(false, yellow, "the service is stopped; "+again+" starts it", "")
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

// endedBy reads why a daemon ended (platform.ServiceState, Why).
func endedBy(why string) (code failure.Code, detail string) {
	first, rest, _ := strings.Cut(why, ": ")
	if _, known := failure.Lookup(failure.Code(first)); !known {
		return failure.ServiceFailed, why
	}
	return failure.Code(first), rest
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
		platform.ErrFromPackage: failure.ServicePackaged, platform.ErrProgramPlace: failure.ServiceProgram, platform.ErrNoServiceUser: failure.ServiceNoUser,
	} {
		if errors.Is(err, known) {
			code = c
		}
	}
	entry, _ := failure.Lookup(code)
	return &exit{exitRefused, fmt.Errorf("%s: %w\n  → %s", code, err, advice(entry))}
}
