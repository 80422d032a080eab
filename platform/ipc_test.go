//go:build unix

package platform

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "d", "authbridge.sock")
}

func TestTheServerLearnsWhoCallsFromTheKernel(t *testing.T) {
	t.Parallel()
	address := socket(t)
	l, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	peers := make(chan Peer, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			close(peers)
			return
		}
		defer func() { _ = conn.Close() }()
		p, err := PeerOf(conn)
		if err != nil {
			close(peers)
			return
		}
		peers <- p
	}()
	conn, err := Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	got, ok := <-peers
	if !ok {
		t.Fatal("the server learned nothing")
	}
	want, _ := Self()
	if got != want {
		t.Errorf("peer %+v, want %+v", got, want)
	}
}

func TestATCPConnectionHasNoIdentity(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if _, err := PeerOf(a); !errors.Is(err, ErrNotLocal) {
		t.Errorf("got %v, want ErrNotLocal", err)
	}
}

// It runs alone: a child that another test forks has the socket until it
// executes, and keeps a dead daemon's alive.
func TestALivingDaemonKeepsItsSocketAndADeadOneLosesIt(t *testing.T) {
	address := socket(t)
	l, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(address); !errors.Is(err, ErrInUse) {
		t.Fatalf("second Listen: %v, want ErrInUse", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as kill -9 leaves it
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(address); err != nil {
		t.Fatalf("the dead daemon's socket should still lie there: %v", err)
	}
	l, err = Listen(address)
	if err != nil {
		t.Fatalf("after the daemon died: %v", err)
	}
	_ = l.Close()
}

// TestWhatIsNoSocketIsLeftWhereItIs: somebody has put it there.
func TestWhatIsNoSocketIsLeftWhereItIs(t *testing.T) {
	t.Parallel()
	for what, put := range map[string]func(address string) error{
		"a file":            func(address string) error { return os.WriteFile(address, []byte("mine"), 0o600) },
		"a link to nowhere": func(address string) error { return os.Symlink("/nowhere/at/all", address) },
	} {
		address := socket(t)
		if err := errors.Join(os.Mkdir(filepath.Dir(address), 0o700), put(address)); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(address); err == nil || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: got %v", what, err)
		}
		if _, err := os.Lstat(address); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAFolderThatOthersMayWriteToIsRefused(t *testing.T) {
	t.Parallel()
	address := socket(t)
	if err := os.Mkdir(filepath.Dir(address), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(address), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(address); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v, want a refusal that says chmod 700", err)
	}
}

// TestHoldLock is not a test: it is the second process of the tests below.
func TestHoldLock(t *testing.T) {
	what := os.Getenv("AUTHBRIDGE_TEST_HOLD")
	if what == "" {
		t.Skip("only as a child of the lock tests")
	}
	var err error
	if dir, ok := strings.CutPrefix(what, "folder:"); ok {
		_, err = LockFolder(dir)
	} else {
		_, err = lockPhysical(what)
	}
	if err != nil {
		_, _ = os.Stdout.WriteString("failed: " + err.Error() + "\n")
		return
	}
	_, _ = os.Stdout.WriteString("held\n")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent lets go or kills
}

func TestTheSecondProcessLearnsWhoHoldsTheLockAndAKilledHolderLosesIt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	name := "authbridge-test-" + filepath.Base(t.TempDir()) + filepath.Base(filepath.Dir(t.TempDir()))
	for what, take := range map[string]func() (interface{ Close() error }, error){
		"folder:" + dir: func() (interface{ Close() error }, error) { return LockFolder(dir) },
		name:            func() (interface{ Close() error }, error) { return lockPhysical(name) },
	} {
		child := exec.Command(os.Args[0], "-test.run=^TestHoldLock$")
		child.Env = append(os.Environ(), "AUTHBRIDGE_TEST_HOLD="+what)
		in, err := child.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = in.Close() }()
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 5)
		if _, err := out.Read(line); err != nil || string(line) != "held\n" {
			t.Fatalf("%s: child said %q, %v", what, line, err)
		}
		_, err = take()
		var held *Held
		if !errors.As(err, &held) || held.PID != child.Process.Pid {
			t.Errorf("%s: got %v, want held by process %d", what, err, child.Process.Pid)
		}
		if me, err := user.Current(); runtime.GOOS == "linux" && what == name && (err != nil || held.User != me.Username) {
			t.Errorf("%s: got %v, %v, want whose it is", what, held, err)
		}
		_ = child.Process.Kill()
		_ = child.Wait()
		lock, err := take()
		if err != nil {
			t.Errorf("%s: after kill -9: %v", what, err)
			continue
		}
		_ = lock.Close()
	}
}
