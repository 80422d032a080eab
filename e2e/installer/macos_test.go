//go:build linux && e2e

package installer_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// staged is what the package for macOS would be made of, without its programs:
// they take macOS to compile, and so does the package itself.
func staged(t *testing.T) string {
	t.Helper()
	out := t.TempDir()
	t.Setenv("DRY", "1")
	does(t, "../..", "installer/macos/build", out)
	return out
}

// TestWhatThePackageForMacOSBrings names each file and its mode, but for pages of
// the manual and of the documentation, of which there are some.
func TestWhatThePackageForMacOSBrings(t *testing.T) {
	out := staged(t)
	many := regexp.MustCompile(`^(-rw-r--r-- root/usr/local/share/(man/man1/authbridge|doc/authbridge/docs/)).*`)
	var got []string
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(out, path)
		got = append(got, many.ReplaceAllString(info.Mode().String()+" "+filepath.ToSlash(name), "$1*"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	want := []string{
		"-rw-r--r-- root/Library/LaunchAgents/authbridge-tray.plist",
		"-rw-r--r-- root/Library/LaunchAgents/authbridge.plist",
		"-rw-r--r-- root/usr/local/etc/bash_completion.d/authbridge",
		"-rw-r--r-- root/usr/local/share/doc/authbridge/CHANGELOG.md",
		"-rw-r--r-- root/usr/local/share/doc/authbridge/README.md",
		"-rw-r--r-- root/usr/local/share/doc/authbridge/SECURITY.md",
		"-rw-r--r-- root/usr/local/share/doc/authbridge/copyright",
		"-rw-r--r-- root/usr/local/share/doc/authbridge/docs/*",
		"-rw-r--r-- root/usr/local/share/fish/vendor_completions.d/authbridge.fish",
		"-rw-r--r-- root/usr/local/share/man/man1/authbridge*",
		"-rw-r--r-- root/usr/local/share/zsh/site-functions/_authbridge",
		"-rwxr-xr-x root/usr/local/bin/authbridge",
		"-rwxr-xr-x root/usr/local/bin/authbridge-tray",
		"-rwxr-xr-x root/usr/local/share/authbridge/uninstall",
		"-rwxr-xr-x scripts/postinstall",
		"-rwxr-xr-x scripts/preinstall",
	}
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("it brings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, page := range []string{"man1/authbridge.1", "man1/authbridge-tray.1", "man1/authbridge-ready.1"} {
		if _, err := os.Stat(filepath.Join(out, "root/usr/local/share/man", page)); err != nil {
			t.Error(err)
		}
	}
	agents, _ := filepath.Glob(filepath.Join(out, "root/Library/LaunchAgents/*"))
	for _, agent := range agents {
		label := strings.TrimSuffix(filepath.Base(agent), ".plist")
		said := does(t, ".", "python3", "-c", "import plistlib, sys\np = plistlib.load(open(sys.argv[1], 'rb'))\nprint(p['Label'], p['RunAtLoad'], p['LimitLoadToSessionType'], *p['ProgramArguments'])", agent)
		if !strings.HasPrefix(said, label+" True Aqua ") || !strings.Contains(said, "/usr/local/bin/"+label) {
			t.Errorf("%s: %s", label, said)
		}
	}
	scripts, _ := filepath.Glob(filepath.Join(out, "scripts/*"))
	does(t, "../..", "shellcheck", append(scripts, "installer/macos/build", "installer/macos/uninstall", "installer/notices", "installer/build", "installer/windows/build", "installer/windows/sign")...)
}

// acting is a folder with programs of macOS as the test has them act, before the
// machine's own in PATH.
func acting(t *testing.T, programs map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// TestAnOlderPackageForMacOSIsRefused: before it changes anything.
func TestAnOlderPackageForMacOSIsRefused(t *testing.T) {
	script, err := os.ReadFile("../../installer/macos/scripts/preinstall")
	if err != nil {
		t.Fatal(err)
	}
	this := filepath.Join(t.TempDir(), "preinstall")
	text := regexp.MustCompile(`(?m)^this=.*`).ReplaceAll(script, []byte("this=1.10.2"))
	if err := os.WriteFile(this, text, 0o755); err != nil {
		t.Fatal(err)
	}
	for there, refused := range map[string]bool{"": false, "1.9.9": false, "1.10.2": false, "1.10.1": false, "0.0.400": false, "1.10.3": true, "1.11.0": true, "2.0.0": true} {
		answer := "exit 1"
		if there != "" {
			answer = "echo package-id: authbridge; echo version: " + there
		}
		acting(t, map[string]string{"pkgutil": answer})
		said, err := exec.Command(this, "authbridge.pkg", "/", "/").CombinedOutput()
		if (err != nil) != refused || refused != strings.Contains(string(said), there+", which is installed") {
			t.Errorf("over %q: %v: %s", there, err, said)
		}
	}
}

// TestThePackageForMacOSGoesWhole: but for files of others beside its own.
func TestThePackageForMacOSGoesWhole(t *testing.T) {
	root := filepath.Join(staged(t), "root")
	files := strings.TrimSpace(does(t, root, "find", ".", "-type", "f", "-printf", "%P\n"))
	list, log := filepath.Join(t.TempDir(), "list"), filepath.Join(t.TempDir(), "log")
	other := filepath.Join(root, "usr/local/bin/another")
	for path, text := range map[string]string{list: files + "\n", other: "mine"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	acting(t, map[string]string{
		"pkgutil": `[ "$1" = --forget ] && echo "$@" >>` + log + ` || cat ` + list, "launchctl": `echo "$@" >>` + log, "stat": "echo 501", "id": "echo 0",
	})
	t.Setenv("AUTHBRIDGE_ROOT", root)
	said := does(t, "../..", "installer/macos/uninstall")
	if left := does(t, root, "find", ".", "-type", "f", "-o", "-name", "*authbridge*"); left != "./usr/local/bin/another\n" {
		t.Errorf("it leaves\n%s", left)
	}
	if !strings.Contains(said, "~/Library/Application Support/authbridge") {
		t.Errorf("it does not say what stays:\n%s", said)
	}
	did, err := os.ReadFile(log)
	if want := "bootout gui/501/authbridge\nbootout gui/501/authbridge-tray\n--forget authbridge\n"; err != nil || string(did) != want {
		t.Errorf("it did\n%s%v\nwant\n%s", did, err, want)
	}
}
