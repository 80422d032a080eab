//go:build unix

package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
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
	if _, err := os.Lstat(address); err == nil {
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
	l, err := net.Listen("unix", address)
	if err != nil {
		return nil, err
	}
	// The folder keeps others out already; this says the same on the socket.
	if err := os.Chmod(address, 0o600); err != nil {
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
	info, err := os.Lstat(address)
	if err != nil {
		return nil, err
	}
	if owner, ok := ownerOf(info); ok && owner != os.Getuid() && owner != 0 {
		return nil, &fs.PathError{Op: "dial", Path: address, Err: fmt.Errorf("belongs to user %d: not trusted", owner)}
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", address)
}

func self() (Peer, error) {
	return Peer{UID: strconv.Itoa(os.Getuid()), PID: os.Getpid()}, nil
}
