package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/platform"
)

// pinFlags say where a PIN comes from. It is never an argument: those are for
// everybody on the machine to read.
type pinFlags struct {
	stdin   bool
	keyring string
	ask     bool
}

func (p *pinFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&p.stdin, "pin-stdin", false, "read the PIN from the first line of standard input")
	c.Flags().StringVar(&p.keyring, "pin-keyring", "", "read the PIN from your keyring: service authbridge, this user name")
	c.Flags().BoolVar(&p.ask, "pin-ask", false, "be asked for the PIN, whatever the configuration has")
	c.MarkFlagsMutuallyExclusive("pin-stdin", "pin-keyring", "pin-ask")
}

// keyringTime is how long a locked keyring may ask its user.
const keyringTime = time.Minute

// source is the PIN as a request has it; nil where the daemon shall find it.
func (p *pinFlags) source(ctx context.Context, stdin io.Reader) (*contract.PINSource, error) {
	switch {
	case p.ask:
		return &contract.PINSource{Ask: true}, nil
	case p.keyring != "":
		ctx, cancel := context.WithTimeout(ctx, keyringTime)
		defer cancel()
		pin, err := platform.Keyring(ctx, p.keyring)
		if err != nil {
			entry, _ := failure.Lookup(failure.PINKeyring)
			return nil, &exit{exitNotReady, fmt.Errorf("%s: %w\n  → %s", entry.Code, err, advice(entry))}
		}
		return &contract.PINSource{Value: pin, Secret: p.keyring}, nil
	case p.stdin:
		line, err := bufio.NewReaderSize(stdin, 256).ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, usage("no PIN on standard input: %w", err)
		}
		pin := bytes.Clone(bytes.TrimRight(line, "\r\n"))
		clear(line)
		if len(pin) == 0 {
			return nil, usage("there is no PIN on standard input\n  → write it there, on one line")
		}
		return &contract.PINSource{Value: pin}, nil
	}
	return nil, nil //nolint:nilnil // absent is what the contract calls it
}

func newCeremony(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use: "ceremony", Short: "Use an authenticator once: create or get a credential, or sign", Args: cobra.NoArgs,
		Long: `Use an authenticator once: WebAuthn create and get with a security key, a
signature with a smartcard. It is done under the lease in AUTHBRIDGE_LEASE, or
under one that is taken for it alone. What to do at the machine is said on
standard error, the result is written as JSON. Ctrl-C cancels.

Exit codes: 0 done, 1 not done, 2 wrong usage, 3 no daemon, 4 refused or failed,
130 interrupted.`,
	}
	c.AddCommand(newWebAuthn(f, contract.CeremonyCreate), newWebAuthn(f, contract.CeremonyGet), newSign(f))
	return c
}

func newWebAuthn(f *flags, kind contract.CeremonyType) *cobra.Command {
	run := runFlags{request: contract.CeremonyRequest{Type: kind}}
	options := "PublicKeyCredentialCreationOptionsJSON"
	short := "Make a credential with a key, as navigator.credentials.create does"
	if kind == contract.CeremonyGet {
		options = "PublicKeyCredentialRequestOptionsJSON"
		short = "Sign in with a key, as navigator.credentials.get does"
	}
	var file string
	c := &cobra.Command{
		Use: string(kind), Short: short, Args: cobra.NoArgs,
		Example: fmt.Sprintf("  authbridge ceremony %s --origin http://localhost:3000 --options o.json", kind),
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := run.readInput(c, file)
			if err != nil {
				return usage("%w\n  → name a file with %s, or - for standard input", err, options)
			}
			if !json.Valid(text) {
				return usage("%s is no JSON\n  → write %s", file, options)
			}
			run.request.Options = text
			if run.lease.Kind == "" {
				run.lease.Kind = contract.SecurityKey
			}
			return run.do(c, f)
		},
	}
	c.Flags().StringVar(&run.request.Origin, "origin", "http://localhost", "origin of the page that asks")
	c.Flags().StringVar(&run.request.TopOrigin, "top-origin", "", "origin of the top page, for a frame of another origin")
	c.Flags().StringVar(&file, "options", "-", "file with "+options+"; - is standard input")
	if kind == contract.CeremonyGet {
		c.Flags().StringVar(&run.request.Account, "account", "", "which account, where the key knows several")
	}
	run.register(c)
	return c
}

func newSign(f *flags) *cobra.Command {
	run := runFlags{request: contract.CeremonyRequest{Type: contract.CeremonySign}}
	var file string
	c := &cobra.Command{
		Use: "sign", Short: "Sign data with a smartcard", Args: cobra.NoArgs,
		Long: `Sign data with a smartcard. A virtual card signs anything. A physical one signs
only with a certificate that the configuration names, and never the bare data:
see docs/security.md.`,
		Example: "  authbridge ceremony sign --data challenge.bin --pin-ask",
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if run.request.Data, err = run.readInput(c, file); err != nil {
				return usage("%w\n  → name a file with the data, or - for standard input", err)
			}
			if run.lease.Kind == "" {
				run.lease.Kind = contract.Smartcard
			}
			return run.do(c, f)
		},
	}
	c.Flags().StringVar(&file, "data", "-", "file with what is to be signed; - is standard input")
	c.Flags().StringVar(&run.request.Slot, "slot", "", "PIV slot: 9A, 9C, 9D or 9E (default 9A)")
	c.Flags().StringVar(&run.request.Hash, "hash", "", "SHA-256, SHA-384 or SHA-512 (default SHA-256)")
	run.register(c)
	return c
}

// longestInput is far above any options or challenge; the daemon has a limit of
// its own.
const longestInput = 1 << 20

func (r *runFlags) readInput(c *cobra.Command, file string) ([]byte, error) {
	in := c.InOrStdin()
	switch {
	case file == "-" && r.pin.stdin:
		return nil, errors.New("standard input is for the PIN")
	case file != "-":
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, longestInput))
	if err == nil && len(text) == 0 {
		err = errors.New("there is nothing in it")
	}
	return text, err
}

// runFlags are those of every ceremony.
type runFlags struct {
	request contract.CeremonyRequest
	lease   leaseFlags
	pin     pinFlags
	timeout time.Duration
}

func (r *runFlags) register(c *cobra.Command) {
	r.lease.register(c)
	r.pin.register(c)
	c.Flags().StringVar(&r.request.Lease, "lease", "", "the lease to use, whatever the flags say of the authenticator (default: AUTHBRIDGE_LEASE, else one is taken)")
	c.Flags().DurationVar(&r.timeout, "timeout", time.Minute, "for all of it, people included")
	c.Flags().BoolVar(&r.request.Override, "override", false, "send the PIN although few tries are left; for this one attempt (right physical)")
}

func (r *runFlags) do(c *cobra.Command, f *flags) error {
	ctx := c.Context()
	_ = platform.NoCoreDumps() // a PIN may pass; where it cannot be, that is no reason to ask for none
	var err error
	if r.request.PIN, err = r.pin.source(ctx, c.InOrStdin()); err != nil {
		return err
	}
	r.request.Timeout = r.timeout.String()
	if r.request.Lease == "" {
		r.request.Lease = os.Getenv("AUTHBRIDGE_LEASE")
	}
	if r.request.Lease != "" {
		return r.run(ctx, c, f, f.client())
	}
	return held(ctx, c, f, &r.lease, func(ctx context.Context, lease *client.HeldLease) error {
		r.request.Lease = lease.ID
		return r.run(ctx, c, f, f.client())
	})
}

// run carries the ceremony out, with a person at hand where there is a terminal.
func (r *runFlags) run(ctx context.Context, c *cobra.Command, f *flags, cl *client.Client) error {
	s, asked := f.aside(c), ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &attendant{client: cl, screen: s, cancel: cancel}
	defer a.leave()
	done, err := cl.RunCeremony(ctx, r.request, func(now contract.Ceremony) { a.hear(ctx, now) })
	switch cause := context.Cause(ctx); {
	case err != nil && done.State == contract.CeremonyDone:
		// It was done when it was to be cancelled, and is not lost.
	case err != nil && asked.Err() != nil:
		return asked.Err()
	case errors.Is(cause, errNobody):
		return &exit{exitNotReady, cause}
	case err != nil && cause != nil:
		return cause
	case err != nil:
		return err
	}
	if f.json {
		if err := writeJSON(c.OutOrStdout(), done); err != nil {
			return err
		}
	}
	if done.State != contract.CeremonyDone {
		if done.Problem != nil {
			return done.Problem
		}
		return &exit{exitNotReady, fmt.Errorf("the ceremony is %s", words(string(done.State)))}
	}
	if f.json || done.Result == nil {
		return nil
	}
	for _, remark := range done.Result.Remarks {
		s.text("! ", "  ", remark)
	}
	if all := done.Result.Accounts; len(all) > 1 && r.request.Account == "" {
		s.text("! ", "  ", "the key knows several accounts, of which this is the first; --account names another: "+accountNames(all))
	}
	if done.Result.Credential != nil {
		return writeJSON(c.OutOrStdout(), done.Result.Credential)
	}
	return writeJSON(c.OutOrStdout(), done.Result)
}

func accountNames(all []contract.Account) string {
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = cmp.Or(a.Name, a.ID)
	}
	return strings.Join(names, ", ")
}

// promptText is what a person shall do, and within which time.
func promptText(c *contract.Ceremony, now time.Time) string {
	text := c.Prompt.Text
	if c.Prompt.Again {
		text = "That PIN was wrong. " + text
	}
	rest := left(now, c.Deadline) + " left"
	if n := c.Prompt.TriesLeft; n != nil {
		rest = fmt.Sprintf("%d tries and %s", *n, rest)
	}
	if c.Prompt.RPID != "" {
		rest = "relying party " + c.Prompt.RPID + ", " + rest
	}
	return text + " (" + rest + ")"
}

// newUnblock clears what rule 1 blocked, which a person does once the PIN is put
// right where it comes from.
func newUnblock(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "unblock ID", Short: "Let PINs be sent again from where a refused one came", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			blocks, err := f.client().PINBlocks(c.Context(), args[0])
			if err != nil {
				return err
			}
			if err := f.client().Unblock(c.Context(), args[0]); err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), blocks)
			}
			s := newScreen(c.OutOrStdout())
			if len(blocks) == 0 {
				s.line("nothing was blocked for %s", args[0])
			}
			for _, b := range blocks {
				s.text("", "  ", strings.TrimSpace("cleared: "+b.Source))
			}
			return nil
		},
	}
}
