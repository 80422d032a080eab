//go:build linux && e2e

package wine_test

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"authbridge/e2e/debian"
)

//go:embed build.sh
var recipe embed.FS

var update = flag.Bool("update", false, "write the table of docs/platforms.md anew, and run nothing")

// What the process in its namespaces is told by its environment.
const (
	rootEnv = "AUTHBRIDGE_WINE_ROOT" // Wine's Debian
	workEnv = "AUTHBRIDGE_WINE_WORK" // the folder with what was built
)

// TestMain runs the tests as the first process of namespaces of their own: whatever
// Wine starts ends with it, and none of it sees a network.
func TestMain(m *testing.M) {
	flag.Parse()
	if *update {
		os.Exit(m.Run())
	}
	if os.Getenv(rootEnv) == "" {
		code, err := enter()
		if err != nil {
			fmt.Fprintln(os.Stderr, "wine:", err)
			code = 1
		}
		os.Exit(code)
	}
	if err := furnish(os.Getenv(rootEnv), os.Getenv(workEnv)); err != nil {
		fmt.Fprintln(os.Stderr, "wine:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// enter builds what the tests run, while there is a network, and runs this binary
// again in the namespaces.
func enter() (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	kept, err := debian.Recipe{Name: "wine", Files: recipe, Takes: "a minute or two"}.Ensure(ctx, os.Stdout)
	if err != nil {
		return 0, err
	}
	work, err := os.MkdirTemp("", "abw")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := build(ctx, work); err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	// The kernel kills the child when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	args := []string{"--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Geteuid() != 0 {
		args = append(args, "--map-root-user")
	}
	cmd := exec.Command("unshare", append(append(args, self), os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), rootEnv+"="+filepath.Join(kept, "root"), workEnv+"="+work)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// Folders of the Debian that the tests put theirs over.
const (
	workDir     = "/mnt" // to write in; Z:\mnt to Windows
	checkoutDir = "/srv" // to read
)

// xSockets is where X servers are found. There is none but the tests' own.
const xSockets = "/tmp/.X11-unix"

// furnish puts a loopback in the namespaces, and in the Debian what it takes to run
// something. It stays as it is kept: whatever can be written is the tests'.
func furnish(root, work string) error {
	checkout, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(xSockets, 0o777|os.ModeSticky); err != nil {
		return err
	}
	const bind, readOnly = unix.MS_BIND | unix.MS_REC, unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY
	for _, m := range []struct {
		what, to, kind string
		flags          uintptr
	}{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{root, root, "", bind},
		{"", root, "", readOnly},
		{"/dev", root + "/dev", "", bind},
		{"proc", root + "/proc", "proc", 0},
		{"tmpfs", root + "/run", "tmpfs", 0},
		{work, root + workDir, "", bind},
		{checkout, root + checkoutDir, "", bind},
		{"", root + checkoutDir, "", readOnly},
		{"tmpfs", xSockets, "tmpfs", 0},
		{"tmpfs", root + "/tmp", "tmpfs", 0},
	} {
		if err := unix.Mount(m.what, m.to, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", m.what, m.to, err)
		}
	}
	if err := os.Mkdir(root+xSockets, 0o700); err != nil {
		return err
	}
	if err := unix.Mount(xSockets, root+xSockets, "", bind, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", xSockets, err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("the loopback: %w: %s", err, out)
	}
	return nil
}
