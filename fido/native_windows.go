package fido

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// Native is the operating system's HID.
//
// On Windows keys are found in the device tree, which needs no right, and by
// its notifications. Opening one needs an administrator (ErrForbidden): Windows
// keeps security keys for its own WebAuthn service. A key that is pulled and
// put back between two looks at the tree is not noticed.
func Native() Bus { return winHID{} }

type winHID struct{}

// Watch implements Bus.
func (winHID) Watch(ctx context.Context, found func(Change)) error {
	c := loadCfgmgr()
	event, err := windows.CreateEvent(nil, 0, 0, nil)
	if err != nil {
		return os.NewSyscallError("CreateEvent", err)
	}
	defer func() { _ = windows.CloseHandle(event) }()
	unregister, err := c.notify(event) // before the listing, so that nothing is missed
	if err != nil {
		return err
	}
	defer func() { _ = unregister() }()
	awake := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = windows.SetEvent(event)
		close(awake)
	})
	defer func() {
		if !stop() {
			<-awake // or it would set an event that is closed
		}
	}()
	w := winWatch{inspect: c.inspect, found: found, known: map[string]*Node{}}
	for settled := false; ; {
		paths, err := hidInterfaces()
		if err != nil {
			return fmt.Errorf("fido: list the HID devices: %w", err)
		}
		w.compare(paths)
		if !settled {
			settled = true
			found(Change{Settled: true})
		}
		if ctx.Err() != nil {
			return nil
		}
		if _, err := windows.WaitForSingleObject(event, windows.INFINITE); err != nil {
			return os.NewSyscallError("WaitForSingleObject", err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// Open implements Bus.
func (winHID) Open(ctx context.Context, node Node) (Link, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, err := windows.UTF16PtrFromString(node.Path)
	if err != nil {
		return nil, err
	}
	handle, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE,
		nil, windows.OPEN_EXISTING, windows.FILE_FLAG_OVERLAPPED, 0)
	if err != nil {
		return nil, winError(&os.PathError{Op: "open", Path: node.Path, Err: err})
	}
	return &winLink{os.NewFile(uintptr(handle), node.Path)}, nil
}

// winLink is an open HID device. Windows, too, gives every report of the key
// to every opener.
type winLink struct{ file *os.File }

// ReadReport implements Link.
func (l *winLink) ReadReport(p []byte, deadline time.Time) error {
	if err := l.file.SetReadDeadline(deadline); err != nil {
		return winError(err)
	}
	var report [1 + ReportSize]byte // with the report number in front
	n, err := l.file.Read(report[:])
	if err != nil {
		return winError(err)
	}
	clear(p[:ReportSize])
	copy(p[:ReportSize], report[min(1, n):n])
	return nil
}

// WriteReport implements Link.
func (l *winLink) WriteReport(p []byte) error {
	var report [1 + ReportSize]byte
	copy(report[1:], p)
	_, err := l.file.Write(report[:])
	return winError(err)
}

// Close implements Link.
func (l *winLink) Close() error { return l.file.Close() }

// winError says what an error of Windows means, and keeps its number.
func winError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION):
		return fmt.Errorf("%w: %w", ErrInUse, err)
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND), errors.Is(err, windows.ERROR_PATH_NOT_FOUND),
		errors.Is(err, windows.ERROR_DEVICE_NOT_CONNECTED), errors.Is(err, windows.ERROR_NO_SUCH_DEVICE), errors.Is(err, windows.ERROR_DEV_NOT_EXIST):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case errors.Is(err, os.ErrClosed):
		return ErrClosed
	}
	return err
}
