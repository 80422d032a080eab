package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/platform"
)

// version is set by the build (scripts/version).
var version = "0.0.0-dev"

// Exit codes (DESIGN 5.1).
const (
	exitOK           = 0
	exitNotReady     = 1
	exitUsage        = 2
	exitNotReachable = 3
	exitRefused      = 4
	exitUnproven     = 5
	exitInterrupted  = 130 // by Ctrl-C or SIGTERM, as shells have it
)

// exit is an error with the exit code that it means. Err is nil where all has
// been said already.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exit{exitUsage, fmt.Errorf(format, args...)}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Main runs one command and returns its exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code, words := explain(err)
	switch {
	case words == "":
	case wantsJSON(args):
		_ = writeJSON(stderr, problemOf(err, words))
	default:
		newScreen(stderr).said(words)
	}
	return code
}

// wantsJSON looks at the words themselves: flags behind a wrong one, or behind a
// command that there is not, are never parsed.
func wantsJSON(args []string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return slices.Contains(args, "--json")
}

// problemOf is an error for a script: the daemon's own problem, or one made of
// the words. Words without a code say what was used wrongly.
func problemOf(err error, words string) *contract.Problem {
	var problem *contract.Problem
	if errors.As(err, &problem) {
		return problem
	}
	what, remedy, _ := strings.Cut(words, "\n  → ")
	remedy, _, _ = strings.Cut(remedy, "\n") // the commands are for people
	code, rest, _ := strings.Cut(what, ": ")
	if _, coded := failure.Lookup(failure.Code(code)); !coded {
		code, rest = string(failure.BadRequest), what
	}
	made := (&failure.Error{Code: failure.Code(code), Detail: rest}).Problem()
	if remedy != "" {
		made.Remedy = remedy
	}
	return &made
}

// explain turns an error into an exit code and what to tell a person.
func explain(err error) (code int, words string) {
	var e *exit
	var unreachable *client.NotReachableError
	var foreign *client.ForeignError
	var problem *contract.Problem
	switch {
	case errors.As(err, &e) && e.err == nil:
		return e.code, ""
	case errors.As(err, &e):
		return e.code, e.Error()
	case errors.As(err, &unreachable) && errors.Is(err, platform.ErrNotYours):
		entry, _ := failure.Lookup(failure.NotYours)
		what := unreachable.Err
		var call *url.Error // which says nothing more
		if errors.As(what, &call) {
			what = call.Err
		}
		return exitNotReachable, fmt.Sprintf("%s: %v\n  → %s", entry.Code, what, advice(entry))
	case errors.As(err, &unreachable):
		what := "no daemon answers at " + unreachable.Address
		var call *url.Error // what the network said is no news
		if !errors.As(unreachable.Err, &call) {
			what = unreachable.Err.Error()
		}
		return exitNotReachable, fmt.Sprintf("NOT_RUNNING: %s\n  → %s", what, unreachable.Hint)
	case errors.As(err, &foreign):
		entry, _ := failure.Lookup(failure.NotOurs)
		what := foreign.Error()
		if address, err := url.Parse(getenv("AUTHBRIDGE_URL")); err == nil {
			if l, found := listenerOn(platform.Inspect(), address.Host); found {
				what += ": " + programName(l.Process) + " listens on " + l.Address
			}
		}
		return exitNotReachable, fmt.Sprintf("%s: %s\n  → %s", entry.Code, what, advice(entry))
	case errors.As(err, &problem) && problem.Code == string(failure.Unauthorized) && getenv("AUTHBRIDGE_URL") != "" && getenv("AUTHBRIDGE_TOKEN") == "":
		return exitRefused, problem.Code + ": AUTHBRIDGE_URL is set, and AUTHBRIDGE_TOKEN is not\n  → unset AUTHBRIDGE_URL, and your own daemon is found by its socket; or set AUTHBRIDGE_TOKEN to a token that `authbridge token create` has made there"
	case errors.As(err, &problem):
		return explainProblem(problem)
	case errors.Is(err, context.Canceled):
		return exitInterrupted, "interrupted"
	default:
		// What cobra says of commands and arguments.
		return exitUsage, err.Error() + "\n  → see authbridge --help"
	}
}

// advice is what to do, and below it the commands that do it.
func advice(e failure.Entry) string {
	text := e.Remedy
	for command := range strings.Lines(e.Mend.Here()) {
		text += "\n      " + strings.TrimSuffix(command, "\n")
	}
	return text
}

// explainProblem says what the daemon refused, in the words of the command
// line.
func explainProblem(p *contract.Problem) (code int, words string) {
	words = p.Code + ": " + p.Error()
	for _, f := range p.Fields {
		if !strings.Contains(words, f.Message) {
			words += fmt.Sprintf("\n  %s: %s", f.Location, f.Message)
		}
	}
	words = strings.NewReplacer("query.", "--", "body[0].name", "FAULT", "body.", "", "path.id", "ID", "path.name", "NAME").Replace(words)
	switch p.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return exitUsage, words + "\n  → see the command's --help"
	default:
		entry, _ := failure.Lookup(failure.Code(p.Code))
		entry.Remedy = p.Remedy // of the daemon's version
		return exitRefused, words + "\n  → " + advice(entry)
	}
}

// flags are those that every client command takes.
type flags struct {
	stateDir string
	json     bool
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	var f flags
	root := &cobra.Command{
		Use:   "authbridge",
		Short: "Smartcards and security keys for login tests",
		Long: `authbridge knows which smartcards and security keys are on this machine and how
healthy they are, and tells test tooling whether a sign-in at AAL2 or AAL3 can
be done now, with which authenticator, and if not, why not and what to do.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%w\n  → see %s --help", err, c.CommandPath())
	})
	root.SetUsageFunc(fittingUsage(root.UsageFunc()))
	root.PersistentFlags().StringVar(&f.stateDir, "state-dir", "", "find the daemon that keeps its state in this folder")
	root.PersistentFlags().BoolVar(&f.json, "json", false, "write JSON, as the API does")
	root.AddCommand(
		newRun(&f), newStatus(&f), newReady(&f), newWatch(&f), newDoctor(&f),
		newAuthenticators(&f), newLease(&f), newCeremony(&f), newLogin(&f), newCheck(&f), newMock(&f), newVirtual(&f),
		newToken(&f), newOpen(&f), newConfig(&f), newService(&f), newBundle(&f), newVersion(&f),
	)
	return root
}
