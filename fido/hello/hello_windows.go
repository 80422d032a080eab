package hello

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// webauthn.dll has the names of webauthn.h.
var (
	webauthn      = windows.NewLazySystemDLL("webauthn.dll")
	procVersion   = webauthn.NewProc("WebAuthNGetApiVersionNumber")
	procAvailable = webauthn.NewProc("WebAuthNIsUserVerifyingPlatformAuthenticatorAvailable")
	procMetrics   = windows.NewLazySystemDLL("user32.dll").NewProc("GetSystemMetrics")
)

// remoteSession is SM_REMOTESESSION of winuser.h.
const remoteSession = 0x1000

// Ask asks Windows. It shows nothing to the user, and takes no right.
func Ask() (State, error) {
	var session uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &session); err != nil || session == 0 {
		return State{}, ErrNoSession
	}
	var s State
	if procMetrics.Find() == nil {
		remote, _, _ := procMetrics.Call(remoteSession)
		s.Remote = remote != 0
	}
	if procVersion.Find() != nil || procAvailable.Find() != nil {
		return s, nil
	}
	version, _, _ := procVersion.Call()
	s.API = int(uint32(version))
	var available int32                                                     // BOOL
	result, _, _ := procAvailable.Call(uintptr(unsafe.Pointer(&available))) //nolint:gosec // its own memory, as the call wants it
	if result != 0 {
		return State{}, fmt.Errorf("hello: webauthn.dll says 0x%08X", uint32(result))
	}
	s.Available = available != 0
	return s, nil
}
