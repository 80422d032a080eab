//go:build unix

package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func listen(address string) (net.Listener, error) {
	dir := filepath.Dir(address)
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	// The folder keeps others out already; this says the same on the socket.
	return bind(address, 0o600)
}

func listenForAll(address string) (net.Listener, error) {
	dir := filepath.Dir(address)
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // all go in, whatever the umask was, and the daemon alone writes
		return nil, err
	}
	l, err := bind(address, 0o666)
	if err != nil {
		return nil, err
	}
	return limitUsers(l, userOf, connectionsOfAUser), nil
}

func userOf(conn net.Conn) (uid string, err error) {
	peer, err := peerOf(conn)
	return peer.UID, err
}

// bind opens a socket in place of one that a dead daemon left.
func bind(address string, mode fs.FileMode) (*net.UnixListener, error) {
	if info, err := os.Lstat(address); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, &fs.PathError{Op: "listen", Path: address, Err: errors.New("is there already and no socket: move it away")}
		}
		// Ask before unlinking: a living daemon must not lose its socket.
		conn, err := net.DialTimeout("unix", address, time.Second)
		if err == nil {
			_ = conn.Close()
			return nil, fmt.Errorf("%s: %w", address, ErrInUse)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("look at %s: %w", address, err)
		}
		if err := os.Remove(address); err != nil {
			return nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(address, mode); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// privateDir makes a folder for this user alone, or checks that it is one.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a folder (a link is not followed here)")}
	}
	if owner, ok := ownerOf(info); ok && owner != os.Getuid() {
		return &fs.PathError{Op: "open", Path: dir, Err: fmt.Errorf("belongs to user %d, not to you", owner)}
	}
	if info.Mode().Perm()&0o022 != 0 {
		return &fs.PathError{Op: "open", Path: dir, Err: fmt.Errorf("mode %04o lets others write into it: chmod 700 it", info.Mode().Perm())}
	}
	return nil
}

func ownerOf(info fs.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	if err := trusted(address, os.Getuid()); err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", address)
	return conn, notYours(err)
}

// notYours marks what the system refuses.
func notYours(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrNotYours, err)
	}
	return err
}

// trusted refuses a socket that somebody else than a daemon of this user, of root
// or of the system may have bound.
func trusted(address string, me int) error {
	untrusted := func(path string, why string, args ...any) error {
		return &fs.PathError{Op: "dial", Path: path, Err: fmt.Errorf("%w: "+why, append([]any{ErrNotYours}, args...)...)}
	}
	info, err := os.Lstat(address)
	if err != nil {
		return notYours(err)
	}
	switch owner, ok := ownerOf(info); {
	case !ok || owner == me:
		return nil
	case owner != 0 && !isServiceUser(owner):
		return untrusted(address, "belongs to user %d", owner)
	}
	dir := filepath.Dir(address)
	if info, err = os.Stat(dir); err != nil {
		return err
	}
	switch owner, ok := ownerOf(info); {
	case ok && owner != 0 && owner != me && !isServiceUser(owner):
		return untrusted(dir, "belongs to user %d", owner)
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return untrusted(dir, "mode %04o lets others write into it", info.Mode().Perm())
	}
	return nil
}

// isServiceUser is whether the system service runs as that user.
func isServiceUser(uid int) bool {
	u, err := user.Lookup(serviceUser)
	return err == nil && u.Uid == strconv.Itoa(uid)
}

func self() (Peer, error) {
	return Peer{UID: strconv.Itoa(os.Getuid()), PID: os.Getpid(), Elevated: true}, nil
}
