package pcsc

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// bell rings when something with pcscd's name appears where its socket is.
type bell struct{ f *os.File }

// newBell hangs a bell at the socket's folder, and at the folder above, for as
// long as the first may be missing. Nil if it cannot.
func newBell() *bell {
	socket := os.Getenv("PCSCLITE_CSOCK_NAME") // as libpcsclite has it
	if socket == "" {
		socket = "/run/pcscd/pcscd.comm"
	}
	return newBellAt(filepath.Dir(socket))
}

func newBellAt(folder string) *bell {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	hung := false
	for _, path := range []string{folder, filepath.Dir(folder)} {
		if _, err := unix.InotifyAddWatch(fd, path, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR); err == nil {
			hung = true
		}
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if !hung {
		_ = f.Close()
		return nil
	}
	return &bell{f}
}

// wait returns true once it rang, false after d or at the end of ctx.
func (b *bell) wait(ctx context.Context, d time.Duration) bool {
	if b.f.SetReadDeadline(time.Now().Add(d)) != nil {
		pause(ctx, min(d, lastDelay))
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = b.f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 4096)
	for {
		n, err := b.f.Read(buf)
		if err != nil {
			return false
		}
		if bytes.Contains(buf[:n], []byte("pcscd")) {
			return true
		}
	}
}

func (b *bell) close() { _ = b.f.Close() }
