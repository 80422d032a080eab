package pcscd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// envStage marks the process that has the namespaces but not yet what belongs
// in them; its value says whether the loopback is to acknowledge at once.
const envStage = "AUTHBRIDGE_PCSCD_STAGE"

// missing says what this machine lacks, or "".
func missing() string {
	if _, err := findPcscd(); err != nil {
		return err.Error()
	}
	if _, err := findVpcd(); err != nil {
		return err.Error()
	}
	return ""
}

// enter runs this binary again in new namespaces and returns its exit status.
// In that process it furnishes them, and executes the binary once more: only a
// process that starts in finished namespaces has all its threads in them.
func enter(o options) (int, error) {
	if stage := os.Getenv(envStage); stage != "" {
		if err := furnish(stage == "quickack"); err != nil {
			return 0, err
		}
		os.Setenv(envInside, "1")
		err := syscall.Exec("/proc/self/exe", os.Args, os.Environ()) //nolint:gosec // ourselves, as we were called
		return 0, fmt.Errorf("cannot execute the test binary again: %w", err)
	}

	// The kernel kills the child when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	stage := "plain"
	if o.quickAck {
		stage = "quickack"
	}
	cmd.Env = append(os.Environ(), envStage+"="+stage)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
	}

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	if err := cmd.Start(); err != nil {
		signal.Stop(signals)
		return 0, fmt.Errorf("no right to make mount and network namespaces: %w", err)
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()

	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode(), nil
	default:
		fmt.Fprintln(os.Stderr, "pcscd: the tests in their namespaces ended by", err)
		return 1, nil
	}
}

// furnish puts an empty /run/pcscd and a loopback into the new namespaces.
func furnish(quickAck bool) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make the mounts private: %w", err)
	}
	if err := os.MkdirAll(runDir, 0o755); err != nil { //nolint:gosec // as the package makes it
		// Only root may make it; in our own namespace /run can be ours.
		if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("cannot mount a private /run: %w", err)
		}
		if err := os.MkdirAll(runDir, 0o755); err != nil { //nolint:gosec // as the package makes it
			return err
		}
	}
	if err := unix.Mount("tmpfs", runDir, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("cannot mount a private %s: %w", runDir, err)
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("cannot raise the private loopback: %w", err)
	}
	if !quickAck {
		return nil
	}
	out, err := exec.Command("ip", "route", "replace", "local", "127.0.0.1", "dev", "lo", "table", "local",
		"proto", "kernel", "scope", "host", "src", "127.0.0.1", "quickack", "1").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot set the quick ACK route: %w: %s", err, out)
	}
	return nil
}

// PrivateDrivers puts a folder over the one in which pcscd looks for the drivers
// of USB readers, until the end of the test and for nobody outside. It is for
// before [StartIn].
func PrivateDrivers(t testing.TB, folder string) {
	t.Helper()
	Need(t)
	path, err := findPcscd()
	if err != nil {
		t.Fatal(err)
	}
	about, err := exec.Command(path, "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("pcscd --version: %v: %s", err, about)
	}
	drop := regexp.MustCompile(`usbdropdir=(\S+)`).FindSubmatch(about)
	if drop == nil {
		Lacks(t, "pcscd has no folder for the drivers of USB readers")
	}
	to := string(drop[1])
	if err := unix.Mount(folder, to, "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("pcscd: cannot mount private drivers on %s: %v", to, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(to, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// daemonAttr makes a daemon die with the thread that started it, and keeps a
// terminal's Ctrl-C from it: the harness ends it in order.
func daemonAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
