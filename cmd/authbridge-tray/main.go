// Command authbridge-tray shows in the tray of a desktop how the daemon and its
// authenticators are, and what they ask of a person. It is a client of the API
// and opens no device.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/platform"
)

// version is set when it is built.
var version = "0.0.0-dev"

// The exit codes.
const (
	exitDone      = 0
	exitNoDesktop = 1
	exitUsage     = 2
)

func main() { os.Exit(start(os.Args[1:], os.Stderr)) }

// settings are what the command line says.
type settings struct {
	stateDir string
	targets  []string
	version  bool
}

func parse(args []string, stderr io.Writer) (s settings, err error) {
	f := flag.NewFlagSet("authbridge-tray", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		_, _ = fmt.Fprint(stderr, "Usage: authbridge-tray [--state-dir DIR] [--target NAME]...\n\n"+
			"Show in the tray whether this machine can sign in, what is wrong, and what is\nasked of you.\n\n")
		f.PrintDefaults()
	}
	f.StringVar(&s.stateDir, "state-dir", "", "state `folder` of the daemon (default: AUTHBRIDGE_URL and AUTHBRIDGE_TOKEN, else the user's own)")
	f.Func("target", "`name` of a target whose readiness is shown too; the daemon looks at it all the time then", func(name string) error {
		s.targets = append(s.targets, name)
		return nil
	})
	f.BoolVar(&s.version, "version", false, "say which version this is")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		err = fmt.Errorf("%q is not understood\n  → see authbridge-tray --help", f.Arg(0))
		_, _ = fmt.Fprintln(stderr, err)
	}
	return s, err
}

// questions are what the verdicts answer: of the mock, which every daemon has,
// and of the targets that were asked for.
func (s settings) questions() (list []contract.Question) {
	for _, target := range append([]string{"mock"}, s.targets...) {
		for _, aal := range []int{3, 2} {
			list = append(list, contract.Question{AAL: aal, Target: target})
		}
	}
	return list
}

func start(args []string, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		return exitUsage
	case s.version:
		_, _ = fmt.Fprintf(stderr, "authbridge-tray %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return exitDone
	}
	_ = platform.NoCoreDumps() // a PIN passes; where it cannot be, that is no reason to ask for none
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Without a bus systray would go on for ever, seen by nobody.
	desktop, err := platform.OpenDesktop(ctx)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "authbridge-tray: %v\n  → start it in a desktop session; elsewhere `authbridge status` and `authbridge watch` say the same\n", err)
		return exitNoDesktop
	}
	defer desktop.Leave()
	if err := desktop.Claim(ctx); err != nil { // two would be two icons
		_, _ = fmt.Fprintln(stderr, "authbridge-tray:", err)
		return exitHeld(err)
	}
	cl := client.FromEnvironment(os.Getenv, s.stateDir)
	defer cl.Close()
	ended := make(chan struct{})
	err = runMenu(func(menu face) {
		t := &tray{client: cl, questions: s.questions(), face: menu, bell: desktop, deeds: inEarnest(cl, s), now: time.Now}
		go func() {
			defer close(ended)
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go leaveWith(ctx, cancel, desktop)
			go sayIfUnseen(ctx, desktop, stderr)
			t.run(ctx)
			leaveMenu()
		}()
	}, func() { <-ended })
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "authbridge-tray:", err)
		return exitNoDesktop
	}
	return exitDone
}

// exitHeld is 0 where a tray is there already: what was asked for is so.
func exitHeld(err error) int {
	var held *platform.Held
	if errors.As(err, &held) {
		return exitDone
	}
	return exitNoDesktop
}

// leaveWith ends the tray with its session: when the bus is gone nobody sees it.
func leaveWith(ctx context.Context, cancel context.CancelFunc, desktop *platform.Desktop) {
	select {
	case <-desktop.Gone():
		cancel()
	case <-ctx.Done():
	}
}

// settling is how long a panel may take to come up after the tray, where both
// start with the session.
const settling = 10 * time.Second

// sayIfUnseen says once that nothing here shows tray icons. It goes on: there
// are notifications, and the icon shows itself when a panel comes.
func sayIfUnseen(ctx context.Context, desktop *platform.Desktop, stderr io.Writer) {
	select {
	case <-time.After(settling):
	case <-ctx.Done():
		return
	}
	if shows, err := desktop.ShowsTrays(ctx); shows || err != nil {
		return
	}
	// As in the registry of failures, which the clients do not import.
	const what, todo = "This desktop shows no tray icons", "Look at the page with authbridge open, or in GNOME add the extension AppIndicator; prompts come as notifications all the same."
	_, _ = fmt.Fprintf(stderr, "TRAY_NONE: %s\n  → %s\n", what, todo)
	_, _ = desktop.Show(ctx, what, todo)
}
