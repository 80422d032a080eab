package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/platform"
)

// serviceLines is how much of the service's log a bundle has.
const serviceLines = 1000

func newBundle(f *flags) *cobra.Command {
	var output string
	var force bool
	c := &cobra.Command{
		Use: "bundle", Short: "Write what is known of this set-up into a file for a ticket", Args: cobra.NoArgs,
		Long: `Write a zip with versions, configuration, checks, events, logs and what the
operating system says, to send to who helps you. No PIN, token, secret, name of
a person or UUID is in it; README.txt in it says what each file is.

It works where no daemon answers and where the configuration has errors, too: it
says then what could not be had. The file is yours alone (0600), and one that is
there already is kept.

Exit codes: 0 written, 2 wrong usage, 4 the file cannot be written.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if output == "" {
				output = "authbridge-bundle-" + time.Now().Format("20060102-150405") + ".zip"
			}
			file, err := createBundle(output, force)
			if err != nil {
				return err
			}
			s := newScreen(c.OutOrStdout())
			b := f.bundle(c.Context(), func(step string) {
				if s.cuts && !f.json {
					s.line("  … %s", step)
				}
			})
			err = c.Context().Err()
			if err == nil {
				err = b.Write(file)
			}
			size, seekErr := file.Seek(0, 1)
			if err = errors.Join(err, seekErr, file.Close()); err != nil {
				return errors.Join(notWritten(output, err), os.Remove(output))
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), bundleReport{output, size, b.Files(), b.Missing()})
			}
			s.showBundle(output, size, b)
			return nil
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "file to write (default: authbridge-bundle-DATE-TIME.zip in this folder)")
	c.Flags().BoolVar(&force, "force", false, "write it in place of a file that is there")
	return c
}

// bundleReport is what a script hears of a bundle.
type bundleReport struct {
	File    string                `json:"file"`
	Octets  int64                 `json:"octets"`
	Files   []contract.BundleFile `json:"files"`
	Missing []string              `json:"missing"`
}

// createBundle makes the file before anything is gathered: nobody is to wait for
// what cannot be written.
func createBundle(path string, force bool) (*os.File, error) {
	if force {
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			if err := os.Remove(path); err != nil {
				return nil, notWritten(path, err)
			}
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, usage("%s is there already\n  → name another file with --output, or replace it with --force", path)
	case err != nil:
		return nil, notWritten(path, err)
	}
	return file, nil
}

func notWritten(path string, err error) error {
	return &exit{exitRefused, fmt.Errorf("%s is not written: %w\n  → name a file in a folder of yours with --output", path, err)}
}

// bundle gathers what the daemon tells, if one does, and what can be seen from
// here.
func (f *flags) bundle(ctx context.Context, step func(string)) *contract.Bundle {
	person := platform.PersonName()
	step("what the daemon knows")
	b, err := f.client().Bundle(ctx)
	if err != nil {
		b = &contract.Bundle{}
		b.Miss("daemon", saidBy(err))
	}
	b.AddJSON(contract.BundleHereVersions, versions(time.Time{}))
	step("the configuration")
	s, err := settle(overrides{stateDir: f.stateDir}, getenv)
	if err != nil {
		b.AddJSON(contract.BundleHereConfig, map[string]any{"file": filepath.Base(s.File), "errors": configFindings(err)}, person)
	} else {
		b.AddJSON(contract.BundleHereConfig, s.shown(), person)
	}
	step("this machine")
	around := platform.LookAround(ctx)
	b.AddJSON(contract.BundleHereMachine, around, person)
	snap, _ := f.client().Status(ctx) // if there is none, that is found
	listen := s.Listen
	if listen == "" {
		listen = defaultListen
	}
	var ended []string
	if snap == nil {
		ended = f.servicesEnded(ctx)
	}
	b.AddJSON(contract.BundleHereDoctor, diagnose(around.Machine, snap, listen, ended...), person)
	step("the service and its log")
	b.AddJSON(contract.BundleHereService, f.serviceStates(ctx), person)
	if log := platform.ServiceLog(ctx, serviceLines); log != "" {
		b.Add(contract.BundleHereLog, []byte(log), nil, person)
	} else {
		b.Miss(contract.BundleHereLog, "there is none, or it cannot be read here")
	}
	return b
}

// serviceStates are what the managers say of one's own service and of the
// machine's.
func (f *flags) serviceStates(ctx context.Context) map[string]any {
	states := map[string]any{}
	for name, of := range map[string]*served{"own": {flags: f}, "system": {flags: &flags{}, system: true}} {
		service, err := of.service("")
		var state platform.ServiceState
		if err == nil {
			state, err = service.State(ctx)
			err = serviceError(err)
		}
		if err != nil {
			states[name] = map[string]string{"error": saidBy(err)}
			continue
		}
		states[name] = reportOf(state)
	}
	return states
}

// saidBy is why a part could not be had; what to do is for doctor to say.
func saidBy(err error) string {
	if errors.Is(err, client.ErrNotReachable) {
		return "no daemon answers: what it knew, its events and its log are not here"
	}
	_, words := explain(err)
	what, _, _ := strings.Cut(words, "\n")
	return what
}

// showBundle says where it is and what is in it.
func (s *screen) showBundle(path string, size int64, b *contract.Bundle) {
	s.line("%s", s.paint(bold, path)+fmt.Sprintf("  (%d kB)", (size+999)/1000))
	rows := [][]string{}
	for _, file := range b.Files() {
		rows = append(rows, []string{file.Name, file.About})
	}
	s.table("  ", rows)
	for _, why := range b.Missing() {
		s.text("  "+s.paint(yellow, "!")+" ", "    ", why)
	}
	s.text("", "", "No PIN, token or secret is in it, no holder's name, and of a UUID its last three digits. Look it through before you send it.")
}
