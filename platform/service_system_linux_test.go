package platform

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"authbridge/platform/platformtest"
)

// TestTheSystemServicesUserIsMade once, with the group that opens keys, and with
// nobody in the group of those who may use the service.
func TestTheSystemServicesUserIsMade(t *testing.T) {
	if _, err := exec.LookPath("systemd-sysusers"); err != nil {
		t.Skip("there is no systemd-sysusers here: install the package systemd")
	}
	if !platformtest.OwnEtc(t) {
		return
	}
	for range 2 {
		if err := prepareSystem(t.Context(), "/usr/bin/env"); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("id", "-nG", serviceUser).Output()
	if err != nil || string(out) != "authbridge authbridge-keys\n" {
		t.Errorf("its groups are %q, %v", out, err)
	}
	out, err = exec.Command("getent", "group", serviceGroup).Output()
	if err != nil || len(out) == 0 || out[len(out)-2] != ':' {
		t.Errorf("the group is %q, %v", out, err)
	}
}

// TestTheSystemServiceRunsWhatOnlyRootCanChange: whoever can write to the program,
// or swap a folder above it, would have the service's rights.
func TestTheSystemServiceRunsWhatOnlyRootCanChange(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can lay out what is root's")
	}
	dir := t.TempDir()
	for path := dir; path != os.TempDir(); path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	lay := func(name string, folder, file os.FileMode, owner int) string {
		t.Helper()
		path := filepath.Join(dir, name, "authbridge")
		for _, err := range []error{
			os.Mkdir(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600), os.Chmod(path, file), os.Chown(path, owner, -1), os.Chmod(filepath.Dir(path), folder),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	link := filepath.Join(dir, "link")
	for path, good := range map[string]bool{
		lay("good", 0o755, 0o755, 0):               true,
		lay("another's", 0o755, 0o755, 65534):      false,
		lay("group-writable", 0o755, 0o775, 0):     false,
		lay("in an open folder", 0o777, 0o755, 0):  false,
		lay("in a closed folder", 0o700, 0o755, 0): false,
		lay("not for others", 0o755, 0o700, 0):     false,
		filepath.Join(dir, "none"):                 false,
		link:                                       false, // to another's
	} {
		if path == link {
			if err := os.Symlink(filepath.Join(dir, "another's", "authbridge"), link); err != nil {
				t.Fatal(err)
			}
		}
		if err := rootsAlone(path); (err == nil) != good || err != nil && !errors.Is(err, ErrProgramPlace) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
