//go:build linux && e2e

package kernel_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"authbridge/e2e/guest"
)

// denied is what lines of the journal say that something was refused: by the
// kernel's audit, seccomp, polkit, pcscd, or as an error of a program's own.
var denied = regexp.MustCompile(`(?i)denied|not permitted|unauthori[sz]ed|not authori[sz]ed|rejected|violation|avc:|seccomp|type=1326`)

// journalNow is where the journal ends now.
func journalNow(t *testing.T) (cursor string) {
	t.Helper()
	out, err := exec.Command("journalctl", "-n", "0", "--show-cursor", "-q").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, cursor, _ = strings.Cut(strings.TrimSpace(string(out)), "cursor: ")
	return cursor
}

// wantsOnlyListedDenials compares what was refused since then, by whomever, with
// the list in docs/hardening.md.
func wantsOnlyListedDenials(t *testing.T, since string) {
	t.Helper()
	out, err := exec.Command("journalctl", "-q", "--no-pager", "-o", "short", "--no-hostname", "--after-cursor", since).Output()
	if err != nil {
		t.Fatal(err)
	}
	listed := listedDenials(t)
	seen := make([]bool, len(listed))
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if !denied.MatchString(line) {
			continue
		}
		found := false
		for i, pattern := range listed {
			if pattern.MatchString(line) {
				seen[i], found = true, true
			}
		}
		if !found {
			t.Errorf("docs/hardening.md does not list: %s", line)
		}
	}
	for i, pattern := range listed {
		if !seen[i] {
			t.Errorf("docs/hardening.md lists what does not happen: %s", pattern)
		}
	}
}

// listedDenials are the first cells of the page's last table; … is any text.
func listedDenials(t *testing.T) (listed []*regexp.Regexp) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(guest.Share, hardening))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "## What is refused, and shows in the journal\n")
	if !found {
		t.Fatal("docs/hardening.md has no list of what is refused")
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		listed = append(listed, regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(row[1]), "…", ".*")))
	}
	return listed
}
