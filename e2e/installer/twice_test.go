//go:build linux && e2e

package installer_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheSamePackagesTwice builds them here, and from a copy in another folder:
// whoever builds a commit gets the sums that its packages were published with.
func TestTheSamePackagesTwice(t *testing.T) {
	here, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "another folder")
	copyTree(t, here, elsewhere)
	does(t, here, "make", "dist")

	t.Setenv("GIT_DIR", strings.TrimSpace(does(t, here, "git", "rev-parse", "--absolute-git-dir")))
	if err := os.Symlink(filepath.Join(here, ".bin"), filepath.Join(elsewhere, ".bin")); err != nil {
		t.Fatal(err)
	}
	does(t, elsewhere, "installer/build")
	first, second := sums(t, here), sums(t, elsewhere)
	if first != second {
		t.Errorf("they differ:\n%s\n%s", first, second)
	}
	if n := strings.Count(first, "authbridge-tray_"); n != 2 {
		t.Errorf("%d lists of what is in the tray:\n%s", n, first)
	}
	for _, kind := range []string{".deb", ".rpm", ".tar.gz", ".zip", ".msi", "linux_amd64.cdx.json", "windows_amd64.cdx.json"} {
		if !strings.Contains(first, kind+"\n") {
			t.Errorf("there is no %s:\n%s", kind, first)
		}
	}
}

// link is one of Markdown to a file, without what comes behind a #.
var link = regexp.MustCompile(`\]\(([^)#\s:]+)(?:#[^)]*)?\)`)

// TestNoDocumentLeadsNowhere: who has a package and no sources can follow every
// link in its documents.
func TestNoDocumentLeadsNowhere(t *testing.T) {
	to := filepath.Join(t.TempDir(), "said")
	does(t, "../..", "installer/docs", to)
	links := 0
	err := filepath.WalkDir(to, func(page string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(page) != ".md" {
			return err
		}
		text, err := os.ReadFile(page)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
		return err
	})
	if err != nil || links < 50 {
		t.Errorf("%d links (%v)", links, err)
	}
}

// copyTree copies what belongs to the checkout, as it is now.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	for name := range strings.SplitSeq(does(t, from, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00") {
		info, err := os.Lstat(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(from, name))
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), content, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

func sums(t *testing.T, checkout string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(checkout, "dist", "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func does(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, said.String())
	}
	return string(out)
}
