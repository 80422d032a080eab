// Package platformtest gives tests a part of a machine to themselves. It is for
// tests only.
package platformtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// OwnEtc starts the calling test again in a process that has an /etc of its own, a
// copy, and is true in there: users and groups can be made with the system's own
// tools. It skips the test where that takes more rights than it has.
func OwnEtc(t *testing.T) bool {
	t.Helper()
	const mark = "AUTHBRIDGE_TEST_OWN_ETC"
	if os.Getenv(mark) != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("only root gets an /etc of its own")
	}
	dir := filepath.Join(t.TempDir(), "etc")
	if out, err := exec.Command("cp", "-a", "/etc", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	child := exec.Command("sh", "-c", `mount --bind "$1" /etc && exec "$2" -test.run "^$3\$"`, "sh", dir, os.Args[0], t.Name()) //nolint:gosec // it runs itself
	child.Env = append(os.Environ(), mark+"=1")
	child.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// Run runs a tool of the system's.
func Run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}
