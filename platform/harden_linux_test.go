package platform

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// TestACrashWritesNoMemoryToDisk, in a process of its own, since there is no
// way back.
func TestACrashWritesNoMemoryToDisk(t *testing.T) {
	t.Parallel()
	const child = "AUTHBRIDGE_TEST_HARDEN"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestACrashWritesNoMemoryToDisk$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := NoCoreDumps(); err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("a core may have %d octets, and be set to %d", limit.Cur, limit.Max)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if dumpable != 0 {
		t.Errorf("dumpable is %d", dumpable)
	}
}
