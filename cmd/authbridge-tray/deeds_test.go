package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/platform"
)

// TestTheBundleIsThatOfTheCommandLine: the one that the program beside the tray
// writes, here where no daemon answers.
func TestTheBundleIsThatOfTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	program := beside(func() (string, error) { return filepath.Join(dir, "authbridge-tray"), nil })
	if program != filepath.Join(dir, "authbridge") {
		t.Fatalf("beside it is %s", program)
	}
	if out, err := exec.Command("go", "build", "-o", program, "../authbridge").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	folder, state, now := filepath.Join(dir, "Downloads"), filepath.Join(dir, "state"), time.Now()
	if got := bundleFolder(dir); got != dir {
		t.Errorf("without a folder for it, it is saved in %s", got)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := bundleFolder(dir); got != folder {
		t.Errorf("it is saved in %s", got)
	}
	file, err := writeBundle(t.Context(), program, state, folder, now)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bundle.Close() }()
	if !slices.ContainsFunc(bundle.File, func(f *zip.File) bool { return f.Name == "README.txt" }) {
		t.Error("it has no README.txt")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := writeBundle(t.Context(), program, state, folder, now); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("in place of one that is there: %v", err)
	}
	if _, err := writeBundle(t.Context(), filepath.Join(dir, "none"), state, folder, now); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the program: %v", err)
	}
}

func TestWhichServiceIsToRun(t *testing.T) {
	t.Parallel()
	none, there, enabled := platform.ServiceState{}, platform.ServiceState{Installed: true}, platform.ServiceState{Installed: true, Enabled: true}
	for name, c := range map[string]struct {
		own, system platform.ServiceState
		machines    bool
	}{
		"neither":                      {none, none, false},
		"one's own":                    {enabled, none, false},
		"one's own, stopped for good":  {there, none, false},
		"both, as packages bring them": {enabled, there, false},
		"the machine's":                {none, enabled, true},
		"the machine's, not enabled":   {none, there, true},
		"both, in a lab":               {enabled, enabled, true},
	} {
		if got := toRun(c.own, c.system); got != c.machines {
			t.Errorf("%s: the machine's is to run: %v", name, got)
		}
	}
}

func TestWhoCannotStartTheServiceIsToldHow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err        error
		goos, want string
	}{
		{platform.ErrNotPermitted, "linux", "sudo authbridge service start --system"},
		{fmt.Errorf("%w: access is denied", platform.ErrNotPermitted), "windows", "authbridge service start in an elevated prompt"},
		{platform.ErrNotInstalled, "linux", "authbridge service install"},
		{platform.ErrNoServices, "linux", "authbridge run"},
		{platform.ErrNoSession, "linux", ""},
	} {
		if got := unstarted(c.goos, c.err); !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v on %s: %v", c.err, c.goos, got)
		}
	}
	if unstarted("linux", nil) != nil {
		t.Error("a service that was started is none")
	}
}
