package platform

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

func lockFolder(dir string) (io.Closer, error) {
	if err := ownDir(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if err != nil {
		_ = f.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			return nil, &Held{What: "the state folder " + dir}
		}
		return nil, err
	}
	return f, nil
}

// lockPhysical makes a mutex in the global namespace: one for all sessions,
// gone with the process.
func lockPhysical(name string) (io.Closer, error) {
	p, err := windows.UTF16PtrFromString(`Global\` + name)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateMutex(nil, false, p)
	if errors.Is(err, windows.ERROR_ALREADY_EXISTS) || errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		if h != 0 {
			_ = windows.CloseHandle(h)
		}
		return nil, &Held{What: "physical hardware of this machine"}
	}
	if err != nil {
		return nil, err
	}
	return mutex(h), nil
}

type mutex windows.Handle

func (m mutex) Close() error { return windows.CloseHandle(windows.Handle(m)) }
