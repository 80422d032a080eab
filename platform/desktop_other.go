//go:build !linux && !windows

package platform

import (
	"context"
	"io"
	"os"
	"path/filepath"
)

// Desktop is where a person is told something. Here that is by osascript(1).
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

// Claim takes the place of the one tray of a user, by a lock in their own folder
// for what does not last; *Held if another has it. It ends with Leave or with the
// process.
func (d *Desktop) Claim(context.Context) (err error) {
	d.claim, err = lockFile(filepath.Join(os.TempDir(), "authbridge-tray.lock"), tray, 0o600)
	return err
}

// ShowsTrays is always true.
func (*Desktop) ShowsTrays(context.Context) (bool, error) { return true, nil }

// Clicked never has one.
func (*Desktop) Clicked() <-chan uint32 { return nil }

// Show shows a notification, where there is a program for it.
func (*Desktop) Show(ctx context.Context, title, text string) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, desktopTime)
	defer cancel()
	return 0, notify(ctx, title, text)
}

// Close leaves notifications to the system: they cannot be taken away.
func (*Desktop) Close(context.Context, uint32) error { return nil }
