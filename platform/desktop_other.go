//go:build !linux

package platform

import "context"

// Desktop is where a person is told something. Here that is the tray alone.
type Desktop struct{}

// OpenDesktop finds it.
func OpenDesktop(context.Context) (*Desktop, error) { return &Desktop{}, nil }

// Gone is never closed.
func (*Desktop) Gone() <-chan struct{} { return nil }

// Leave ends it.
func (*Desktop) Leave() {}

// ShowsTrays is always true.
func (*Desktop) ShowsTrays(context.Context) (bool, error) { return true, nil }

// Clicked never has one.
func (*Desktop) Clicked() <-chan uint32 { return nil }

// Show shows nothing.
func (*Desktop) Show(context.Context, string, string) (uint32, error) { return 0, ErrNoDesktop }

// Close has nothing to close.
func (*Desktop) Close(context.Context, uint32) error { return nil }
