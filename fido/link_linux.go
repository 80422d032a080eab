package fido

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// hidrawLink is an open hidraw node. The kernel gives every report of the key
// to every opener, and keeps at most 64 for one that does not read.
type hidrawLink struct{ file *os.File }

func openHidraw(name string) (Link, error) {
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, hidrawError(err)
	}
	// libfido2, and with it ssh and systemd, takes this lock before it talks
	// to a key and waits while another has it: it would take the answer to our
	// CTAPHID_INIT for a bad answer to its own.
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &hidrawLink{f}, nil
}

func lock(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	if err := raw.Control(func(fd uintptr) { locked = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) }); err != nil {
		return err
	}
	if errors.Is(locked, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w: it has locked %s", ErrInUse, f.Name())
	}
	return os.NewSyscallError("flock", locked)
}

// hidrawError says what an error of hidraw means, and keeps its number.
func hidrawError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EIO):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case errors.Is(err, os.ErrClosed):
		return ErrClosed
	}
	return err
}

// ReadReport implements Link.
func (l *hidrawLink) ReadReport(p []byte, deadline time.Time) error {
	if err := l.file.SetReadDeadline(deadline); err != nil {
		return hidrawError(err)
	}
	n, err := l.file.Read(p[:ReportSize])
	if err != nil {
		return hidrawError(err)
	}
	clear(p[n:ReportSize])
	return nil
}

// WriteReport implements Link.
func (l *hidrawLink) WriteReport(p []byte) error {
	var report [1 + ReportSize]byte // report number 0 in front, as there are no numbers
	copy(report[1:], p)
	_, err := l.file.Write(report[:])
	return hidrawError(err)
}

// Close implements Link.
func (l *hidrawLink) Close() error { return l.file.Close() }
