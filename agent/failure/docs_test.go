package failure_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"authbridge/agent/failure"
)

var update = flag.Bool("update", false, "write docs/failures.md anew")

// TestTheDocumentationIsTheRegistry compares docs/failures.md with the
// registry; `go test ./agent/failure -update` writes it.
func TestTheDocumentationIsTheRegistry(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "failures.md")
	want := document()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(got), "\r\n", "\n") != want {
		t.Error("docs/failures.md is not what the registry says: run go test ./agent/failure -update")
	}
}

// toDo is the remedy, and below it the commands of each system.
func toDo(e failure.Entry) string {
	all := strings.ReplaceAll(e.Remedy, "|", `\|`)
	systems := []struct{ name, mend string }{{"Linux", e.Mend.Linux}, {"Windows", e.Mend.Windows}, {"macOS", e.Mend.MacOS}}
	if e.Mend == (failure.Mend{Linux: e.Mend.Linux, Windows: e.Mend.Linux, MacOS: e.Mend.Linux}) {
		systems = systems[:1]
		systems[0].name = ""
	}
	for _, s := range systems {
		for command := range strings.Lines(s.mend) {
			command, where, commented := strings.Cut(strings.TrimSuffix(command, "\n"), "#")
			if where = strings.TrimSpace(where); s.name != "" && commented {
				where = s.name + ", " + where
			} else if s.name != "" {
				where = s.name
			}
			all += "<br>`" + strings.TrimSpace(command) + "`"
			if where != "" {
				all += " (" + where + ")"
			}
		}
	}
	return all
}

func document() string {
	var b strings.Builder
	b.WriteString(`# What can be wrong, and what to do

<!-- Written from agent/failure by: go test ./agent/failure -update -->

Every check and every failure has a code. A code never changes its meaning, so a
script may rely on it. The same words stand in the API, on the command line, in
the tray and on the page. Codes that NHS users know from their own screens stand
beside ours.

A check is in one of four states: *pass*, *warn* (it works, but look at it),
*fail*, or *unknown* (it could not be found out; the evidence says why).

What a command can mend has it below, as ` + "`authbridge doctor`" + ` writes it.
`)
	for _, s := range failure.Subjects() {
		fmt.Fprintf(&b, "\n## %s\n\n", s.Name)
		status := s.Entries[0].Status != 0
		if status {
			b.WriteString("| Code | HTTP | What it is about | What to do |\n|---|---|---|---|\n")
		} else {
			b.WriteString("| Code | NHS code | What it is about | What to do |\n|---|---|---|---|\n")
		}
		for _, e := range s.Entries {
			second := e.NHSCode
			if status {
				second = fmt.Sprint(e.Status)
			}
			title := e.Title
			if e.Spec != "" {
				title += " (" + e.Spec + ")"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Code, second, title, toDo(e))
		}
	}
	return b.String()
}
