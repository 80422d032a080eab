//go:build linux && e2e

package wine_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// row is something that works on Windows, and what Wine makes of it.
type row struct {
	what string
	try  func(*machine) error
	// fails is what the error says where it does not work, and because is why: what
	// Wine has not, or we. Without, it passes.
	fails, because string
}

// subject is a few rows about one thing, in order: each finds what those before it
// left.
type subject struct {
	name string
	rows []row
	// short has rows of one outcome written as one.
	short bool
}

var table = []subject{
	{name: "the command line", rows: commandLine},
	{name: "a user's own daemon", rows: ownDaemon},
	{name: "the tray", rows: theTray},
	{name: "the MSI and its service", rows: theMSI},
	{name: "the tests of the packages", rows: packages(), short: true},
}

// TestUnderWine tries each row, and prints the table.
func TestUnderWine(t *testing.T) {
	if *update {
		t.Skip("the table is written alone")
	}
	m := newMachine(t)
	var tried strings.Builder
	for _, s := range table {
		for _, r := range s.rows {
			t.Run(s.name+"/"+r.what, func(t *testing.T) {
				err := r.try(m)
				fmt.Fprintf(&tried, "%-24s %-60s %s\n", s.name, r.what, r.outcome())
				switch {
				case r.because == "" && err != nil:
					t.Error(err)
				case r.because != "" && err == nil:
					t.Errorf("this passes now, so the table is wrong: %s", r.because)
				case r.because != "" && !strings.Contains(err.Error(), r.fails):
					t.Errorf("it fails, but not with %q: %v", r.fails, err)
				}
			})
		}
	}
	t.Log("\n" + tried.String())
}

// outcome is what is held of a row.
func (r row) outcome() string {
	if r.because == "" {
		return "passes"
	}
	return "fails: " + r.because
}

// Where the table stands in the documentation.
const (
	document = "../../docs/platforms.md"
	begins   = "<!-- Written from e2e/wine by: go test -tags e2e -run TheDocumentation ./e2e/wine -update -->\n"
	ends     = "<!-- to here -->\n"
)

// TestTheDocumentationHasTheTable compares docs/platforms.md with the rows that are
// tried; -update writes it.
func TestTheDocumentationHasTheTable(t *testing.T) {
	text, err := os.ReadFile(document)
	must(t, err)
	before, rest, ok := strings.Cut(string(text), begins)
	_, after, closed := strings.Cut(rest, ends)
	if !ok || !closed {
		t.Fatalf("there is no place for the table in %s", document)
	}
	want := before + begins + "\n" + asMarkdown() + "\n" + ends + after
	switch {
	case want == string(text):
	case *update:
		must(t, os.WriteFile(document, []byte(want), 0o644))
	default:
		t.Errorf("the table of %s is not that of e2e/wine: run go test -tags e2e -run TheDocumentation ./e2e/wine -update", document)
	}
}

func asMarkdown() string {
	var b strings.Builder
	b.WriteString("| | under Wine 10 |\n|---|---|\n")
	for _, s := range table {
		fmt.Fprintf(&b, "| **%s** | |\n", s.name)
		for i := 0; i < len(s.rows); i++ {
			what, outcome := s.rows[i].what, s.rows[i].outcome()
			for s.short && i+1 < len(s.rows) && s.rows[i+1].outcome() == outcome {
				i++
				what += ", " + s.rows[i].what
			}
			fmt.Fprintf(&b, "| %s | %s |\n", what, outcome)
		}
	}
	return b.String()
}
