package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
)

// loginFlags are those of every login run.
type loginFlags struct {
	request        contract.LoginRequest
	wait, timeout  time.Duration
	pin            pinFlags
	report         string
	scenario, kind string
	browser        bool
}

func newLogin(f *flags) *cobra.Command {
	var l loginFlags
	c := &cobra.Command{
		Use:   "login",
		Short: "Run a whole login and judge what comes of it",
		Long: `Run a whole login at the mock with an authenticator of this machine, and judge
each thing that comes of it: level, method, user, times, signature, roles. Each
step is shown as it is done. Ctrl-C cancels, and gives the authenticator back.

At a real target the first step is to look whether it can be reached. Its
sign-in page is not walked: --browser lets you sign in yourself, and login
verify judges what your application obtained.

A scenario tries something else than a new sign-in:
` + scenarioNames(true) + `.
Or it tries what must be refused, and passes when the refusal comes from the one
who must refuse:
` + scenarioNames(false) + `.

Exit codes: 0 passed, 1 failed, 2 wrong usage, 3 no daemon, 4 refused, 130
interrupted.`,
		Example: "  authbridge login --target mock --acr AAL3_ANY\n  authbridge login --kind security-key --report reports\n  authbridge login --scenario aal2-for-aal3",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if l.browser {
				l.request.Mode = contract.DriveBrowser
			}
			if l.request.PIN, err = l.pin.source(c.Context(), c.InOrStdin()); err != nil {
				return err
			}
			return l.run(c, f)
		},
	}
	l.register(c)
	c.Flags().StringVar(&l.scenario, "scenario", string(contract.ScenarioSignIn), "what is tried; see above")
	c.Flags().StringVar(&l.request.Authenticator, "authenticator", "", "only the one with this id")
	c.Flags().StringVar((*string)(&l.request.Origin), "origin-of", "", "physical or virtual (default: virtual for the mock, else physical)")
	c.Flags().DurationVar(&l.wait, "wait", 0, "wait for an authenticator, at most this long (up to 10m; default 1m)")
	c.Flags().BoolVar(&l.browser, "browser", false, "sign in with your own browser: the address to open is written, and the authenticator is kept for it")
	l.pin.register(c)
	c.AddCommand(newLoginMatrix(f), newLoginVerify(f), newLoginList(f), newLoginReport(f))
	return c
}

func (l *loginFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&l.request.Target, "target", "mock", "where: mock, int, dep, prod or one from the configuration")
	c.Flags().StringVar(&l.request.ACR, "acr", "", "acr_values, most wanted first (default AAL3_ANY)")
	c.Flags().StringVar(&l.request.User, "user", "", "who signs in: 12-digit UUID (default: the card's own, or whose the key is, or the usual one)")
	c.Flags().StringVar(&l.kind, "kind", "", "smartcard or security-key (default: what is ready and free)")
	c.Flags().DurationVar(&l.timeout, "timeout", 0, "for all that follows once there is an authenticator (up to 10m; default 2m)")
	c.Flags().StringVar(&l.request.Purpose, "purpose", "", `what for, as others and the report shall see it: "run 17"`)
	c.Flags().StringVar(&l.report, "report", "", "folder for the reports: JSON, JUnit XML and HTML")
}

// scenarioNames are those that shall go through, or those that must not.
func scenarioNames(through bool) string {
	var names []string
	for _, s := range contract.LoginScenarios[1:] {
		if refused := slices.Index(contract.LoginScenarios, s) >= slices.Index(contract.LoginScenarios, contract.ScenarioAAL2ForAAL3); refused != through {
			names = append(names, string(s))
		}
	}
	return strings.Join(wrap("", "", strings.Join(names, ", "), defaultWidth), "\n")
}

// run follows one run to its end, with a person at hand where there is a
// terminal.
func (l *loginFlags) run(c *cobra.Command, f *flags) error {
	l.request.Scenario, l.request.Kind = contract.LoginScenario(l.scenario), contract.Kind(l.kind)
	if l.wait != 0 { // the daemon says what is wrong with them
		l.request.Queue = l.wait.String()
	}
	if l.timeout != 0 {
		l.request.Timeout = l.timeout.String()
	}
	if l.report != "" { // before anything is done that it should be told of
		if err := os.MkdirAll(l.report, 0o700); err != nil {
			return usage("--report: %w\n  → name a folder that you may write in", err)
		}
	}
	s := &stepView{screen: newScreen(c.OutOrStdout())}
	if f.json {
		s.screen = f.aside(c)
	}
	ctx, cancel := context.WithCancelCause(c.Context())
	defer cancel(nil)
	cl := f.client()
	a := &attendant{client: cl, screen: f.aside(c), cancel: cancel}
	defer a.leave()
	begun := false
	done, err := cl.RunLogin(ctx, l.request, client.LoginTold{
		Run: func(now contract.Login) {
			if !begun {
				begun = true
				s.begin(now)
			}
			s.show(now.Steps)
		},
		Ceremony: func(now contract.Ceremony) { a.hear(ctx, now) },
		// Not wrapped, so that it can be clicked on and copied.
		Open: func(address string) { a.screen.line("→ Open in your browser and sign in:\n  %s", address) },
	})
	cause := context.Cause(ctx)
	switch {
	case err != nil && c.Context().Err() != nil:
		return c.Context().Err()
	case errors.Is(cause, errNobody):
		return &exit{exitNotReady, cause}
	case err != nil:
		return cmp.Or(cause, err)
	}
	s.end(done)
	if l.report != "" {
		if err := saveReports(c.Context(), cl, done.ID, l.report, s.screen); err != nil {
			return err
		}
	}
	if f.json {
		if err := writeJSON(c.OutOrStdout(), done); err != nil {
			return err
		}
	}
	if done.State != contract.LoginPassed {
		return &exit{code: exitNotReady}
	}
	return nil
}

// endings of the reports' files.
var endings = map[contract.LoginReportForm]string{
	contract.LoginReportJSON: ".json", contract.LoginReportJUnit: ".xml", contract.LoginReportHTML: ".html",
}

// saveReports writes all three, and says where the one for people is.
func saveReports(ctx context.Context, cl *client.Client, id, folder string, s *screen) error {
	for _, form := range []contract.LoginReportForm{contract.LoginReportJSON, contract.LoginReportJUnit, contract.LoginReportHTML} {
		path := filepath.Join(folder, id+endings[form])
		if err := fileReport(ctx, cl, id, form, path); err != nil {
			return err
		}
		if form == contract.LoginReportHTML {
			s.line("  report  %s", path)
		}
	}
	return nil
}

// fileReport writes one of them into a file.
func fileReport(ctx context.Context, cl *client.Client, id string, form contract.LoginReportForm, path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err == nil {
		err = errors.Join(writeReport(ctx, cl, id, form, file), file.Close())
	}
	var disk *fs.PathError
	if errors.As(err, &disk) {
		return &exit{exitRefused, fmt.Errorf("the report is not written: %w\n  → name a file or folder that you may write in", err)}
	}
	return err
}

// writeReport writes that of a run, or of a suite.
func writeReport(ctx context.Context, cl *client.Client, id string, form contract.LoginReportForm, w io.Writer) error {
	if strings.HasPrefix(id, "suite-") {
		return cl.SuiteReport(ctx, id, form, w)
	}
	text, err := cl.LoginReport(ctx, id, form)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// longestTokens is above what the daemon takes.
const longestTokens = 300 << 10

func newLoginVerify(f *flags) *cobra.Command {
	var l loginFlags
	c := &cobra.Command{
		Use:   "verify",
		Short: "Judge the tokens of a login that your application did",
		Long: `Judge the tokens of a login that your application or test did: by the same rules
as a run of its own, with the signing keys of the target. They are read from
standard input, as JSON:

  {"id_token": "eyJ…", "userinfo": {…}, "client_id": "…", "nonce": "…"}

id_token is needed. access_token judges at_hash, and fetches userinfo where that
is left out; nonce and max_age ("5m") are judged where they are given; ceremony
is the id of the one that signed in. Nothing of it is kept.

Exit codes: 0 passed, 1 failed, 2 wrong usage, 3 no daemon, 4 refused.`,
		Example: "  authbridge login verify --target int --acr AAL3_ANY < tokens.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			tokens, err := readTokens(c.InOrStdin())
			if err != nil {
				return err
			}
			l.request.Mode, l.request.Tokens = contract.DriveTokens, tokens
			return l.run(c, f)
		},
	}
	l.register(c)
	return c
}

var memberName = regexp.MustCompile(`^json: unknown field "[A-Za-z_]{1,24}"$`)

// readTokens takes what an application obtained, and repeats nothing of it.
func readTokens(in io.Reader) (*contract.LoginTokens, error) {
	text, err := io.ReadAll(io.LimitReader(in, longestTokens+1))
	defer func() { clear(text) }()
	if err != nil {
		return nil, usage("standard input: %w", err)
	}
	if len(text) > longestTokens {
		return nil, usage("there is more than %d KiB on standard input\n  → write the tokens alone", longestTokens>>10)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	var tokens contract.LoginTokens
	err = dec.Decode(&tokens)
	// Of what is wrong no more is said than the name of a member, if it is one.
	if err != nil && memberName.MatchString(err.Error()) {
		return nil, usage("standard input: %w\n  → write it as authbridge login verify --help shows", err)
	}
	if err != nil || dec.More() || len(tokens.IDToken) == 0 {
		return nil, usage(`what is on standard input is not {"id_token": "…", …}` + "\n  → write it as authbridge login verify --help shows")
	}
	return &tokens, nil
}

func newLoginList(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show the newest login runs, the newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := f.client().Logins(c.Context())
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), all)
			}
			newScreen(c.OutOrStdout()).showLogins(all, time.Now())
			return nil
		},
	}
}

func newLoginReport(f *flags) *cobra.Command {
	var form, file string
	c := &cobra.Command{
		Use: "report ID", Short: "Write the report of a login run, or of a scenario file's", Args: cobra.ExactArgs(1),
		Long: `Write the report of a login run (login-…), or of all that a scenario file asked
for (suite-…): JSON, JUnit XML for pipelines, or a page that stands alone and
prints well. It shows users by their last digits, and no secret.`,
		Example: "  authbridge login report login-0123456789abcdef --form html -o report.html",
		RunE: func(c *cobra.Command, args []string) error {
			if _, known := endings[contract.LoginReportForm(form)]; !known {
				return usage("--form is %q\n  → choose one of json, junit, html", form)
			}
			if file == "" || file == "-" {
				return writeReport(c.Context(), f.client(), args[0], contract.LoginReportForm(form), c.OutOrStdout())
			}
			return fileReport(c.Context(), f.client(), args[0], contract.LoginReportForm(form), file)
		},
	}
	c.Flags().StringVar(&form, "form", "json", "json, junit or html")
	c.Flags().StringVarP(&file, "output", "o", "", "file to write (default: standard output)")
	return c
}
