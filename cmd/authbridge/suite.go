package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
)

func newLoginMatrix(f *flags) *cobra.Command {
	var report string
	c := &cobra.Command{
		Use:   "matrix FILE",
		Short: "Run the logins of a scenario file, and judge them all",
		Long: `Run the logins of a scenario file (TOML; - is standard input): users by
authenticators by acr by scenarios, as many at once as there are authenticators
for them. What went wrong is said as it comes, with what to do; combinations
that can never be are skipped, and named. Ctrl-C cancels, and gives all
authenticators back.

  target = "mock"
  purpose = "release 4.2"

  [[matrix]]
  users = ["656005750105", "656005750107"]
  authenticators = ["security-key"]  # smartcard, or the id of one
  acr = ["AAL3_ANY", "AAL2_OR_AAL3_ANY"]
  scenarios = ["sign-in", "sso", "tampered-token"]

A list that is left out stands for what login chooses by itself. PINs come from
the configuration, or from a person: one PIN for all would be sent to the wrong
ones.

Exit codes: 0 all passed, 1 some did not, 2 the file is wrong, 3 no daemon, 4
refused, 130 interrupted.`,
		Example: "  authbridge login matrix logins.toml --report reports",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			file, err := readSuite(args[0], c.InOrStdin())
			if err != nil {
				return err
			}
			if report != "" { // before anything is done that it should be told of
				if err := os.MkdirAll(report, 0o700); err != nil {
					return usage("--report: %w\n  → name a folder that you may write in", err)
				}
			}
			s := &suiteRunner{file: file, id: client.NewSuite(), client: f.client(), screen: newScreen(c.OutOrStdout()), report: report}
			if f.json {
				s.screen = f.aside(c)
			}
			if err := s.run(c, f); err != nil {
				return err
			}
			if f.json {
				if err := s.client.SuiteReport(c.Context(), s.id, contract.LoginReportJSON, c.OutOrStdout()); err != nil {
					return err
				}
			}
			if s.progress.failed > 0 {
				return &exit{code: exitNotReady}
			}
			return nil
		},
	}
	c.Flags().StringVar(&report, "report", "", "folder for the reports: JSON, JUnit XML and HTML")
	return c
}

// suiteRunner runs one scenario file.
type suiteRunner struct {
	file     *suiteFile
	id       string
	client   *client.Client
	screen   *screen
	report   string
	progress *progress
}

func (s *suiteRunner) run(c *cobra.Command, f *flags) error {
	requests, skipped, err := s.plan(c.Context())
	if err != nil {
		return err
	}
	for _, group := range skipped {
		s.screen.text(s.screen.paint(faint, "- skipped")+"  ", "  ", group.String())
	}
	if len(requests) == 0 {
		return usage("%s: none of its runs can ever be\n  → change what does not go together", s.file.path)
	}
	parallel, err := s.parallel(c.Context(), requests)
	if err != nil {
		return err
	}
	s.screen.line("%s", s.screen.cut(fmt.Sprintf("%s at %s, %d at once: %s", plural(len(requests), "login"), s.file.Target, parallel, s.id)))
	ctx, cancel := context.WithCancelCause(c.Context())
	defer cancel(nil)
	s.progress = newProgress(s.screen, len(requests), time.Now)
	defer s.progress.close()
	a := &attendant{client: s.client, screen: f.aside(c), cancel: cancel}
	defer a.leave()
	told := client.SuiteTold{
		Begun: func(int, contract.Login) { s.progress.begun() },
		Over: func(_ int, l contract.Login) {
			if l.State == contract.LoginAborted && ctx.Err() != nil {
				s.progress.cancelled() // who asked for that needs no telling
				return
			}
			s.progress.over(l)
		},
	}
	if s.attended(requests) {
		told.Ceremony = func(now contract.Ceremony) {
			s.progress.close() // whoever enters a PIN sees no line move
			a.hear(ctx, now)
		}
	}
	err = s.client.RunLogins(ctx, requests, parallel, told)
	s.progress.end()
	switch {
	case c.Context().Err() != nil:
		return c.Context().Err()
	case errors.Is(err, errNobody):
		return &exit{exitNotReady, err}
	case err != nil:
		return err
	case s.report == "":
		return nil
	}
	return saveReports(c.Context(), s.client, s.id, s.report, s.screen)
}

// skippedRuns are runs that can never be, for one reason.
type skippedRuns struct {
	first  plannedRun
	count  int
	reason string
	place  string
}

func (g *skippedRuns) String() string {
	first := ", "
	if g.count > 1 {
		first = ", the first "
	}
	return plural(g.count, "login") + first + nameOfRequest(g.first.request) + ": " + g.reason + " (" + g.place + ")"
}

// plan asks the daemon which runs can be, before the first begins: each way to
// ask once, whoever the users are.
func (s *suiteRunner) plan(ctx context.Context) (requests []contract.LoginRequest, skipped []*skippedRuns, err error) {
	answers := make(map[contract.LoginRequest]*contract.Problem)
	groups := make(map[[2]string]*skippedRuns)
	for _, run := range s.file.runs(s.id) {
		way := run.request
		if way.User != "" {
			way.User = "000000000000"
		}
		p, asked := answers[way]
		if !asked {
			if err := s.client.CheckLogin(ctx, run.request); err != nil && !errors.As(err, &p) {
				return nil, nil, err
			}
			answers[way] = p
		}
		switch {
		case p == nil:
			requests = append(requests, run.request)
			continue
		case p.Code != "LOGIN_MISMATCH" && (p.Status == http.StatusBadRequest || p.Status == http.StatusUnprocessableEntity):
			return nil, nil, s.file.fault(run, p)
		case p.Code != "LOGIN_MISMATCH":
			return nil, nil, p
		}
		line, _ := placeOf(s.file.text, member("matrix", run.matrix, ""))
		place, reason := fmt.Sprintf("%s:%d", s.file.path, line), p.Detail
		if len(p.Fields) > 0 {
			reason = p.Fields[0].Message
		}
		key := [2]string{place, reason}
		if groups[key] == nil {
			groups[key] = &skippedRuns{first: run, reason: reason, place: place}
			skipped = append(skipped, groups[key])
		}
		groups[key].count++
	}
	return requests, skipped, nil
}

// usualParallel bounds the runs at once where the file does not say how many.
const usualParallel = 16

// parallel is how many runs are worth beginning at once: one for each
// authenticator that some of them would take.
func (s *suiteRunner) parallel(ctx context.Context, requests []contract.LoginRequest) (int, error) {
	switch {
	case s.file.Parallel > 0:
		return s.file.Parallel, nil
	case s.attended(requests):
		return 1, nil // a person is asked for one thing at a time
	}
	all, err := s.client.Authenticators(ctx)
	if err != nil {
		return 0, err
	}
	wanted := make(map[contract.LoginRequest]bool)
	for _, r := range requests {
		wanted[contract.LoginRequest{Kind: r.Kind, Authenticator: r.Authenticator, Origin: r.Origin}] = true
	}
	n := 0
	for i := range all {
		for w := range wanted {
			if takes(w, s.file.Target, &all[i]) {
				n++
				break
			}
		}
	}
	return min(max(n, 1), usualParallel), nil
}

// takes is whether a run may be lent an authenticator, as far as that is known
// here.
func takes(w contract.LoginRequest, target string, a *contract.Authenticator) bool {
	usual := contract.Physical
	if target == "mock" {
		usual = contract.Virtual
	}
	return cmp.Or(w.Origin, usual) == a.Origin && (w.Kind == "" || w.Kind == a.Kind) && (w.Authenticator == "" || w.Authenticator == a.ID)
}

// attended is whether a run may ask for a person.
func (s *suiteRunner) attended(requests []contract.LoginRequest) bool {
	for _, r := range requests {
		if s.file.Target != "mock" || r.Origin == contract.Physical {
			return true
		}
	}
	return false
}

// plural is how many there are of something.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// nameOfRequest says what a run tries, and with what.
func nameOfRequest(r contract.LoginRequest) string {
	parts := []string{string(cmp.Or(r.Scenario, contract.ScenarioSignIn)), r.ACR}
	if with := cmp.Or(string(r.Kind), r.Authenticator); with != "" {
		parts = append(parts, "by", with)
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}
