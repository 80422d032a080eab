package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authbridge/agent/contract"
)

func newCheck(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Check what a login rests on, beside authenticators",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newCheckRP(f))
	return c
}

func newCheckRP(f *flags) *cobra.Command {
	var request contract.RelyingPartyRequest
	var folder string
	c := &cobra.Command{
		Use:   "rp",
		Short: "Check a running application against its registration",
		Long: `Check a running application against its registration: does its back-channel
logout endpoint take good logout tokens and refuse forged, foreign and old ones;
are its certificate, its redirect addresses and its published keys as they
should be; does it authenticate and ask as it is registered.

The registration is a [[mock.client]] or a [[registration]] of the
configuration, or that of the demo. Only the addresses in it are called, the
tokens are about a user whom nobody has, and nothing is kept but what you keep
with --report.

Exit codes: 0 nothing failed, 1 something failed, 2 wrong usage, 3 no daemon, 4
refused.`,
		Example: "  authbridge check rp\n  authbridge check rp --client 123456789012.apps.national --report reports",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if folder != "" { // before anything is called
				if err := os.MkdirAll(folder, 0o700); err != nil {
					return usage("--report: %w\n  → name a folder that you may write in", err)
				}
			}
			request.Reports = folder != ""
			done, err := f.client().CheckRelyingParty(c.Context(), request)
			if err != nil {
				return err
			}
			s := newScreen(c.OutOrStdout())
			if f.json {
				s = f.aside(c)
			}
			s.showRelyingParty(done)
			if folder != "" {
				if err := savePartyReports(done, folder, s); err != nil {
					return err
				}
			}
			done.Reports = nil
			if f.json {
				if err := writeJSON(c.OutOrStdout(), done); err != nil {
					return err
				}
			}
			if done.State == contract.Fail {
				return &exit{code: exitNotReady}
			}
			return nil
		},
	}
	c.Flags().StringVar(&request.Client, "client", "", "client id (default: the only application that is registered, else the demo)")
	c.Flags().StringVar(&request.Target, "target", "", "where it is registered: mock, int, dep or prod (default: wherever it is)")
	c.Flags().StringVar(&folder, "report", "", "folder for the reports: JSON, JUnit XML and HTML")
	return c
}

// savePartyReports writes all three, and says where the one for people is.
func savePartyReports(p contract.RelyingParty, folder string, s *screen) error {
	reports := p.Reports
	p.Reports = nil
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	name := fmt.Sprintf("rp-%s-%s-%s", p.Target, fileName(p.Client), p.StartedAt.UTC().Format("20060102T150405Z"))
	for form, text := range map[contract.LoginReportForm]string{
		contract.LoginReportJSON: string(text) + "\n", contract.LoginReportJUnit: reports.JUnit, contract.LoginReportHTML: reports.HTML,
	} {
		path := filepath.Join(folder, name+endings[form])
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return &exit{exitRefused, fmt.Errorf("the report is not written: %w\n  → name a folder that you may write in with --report", err)}
		}
	}
	s.line("  report  %s", filepath.Join(folder, name+endings[contract.LoginReportHTML]))
	return nil
}

// fileName is a client id as it may stand in a file's name.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, s)
}

// showRelyingParty writes each check on a line, and below it what is not as it
// should be and what to do.
func (s *screen) showRelyingParty(p contract.RelyingParty) {
	s.line("%s", s.cut(strings.TrimSpace(fmt.Sprintf("%s at %s: %s", p.Client, p.Target, s.paint(bold, p.Name)))))
	subject := ""
	for i := 0; i < len(p.Checks); i++ {
		c := p.Checks[i]
		if c.Subject != subject && c.Subject != "" {
			s.line("  %s", s.paint(faint, c.Subject))
		}
		subject = c.Subject
		if n := unmade(p.Checks[i:]); n > 2 && i > 0 && p.Checks[i-1].State == contract.Fail && p.Checks[i-1].Subject == c.Subject {
			s.text(fmt.Sprintf("  ? %d more checks were not made: ", n), "      ", c.Evidence)
			i += n - 1
			continue
		}
		s.showPartyCheck(c)
	}
	m := markOf(p.State)
	took := p.EndedAt.Sub(p.StartedAt).Round(10 * time.Millisecond)
	s.text(s.paint(m.colour, m.shape)+" "+s.paint(bold, m.word)+"  ", "  ", fmt.Sprintf("%s (%s)", p.Summary, took))
}

// unmade is how many checks, from the first on, nobody could make for one reason.
func unmade(checks []contract.RelyingPartyCheck) int {
	n := slices.IndexFunc(checks, func(c contract.RelyingPartyCheck) bool {
		return c.State != contract.Unknown || c.Subject != checks[0].Subject || c.Evidence != checks[0].Evidence
	})
	if n < 0 {
		return len(checks)
	}
	return n
}

func (s *screen) showPartyCheck(c contract.RelyingPartyCheck) {
	const more = "      "
	m := markOf(c.State)
	first := "  " + s.paint(m.colour, m.shape) + " " + c.Name + strings.Repeat(" ", max(0, stepNames-len(c.Name))) + "  "
	if c.State == contract.Pass {
		s.line("%s", s.cut(strings.TrimRight(first+c.Got, " ")))
		return
	}
	s.text(first, more, c.Code)
	rows := [][2]string{{"expected  ", c.Expected}, {"got       ", c.Got}, {"", c.Evidence}}
	if c.State != contract.Unknown {
		rows = append(rows, [2]string{"rule      ", c.Clause})
	}
	for _, row := range rows {
		if row[1] != "" {
			s.text(more+row[0], more+strings.Repeat(" ", len(row[0])), row[1])
		}
	}
	if c.Remedy != "" {
		s.text(more+"→ ", more+"  ", c.Remedy)
	}
}
