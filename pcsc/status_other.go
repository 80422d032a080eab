//go:build cgo && !windows

package pcsc

import "time"

// statusChange is for Windows alone; the rest asks the library.
func statusChange(uintptr, []ReaderState, time.Duration) error {
	return &Error{Op: "SCardGetStatusChange", Code: SCARD_E_UNSUPPORTED_FEATURE}
}
