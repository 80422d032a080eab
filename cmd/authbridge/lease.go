package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"authbridge/agent/client"
	"authbridge/agent/contract"
)

// Exit codes of a command that was to run under a lease (DESIGN 5.1): those of
// sysexits.h for what became of the lease, those of env(1) for a command that
// did not start.
const (
	exitLeaseUnreachable = 69 // EX_UNAVAILABLE
	exitLeaseNotObtained = 75 // EX_TEMPFAIL
	exitLeaseRefused     = 77 // EX_NOPERM
	exitCannotRun        = 126
	exitNoCommand        = 127
	exitSignalled        = 128 // and the signal's number
)

// leaseFlags say which authenticator is wanted.
type leaseFlags struct {
	contract.LeaseRequest
	ttl, wait time.Duration
}

func (l *leaseFlags) register(c *cobra.Command) {
	c.Flags().IntVar(&l.AAL, "aal", 3, "authenticator assurance level: 2 or 3")
	c.Flags().StringVar(&l.Target, "target", "mock", "what it is for: mock, int, dep, prod or one from the configuration")
	c.Flags().StringVar((*string)(&l.Kind), "kind", "", "only this kind: smartcard or security-key")
	c.Flags().StringVar(&l.User, "user", "", "only authenticators of this user: 12-digit UUID")
	c.Flags().StringVar(&l.Transport, "transport", "", "only this transport: pcsc or hid")
	c.Flags().StringVar((*string)(&l.Origin), "origin-of", "", "physical or virtual (default: virtual for the mock, else physical)")
	c.Flags().StringVar(&l.Authenticator, "authenticator", "", "only the one with this id")
	c.Flags().DurationVar(&l.wait, "wait", 0, "wait in the queue, at most this long (up to 10m)")
	c.Flags().StringVar(&l.Purpose, "purpose", "", `what for, as others shall see it: "run 17"`)
	c.Flags().BoolVar(&l.Takeover, "takeover", false, "end the lease that is in the way (right admin)")
	c.Flags().BoolVar(&l.Keep, "keep", false, "keep discoverable credentials that are made meanwhile")
}

func (l *leaseFlags) request() contract.LeaseRequest {
	r := l.LeaseRequest
	r.Hold = contract.HoldConnection
	if l.wait != 0 { // the daemon says what is wrong with it
		r.Wait = l.wait.String()
	}
	r.TTL = l.ttl.String()
	return r
}

// leaseTime is for how long a lease is taken at a time; it is renewed long
// before. What ends it early is the connection.
const leaseTime = 5 * time.Minute

// held takes a lease for as long as do runs, and renews it meanwhile.
func held(ctx context.Context, c *cobra.Command, f *flags, l *leaseFlags, do func(context.Context, *client.HeldLease) error) error {
	l.ttl = leaseTime
	cl := f.client()
	told := ""
	// The connection is the lease: Ctrl-C ends the wait for it, and then is the
	// matter of who uses it.
	connected, drop := context.WithCancel(context.WithoutCancel(ctx))
	defer drop()
	interrupted := context.AfterFunc(ctx, drop)
	lease, err := cl.HoldLease(connected, l.request(), func(now contract.Lease) {
		if text := queueText(now); text != told {
			told = text
			f.aside(c).text("… ", "  ", text)
		}
	})
	interrupted()
	if err != nil {
		return err
	}
	renewing, enough := context.WithCancel(connected)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		renew(renewing, cl, lease)
	}()
	err = do(ctx, lease)
	enough()
	<-renewed
	over, ending := context.WithTimeout(connected, releaseTime)
	defer ending()
	ended, releaseErr := release(over, lease)
	for _, remark := range ended.Remarks {
		newScreen(c.ErrOrStderr()).text("! ", "  ", remark)
	}
	return errors.Join(err, releaseErr)
}

// release ends a lease. One that has ended already, with the daemon perhaps, is
// none that fails to end.
func release(ctx context.Context, lease *client.HeldLease) (contract.Lease, error) {
	ended, err := lease.Release(ctx)
	var problem *contract.Problem
	var gone *client.NotReachableError
	if errors.As(err, &problem) && problem.Code == "LEASE_OVER" || errors.As(err, &gone) {
		ended, _ = lease.Ended()
		return ended, nil
	}
	return ended, err
}

// aside is for what is said on the way to a result: with --json to people
// alone, since a script reads a failure from where it is said.
func (f *flags) aside(c *cobra.Command) *screen {
	if f.json && !isTerminal(c.ErrOrStderr()) {
		return newScreen(io.Discard)
	}
	return newScreen(c.ErrOrStderr())
}

// releaseTime is longer than a card may take to be left.
const releaseTime = 20 * time.Second

func renew(ctx context.Context, cl *client.Client, lease *client.HeldLease) {
	again := time.NewTicker(leaseTime / 3)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-lease.Done():
			return
		case <-again.C:
			_, _ = cl.RenewLease(ctx, lease.ID, leaseTime) // the next one tries again
		}
	}
}

func queueText(l contract.Lease) string {
	if l.Waiting == "" {
		return fmt.Sprintf("waiting, number %d in the queue", l.Position)
	}
	return fmt.Sprintf("waiting, number %d in the queue: %s", l.Position, l.Waiting)
}

func newLease(f *flags) *cobra.Command {
	var l leaseFlags
	c := &cobra.Command{
		Use:   "lease [flags] -- COMMAND [ARG...]",
		Short: "Run a command while it has an authenticator to itself",
		Long: `Run a command while it has an authenticator to itself. The authenticator is
released when the command ends, however it ends.

The command finds AUTHBRIDGE_LEASE, AUTHBRIDGE_URL and AUTHBRIDGE_TOKEN in its
environment: the token is the lease's own and can use and end it, no more. An
AUTHBRIDGE_URL by which the daemon was reached, such as a socket in a container,
stays as it is.

Exit codes: the command's own (128+N if signal N ended it); 75 the authenticator
was not obtained, 69 no daemon, 77 refused, 2 wrong usage, 126 and 127 the
command did not start.`,
		Example: "  authbridge lease --aal 3 --target mock -- npm test\n  authbridge lease --kind smartcard --wait 2m --purpose \"run 17\" -- ./sign.sh",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("there is no command to run\n  → write it after --, or see who has what with authbridge lease list")
			}
			path, err := exec.LookPath(args[0])
			if err != nil {
				if errors.Is(err, fs.ErrPermission) {
					return &exit{exitCannotRun, fmt.Errorf("%w\n  → name a program that you may run, after --", err)}
				}
				return &exit{exitNoCommand, fmt.Errorf("%w\n  → name a program that is there, after --", err)}
			}
			var code error
			err = held(c.Context(), c, f, &l, func(ctx context.Context, lease *client.HeldLease) error {
				// Signals are the command's while it runs, and before that they end
				// the wait for it.
				signals := make(chan os.Signal, 8)
				signal.Notify(signals, passedOn...)
				defer signal.Stop(signals)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				cmd := exec.Command(path, args[1:]...)
				cmd.Args[0] = args[0]
				cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, c.OutOrStdout(), c.ErrOrStderr()
				cmd.Env = append(os.Environ(), "AUTHBRIDGE_LEASE="+lease.ID, "AUTHBRIDGE_URL="+f.reached(lease.URL), "AUTHBRIDGE_TOKEN="+lease.Token)
				code = runUnder(cmd, signals, lease, newScreen(c.ErrOrStderr()))
				return nil
			})
			if code == nil && err != nil {
				return leaseExit(err)
			}
			if err != nil { // the command's own exit code counts
				newScreen(c.ErrOrStderr()).text("! ", "  ", "the lease did not end as it should: "+err.Error())
			}
			if done := new(exit); errors.As(code, &done) && done.code == 0 {
				return nil
			}
			return code
		},
	}
	c.Flags().SetInterspersed(false)
	l.register(c)
	c.AddCommand(newLeaseList(f), newLeaseRelease(f))
	return c
}

// leaseExit gives errors the exit codes of a wrapper, which must not be taken
// for the command's own.
func leaseExit(err error) error {
	var problem *contract.Problem
	code, words := explain(err)
	switch {
	case code == exitNotReachable:
		code = exitLeaseUnreachable
	case errors.Is(err, context.Canceled):
		code, words = exitLeaseNotObtained, "interrupted, and the command was not run"
	case errors.As(err, &problem) && code == exitRefused && problem.Status == 409:
		code = exitLeaseNotObtained
	case errors.As(err, &problem) && code == exitRefused:
		code = exitLeaseRefused
	}
	if words == "" {
		return &exit{code: code}
	}
	return &exit{code, &told{err, words}}
}

// told is an error that has its words already.
type told struct {
	err   error
	words string
}

func (t *told) Error() string { return t.words }
func (t *told) Unwrap() error { return t.err }

// runUnder runs the command and passes signals on. A lease that ends before is
// said, and the command is left to find out for itself: what it does then is
// its own matter.
func runUnder(cmd *exec.Cmd, signals <-chan os.Signal, lease *client.HeldLease, s *screen) error {
	if err := cmd.Start(); err != nil {
		return &exit{exitCannotRun, err}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	terminal := term.IsTerminal(int(os.Stdin.Fd()))
	over := lease.Done()
	for {
		select {
		case sig := <-signals:
			// What is typed at a terminal reaches all who run there.
			if typed := sig == os.Interrupt || sig == syscall.SIGQUIT; !terminal || !typed {
				_ = cmd.Process.Signal(sig)
			}
		case <-over:
			over = nil
			s.text("! ", "  ", "the lease has ended: "+endOf(lease.Ended()))
		case err := <-ended:
			return &exit{code: exitCodeOf(err)}
		}
	}
}

// endOf says why a lease ended before its command.
func endOf(l contract.Lease, err error) string {
	if err != nil {
		return "the daemon is gone"
	}
	switch l.End {
	case contract.EndReleased:
		return "it was released"
	case contract.EndExpired:
		return "its time was up"
	case contract.EndTakeover:
		return "somebody with the right admin took the authenticator over"
	case contract.EndRestart:
		return "the daemon stopped"
	case contract.EndRevoked:
		return "the token that took it was revoked or has expired"
	default:
		return words(string(l.End))
	}
}

func exitCodeOf(err error) int {
	var failed *exec.ExitError
	if !errors.As(err, &failed) {
		if err != nil {
			return exitCannotRun
		}
		return 0
	}
	if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignalled + int(status.Signal())
	}
	return failed.ExitCode()
}

func newLeaseList(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show who has which authenticator, and who waits", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := f.client().Leases(c.Context())
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), all)
			}
			newScreen(c.OutOrStdout()).showLeases("", all, time.Now())
			return nil
		},
	}
}

func newLeaseRelease(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "release LEASE", Short: "End a lease: your own, or with the right admin anybody's", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ended, err := f.client().ReleaseLease(c.Context(), args[0])
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), ended)
			}
			s := newScreen(c.OutOrStdout())
			s.line("%s has ended", ended.ID)
			for _, remark := range ended.Remarks {
				s.text("! ", "  ", remark)
			}
			return nil
		},
	}
}

// showLeases writes the leases, then the queue.
func (s *screen) showLeases(indent string, all []contract.Lease, now time.Time) {
	if len(all) == 0 {
		s.line("%sno leases", indent)
	}
	rows := make([][]string, 0, len(all))
	for _, l := range all {
		row := []string{l.ID, l.Name, l.Holder, l.Purpose, "ends in " + left(now, l.EndsAt)}
		if l.State == contract.LeaseQueued {
			row = []string{l.ID, "number " + strconv.Itoa(l.Position), l.Holder, l.Purpose, l.Waiting}
		}
		rows = append(rows, row)
	}
	s.table(indent, rows)
}

// left says how much time there is until then, roughly.
func left(now, then time.Time) string {
	d := then.Sub(now)
	switch {
	case d < 0:
		return "0 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	default:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
}
