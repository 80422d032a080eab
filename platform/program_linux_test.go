package platform

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestKnock is not a test: it is the program of the next one.
func TestKnock(t *testing.T) {
	address := os.Getenv("AUTHBRIDGE_TEST_KNOCK")
	if address == "" {
		t.Skip("only as a child of the next test")
	}
	_ = os.WriteFile("/proc/self/comm", []byte("firefox"), 0) // as any program may
	conn, err := Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Read(make([]byte, 1)) // until the other end has looked
}

// TestAProgramIsNamedByItsFile, whatever it calls itself, and after its file was
// replaced.
func TestAProgramIsNamedByItsFile(t *testing.T) {
	t.Parallel()
	address := socket(t)
	l, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	file := filepath.Join(t.TempDir(), "who asks")
	// By another process: what one of ours has open to write to, a child that another
	// test forks meanwhile has too, and then it cannot be executed (ETXTBSY).
	if out, err := exec.Command("cp", os.Args[0], file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	child := exec.Command(file, "-test.run=^TestKnock$")
	child.Args[0] = "chromium"
	child.Env = append(os.Environ(), "AUTHBRIDGE_TEST_KNOCK="+address)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	_ = l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(time.Minute))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := ProgramOf(conn); got != "who asks" {
			t.Errorf("it is %q", got)
		}
		_ = os.Remove(file)
	}
	_ = conn.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	mine, theirs := net.Pipe()
	defer func() { _, _ = mine.Close(), theirs.Close() }()
	if got := ProgramOf(mine); got != "" {
		t.Errorf("of a connection that says nothing it is %q", got)
	}
}
