package platform

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sys/windows"
)

// Desktop is where a person is told something. Here that is the tray alone.
type Desktop struct{ claim io.Closer }

// OpenDesktop finds it.
func OpenDesktop(context.Context) (*Desktop, error) { return &Desktop{}, nil }

// Gone is never closed.
func (*Desktop) Gone() <-chan struct{} { return nil }

// Leave ends it.
func (d *Desktop) Leave() {
	if d.claim != nil {
		_ = d.claim.Close()
	}
}

// Claim takes the place of the one tray of a session, by a mutex in its namespace;
// *Held if another has it. It ends with Leave or with the process.
func (d *Desktop) Claim(context.Context) error {
	name, err := windows.UTF16PtrFromString(`Local\authbridge-tray`)
	if err != nil {
		return err
	}
	h, err := windows.CreateMutex(nil, false, name)
	switch {
	case errors.Is(err, windows.ERROR_ALREADY_EXISTS):
		_ = windows.CloseHandle(h)
		return &Held{What: tray}
	case err == nil:
		d.claim = mutex(h)
	}
	return err
}

// ShowsTrays is always true.
func (*Desktop) ShowsTrays(context.Context) (bool, error) { return true, nil }

// Clicked never has one.
func (*Desktop) Clicked() <-chan uint32 { return nil }

// Show shows nothing.
func (*Desktop) Show(context.Context, string, string) (uint32, error) { return 0, ErrNoDesktop }

// Close has nothing to close.
func (*Desktop) Close(context.Context, uint32) error { return nil }
