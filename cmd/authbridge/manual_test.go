package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manual is where installer/build wants the manual pages. They are written by a
// test, so that the daemon does not link what makes them.
var manual = flag.String("manual", "", "write the manual pages to this folder")

// TestHelpFitsTheTerminal: no command's help is wider than 80 columns.
func TestHelpFitsTheTerminal(t *testing.T) {
	t.Parallel()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for line := range strings.Lines(c.Long + "\n" + c.UsageString()) {
			if line = strings.TrimSuffix(line, "\n"); columns(line) > defaultWidth {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), columns(line), line)
			}
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(newRoot(io.Discard, io.Discard))
}

// TestTheManual holds that each command has a page, the same at each build.
func TestTheManual(t *testing.T) {
	dir := *manual
	if dir == "" {
		dir = t.TempDir()
	}
	root := newRoot(io.Discard, io.Discard)
	root.DisableAutoGenTag = true
	// The date is that of SOURCE_DATE_EPOCH.
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "authbridge", Manual: "authbridge"}, dir); err != nil {
		t.Fatal(err)
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
		}
		if c.Short == "" || !strings.Contains(string(page), ".SH SYNOPSIS") {
			t.Errorf("the page of %s: %s", c.CommandPath(), page)
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(root)
}
