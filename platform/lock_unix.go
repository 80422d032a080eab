//go:build unix

package platform

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

func lockFolder(dir string) (io.Closer, error) {
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	return lockFile(filepath.Join(dir, "lock"), "the state folder "+dir, 0o600)
}

// lockFile takes an flock, which the kernel ends with the process, and writes
// the holder's pid into the file for whoever comes second.
func lockFile(path, what string, mode os.FileMode) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, mode)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		text, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(string(bytes.TrimSpace(text)))
		return nil, &Held{What: what, PID: pid}
	}
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		if err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	return f, nil
}
