package pcsc

import (
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var procGetStatusChange = windows.NewLazySystemDLL("winscard.dll").NewProc("SCardGetStatusChangeW")

// winReaderState is SCARD_READERSTATEW.
type winReaderState struct {
	reader   *uint16
	userData uintptr
	current  uint32
	event    uint32
	atrLen   uint32
	atr      [36]byte
}

// statusChange is SCardGetStatusChangeW with reader names that stay alive for
// as long as the call blocks.
func statusChange(handle uintptr, states []ReaderState, timeout time.Duration) error {
	const op = "SCardGetStatusChange"
	const infinite = 0xFFFFFFFF
	milliseconds := uint32(infinite)
	if timeout >= 0 {
		milliseconds = uint32(min(timeout.Milliseconds(), infinite-1))
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	sys := make([]winReaderState, len(states))
	for i, s := range states {
		name, err := windows.UTF16PtrFromString(s.Reader)
		if err != nil {
			return &Error{Op: op, Code: SCARD_E_INVALID_VALUE}
		}
		pins.Pin(name)
		sys[i] = winReaderState{reader: name, current: uint32(s.Current)}
	}
	r, _, _ := procGetStatusChange.Call(handle, uintptr(milliseconds), uintptr(unsafe.Pointer(&sys[0])), uintptr(len(sys))) //nolint:gosec // a C call
	if r != 0 {
		return &Error{Op: op, Code: Code(r)}
	}
	for i := range states {
		states[i].Event = StateFlags(sys[i].event)
		states[i].ATR = append([]byte(nil), sys[i].atr[:min(int(sys[i].atrLen), len(sys[i].atr))]...)
	}
	return nil
}
