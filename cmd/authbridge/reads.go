package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/platform"
)

func (f *flags) client() *client.Client { return client.FromEnvironment(getenv, f.stateDir) }

// reached is where the daemon is for a command that this one runs: where this one
// was told to find it, since the daemon's own address is of another network where
// this is a container; else what the daemon says.
func (f *flags) reached(address string) string {
	if told := getenv("AUTHBRIDGE_URL"); told != "" && f.stateDir == "" {
		return told
	}
	return address
}

// writeJSON writes as the API does, for scripts.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func newStatus(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show what is there and how healthy it is", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			snap, err := f.client().Status(c.Context())
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), snap)
			}
			screen := newScreen(c.OutOrStdout())
			screen.showStatus(*snap, time.Now())
			if mock, running := f.mockOf(); running {
				screen.line("\nMock\n  %s", mock.Issuer)
			}
			return nil
		},
	}
}

func newReady(f *flags) *cobra.Command {
	q := contract.Question{}
	var wait time.Duration
	var acceptUnproven bool
	c := &cobra.Command{
		Use:   "ready",
		Short: "Say whether a sign-in can be done now, and if not, why not",
		Long: `Say whether this machine can do a sign-in of that level at that target now, with
which authenticator, and if not, why not and what to do.

Exit codes: 0 ready, 1 not ready, 2 wrong usage, 3 no daemon, 4 refused,
5 unproven (nothing fails, but something that is needed is not known).`,
		Example: "  authbridge ready --aal 3 --target mock\n  authbridge ready --aal 3 --target int --kind security-key --wait 30s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkQuestion(q, wait); err != nil {
				return err
			}
			tellHello(c.Context(), f.client())
			v, err := awaitReady(c.Context(), f.client, q, wait, acceptUnproven)
			if err != nil {
				return err
			}
			if f.json {
				if err := writeJSON(c.OutOrStdout(), v); err != nil {
					return err
				}
			} else {
				newScreen(c.OutOrStdout()).showVerdict(v)
			}
			switch {
			case v.Outcome == contract.VerdictReady, v.Outcome == contract.VerdictUnproven && acceptUnproven:
				return nil
			case v.Outcome == contract.VerdictUnproven:
				return &exit{code: exitUnproven}
			default:
				return &exit{code: exitNotReady}
			}
		},
	}
	c.Flags().IntVar(&q.AAL, "aal", 3, "authenticator assurance level: 2 or 3")
	c.Flags().StringVar(&q.Target, "target", "mock", "what the sign-in is aimed at: mock, int, dep, prod or one from the configuration")
	c.Flags().StringVar((*string)(&q.Kind), "kind", "", "only this kind: smartcard, security-key, platform or totp")
	c.Flags().StringVar(&q.User, "user", "", "only authenticators of this user: 12-digit UUID")
	c.Flags().DurationVar(&wait, "wait", 0, "wait until ready, at most this long (up to 5m), also for a daemon that starts")
	c.Flags().BoolVar(&acceptUnproven, "accept-unproven", false, "be content where nothing fails but something is not known")
	return c
}

var isUser = regexp.MustCompile(`^[0-9]{12}$`)

// checkQuestion finds wrong usage before anything is asked; the daemon checks
// the same again.
func checkQuestion(q contract.Question, wait time.Duration) error {
	oneOf := func(flag, value string, allowed ...string) error {
		if slices.Contains(allowed, value) {
			return nil
		}
		return usage("--%s is %q\n  → choose one of %s", flag, value, strings.Join(allowed, ", "))
	}
	if q.AAL != 2 && q.AAL != 3 {
		return usage("--aal is %d\n  → choose 2 or 3", q.AAL)
	}
	if q.Kind != "" {
		if err := oneOf("kind", string(q.Kind), "smartcard", "security-key", "platform", "totp"); err != nil {
			return err
		}
	}
	if q.User != "" && !isUser.MatchString(q.User) {
		return usage("--user is %q\n  → write the UUID: 12 digits, as on the card", q.User)
	}
	if wait < 0 || wait > 5*time.Minute {
		return usage("--wait is %s\n  → wait up to 5m, and ask again if that is too short", wait)
	}
	return nil
}

// startAgain is how soon a daemon that is not there is looked for again.
const startAgain = 100 * time.Millisecond

// awaitReady asks. In the time that it may wait it waits for a daemon, too: who
// starts one asks in the next line, and it may be started again meanwhile. One that
// is another user's is not waited for.
func awaitReady(ctx context.Context, find func() *client.Client, q contract.Question, wait time.Duration, acceptUnproven bool) (contract.Verdict, error) {
	late := time.Now().Add(wait)
	for left := wait; ; left = max(time.Until(late), time.Millisecond) {
		daemon := find()
		v, err := askReady(ctx, daemon, q, left, acceptUnproven)
		daemon.Close()
		if !errors.Is(err, client.ErrNotReachable) || errors.Is(err, platform.ErrNotYours) || time.Until(late) < startAgain {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, err
		case <-time.After(startAgain):
		}
	}
}

// askReady asks, and with acceptUnproven stops waiting at the first verdict
// that will do: the daemon itself holds a call until ready.
func askReady(ctx context.Context, cl *client.Client, q contract.Question, wait time.Duration, acceptUnproven bool) (contract.Verdict, error) {
	if acceptUnproven && wait > 0 {
		v, err := cl.Ready(ctx, q, 0)
		if err != nil || v.Outcome != contract.VerdictNotReady {
			return v, err
		}
	}
	return cl.Ready(ctx, q, wait)
}

func newWatch(f *flags) *cobra.Command {
	var after string
	c := &cobra.Command{
		Use:   "watch",
		Short: "Follow what happens, until Ctrl-C",
		Long: `Follow what happens: cards and keys that come and go, checks that change. With
--after it goes on behind an event it has shown before, also over a restart of
the daemon; nothing is missed.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s := newScreen(c.OutOrStdout())
			err := f.client().Events(c.Context(), after, func(e client.Event) error {
				switch {
				case f.json:
					return writeEvent(c.OutOrStdout(), e)
				case e.Event != nil:
					s.showEvent(*e.Event)
				case e.Truncated:
					s.line("… some events were missed; this is how it is now:")
				case e.Snapshot != nil:
					s.showSources(*e.Snapshot)
					s.line("\nAuthenticators")
					s.showAuthenticators(e.Snapshot.Authenticators)
					s.line("")
				case e.Lost != nil:
					s.line("… the daemon is gone; waiting for it (Ctrl-C ends this)")
				case e.Back:
					s.line("… the daemon is back")
				}
				return nil
			})
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
	c.Flags().StringVar(&after, "after", "", "id of the last event you have seen")
	return c
}

// writeEvent writes one event on one line, as the stream has it.
func writeEvent(w io.Writer, e client.Event) error {
	enc := json.NewEncoder(w)
	switch {
	case e.Event != nil:
		return enc.Encode(e.Event)
	case e.Truncated:
		return enc.Encode(map[string]bool{"truncated": true})
	case e.Lost != nil:
		return enc.Encode(map[string]string{"lost": e.Lost.Error()})
	case e.Back:
		return enc.Encode(map[string]bool{"back": true})
	default:
		return enc.Encode(map[string]any{"snapshot": e.Snapshot})
	}
}

func newAuthenticators(f *flags) *cobra.Command {
	list := &cobra.Command{
		Use: "authenticators [ID]", Short: "List authenticators, or show one with its checks", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s := newScreen(c.OutOrStdout())
			if len(args) == 1 {
				a, err := f.client().Authenticator(c.Context(), args[0])
				if err != nil {
					return err
				}
				if f.json {
					return writeJSON(c.OutOrStdout(), a)
				}
				s.showAuthenticator(a, time.Now())
				return nil
			}
			all, err := f.client().Authenticators(c.Context())
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), all)
			}
			s.showAuthenticators(all)
			return nil
		},
	}
	list.AddCommand(&cobra.Command{
		Use: "certificates ID", Short: "Show the certificates on a card", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			certs, err := f.client().Certificates(c.Context(), args[0])
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), certs)
			}
			newScreen(c.OutOrStdout()).showCertificates(certs)
			return nil
		},
	}, &cobra.Command{
		Use: "read ID", Short: "Read an authenticator anew; costs no PIN try", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := reread(c.Context(), f.client(), args[0])
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), a)
			}
			newScreen(c.OutOrStdout()).showAuthenticator(a, time.Now())
			return nil
		},
	}, newUnblock(f))
	return listed(list)
}

// listed lets list be typed where the noun alone lists.
func listed(noun *cobra.Command) *cobra.Command {
	noun.AddCommand(&cobra.Command{
		Use: "list", Short: "The same as " + noun.Name() + " alone", Args: cobra.NoArgs, RunE: noun.RunE,
	})
	return noun
}

// rereadPatience is longer than a card may take to be given up.
const rereadPatience = 30 * time.Second

// reread asks for a fresh read and waits until it was made.
func reread(ctx context.Context, cl *client.Client, id string) (contract.Authenticator, error) {
	before, err := cl.Authenticator(ctx, id)
	if err != nil {
		return before, err
	}
	if err := cl.Read(ctx, id); err != nil {
		return before, err
	}
	ctx, cancel := context.WithTimeout(ctx, rereadPatience)
	defer cancel()
	for look := time.NewTicker(50 * time.Millisecond); ; {
		now, err := cl.Authenticator(ctx, id)
		if err != nil || now.ReadAt.After(before.ReadAt) || now.Condition != before.Condition {
			return now, err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return now, &exit{exitNotReady, fmt.Errorf("%s was not read within %s: it is %s", id, rereadPatience, words(string(now.Condition)))}
		}
	}
}
