//go:build unix

package platform

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// TestASocketForAllLiesWhereOnlyItsDaemonWrites.
func TestASocketForAllLiesWhereOnlyItsDaemonWrites(t *testing.T) {
	t.Parallel()
	address := socket(t)
	l, err := ListenForAll(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for path, want := range map[string]os.FileMode{address: 0o666, filepath.Dir(address): 0o755} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s: mode %04o, want %04o", path, info.Mode().Perm(), want)
		}
	}
	if err := os.Chmod(filepath.Dir(address), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenForAll(filepath.Join(filepath.Dir(address), "other")); err == nil {
		t.Error("it listens where others can put a socket of theirs")
	}
}

// laid is a socket of one user in a folder of another.
func laid(t *testing.T, socketOf, folderOf int, mode os.FileMode) (address string) {
	t.Helper()
	address = socket(t)
	dir := filepath.Dir(address)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for _, err := range []error{os.Chmod(filepath.Dir(dir), 0o755), os.Chown(address, socketOf, -1), os.Chown(dir, folderOf, -1), os.Chmod(dir, mode)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return address
}

// TestAUserWithManyConnectionsGetsNoMore, and one that is closed makes room.
func TestAUserWithManyConnectionsGetsNoMore(t *testing.T) {
	t.Parallel()
	address := socket(t)
	if err := os.Mkdir(filepath.Dir(address), 0o700); err != nil {
		t.Fatal(err)
	}
	bound, err := bind(address, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	l := limitUsers(bound, userOf, 2)
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := PeerOf(conn); err != nil {
				t.Errorf("nobody knows whose it is: %v", err)
			}
			if program := ProgramOf(conn); program != filepath.Base(os.Args[0]) && runtime.GOOS == "linux" {
				t.Errorf("it is of the program %q", program)
			}
			if _, half := conn.(interface{ CloseWrite() error }); !half {
				t.Error("it cannot be closed by half")
			}
			accepted <- conn
		}
	}()
	open := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("unix", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	open()
	first := <-accepted
	open()
	<-accepted
	if _, err := open().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a third is not hung up on: %v", err)
	}
	_ = first.Close()
	_ = first.Close() // once is enough
	open()
	<-accepted
	if _, err := open().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a fourth is not hung up on: %v", err)
	}
}

// TestManyUsersAreACrowdToo: one person may have thousands of user ids.
func TestManyUsersAreACrowdToo(t *testing.T) {
	t.Parallel()
	l := &usersListener{most: 2, open: map[string]int{}}
	let := 0
	for n := range 100 {
		if l.enter(strconv.Itoa(n)) {
			let++
		}
	}
	if let != crowd*2 {
		t.Errorf("%d are let in", let)
	}
	l.leave("0")
	if !l.enter("100") || l.enter("101") {
		t.Error("one who leaves makes room for one")
	}
}
