package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	credui               = windows.NewLazySystemDLL("credui.dll")
	promptForCredentials = credui.NewProc("CredUIPromptForCredentialsW")
	user32               = windows.NewLazySystemDLL("user32.dll")
	enumThreadWindows    = user32.NewProc("EnumThreadWindows")
	postMessage          = user32.NewProc("PostMessageW")
)

// Of wincred.h and winuser.h.
const (
	creduiDoNotPersist        = 0x2
	creduiExcludeCertificates = 0x8
	creduiAlwaysShow          = 0x80
	creduiGeneric             = 0x40000
	creduiKeepUserName        = 0x100000
	creduiLongestMessage      = 1024 - 1 // CREDUI_MAX_MESSAGE_LENGTH
	creduiLongestCaption      = 128 - 1  // CREDUI_MAX_CAPTION_LENGTH
	creduiPasswordRoom        = 256 + 1  // CREDUI_MAX_PASSWORD_LENGTH, and the end
	creduiUserRoom            = 513 + 1  // CREDUI_MAX_USERNAME_LENGTH, and the end
	wmClose                   = 0x10
	windowsOK                 = 1 // IDOK
)

// creduiInfo is CREDUI_INFOW.
type creduiInfo struct {
	size             uint32
	parent           windows.HWND
	message, caption *uint16
	banner           windows.Handle
}

// closeAgain is how often the dialog is told to close: it may not be there yet.
const closeAgain = 200 * time.Millisecond

// askPIN asks by the dialog of Windows for generic credentials, which keeps
// none. CredUIPromptForWindowsCredentials, its successor, shows its dialog in a
// process of the system's, where it cannot be taken away with the ceremony.
func askPIN(ctx context.Context, d PINDialog) ([]byte, error) {
	if err := promptForCredentials.Find(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPINDialog, err)
	}
	asking, end := context.WithCancelCause(ctx)
	defer end(nil)
	if d.Within > 0 {
		defer time.AfterFunc(d.Within, func() { end(ErrPINTimedOut) }).Stop()
	}
	type answer struct {
		pin []byte
		err error
	}
	thread, answered := make(chan uint32, 1), make(chan answer, 1)
	go func() {
		runtime.LockOSThread() // for good: what the dialog leaves in the thread ends with it
		thread <- windows.GetCurrentThreadId()
		pin, err := prompt(d)
		answered <- answer{pin, err}
	}()
	id := <-thread
	select {
	case a := <-answered:
		return a.pin, a.err
	case <-asking.Done():
	}
	again := time.NewTicker(closeAgain)
	defer again.Stop()
	for {
		closeWindows(id)
		select {
		case a := <-answered:
			clear(a.pin)
			return nil, context.Cause(asking)
		case <-again.C:
		}
	}
}

// prompt shows the dialogs until they are answered: one with the whole text, and
// then the one to type in, whose message is to be brief (CREDUI_INFO), without a
// word on how much of it is seen.
func prompt(d PINDialog) ([]byte, error) {
	brief, _, _ := strings.Cut(cmp.Or(d.Error, d.Text), "\n")
	title := utf16Of(d.Title, creduiLongestCaption)
	answer, err := windows.MessageBox(0, utf16Of(strings.TrimSpace(d.Error+"\n\n"+d.Text), creduiLongestMessage), title,
		windows.MB_OKCANCEL|windows.MB_ICONQUESTION|windows.MB_SETFOREGROUND|windows.MB_TOPMOST)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoPINDialog, err)
	case answer != windowsOK:
		return nil, ErrPINDeclined
	}
	return promptPIN(utf16Of(brief, creduiLongestMessage), title)
}

// promptPIN has the PIN typed. It passes one buffer, which is wiped.
func promptPIN(message, title *uint16) ([]byte, error) {
	info := creduiInfo{message: message, caption: title}
	info.size = uint32(unsafe.Sizeof(info))
	var user [creduiUserRoom]uint16 // it wants one; what it shows is not for typing
	copy(user[:], utf16.Encode([]rune("PIN")))
	var typed [creduiPasswordRoom]uint16
	defer clear(typed[:])
	var save int32
	code, _, _ := promptForCredentials.Call(
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(title)), 0, 0, //nolint:gosec // only for the time of the call
		uintptr(unsafe.Pointer(&user[0])), creduiUserRoom, uintptr(unsafe.Pointer(&typed[0])), creduiPasswordRoom, //nolint:gosec // the same
		uintptr(unsafe.Pointer(&save)), //nolint:gosec // the same
		creduiGeneric|creduiDoNotPersist|creduiAlwaysShow|creduiKeepUserName|creduiExcludeCertificates)
	switch e := syscall.Errno(code); {
	case code == 0:
		return utf8Of(typed[:])
	case errors.Is(e, windows.ERROR_CANCELLED):
		return nil, ErrPINDeclined
	default:
		return nil, fmt.Errorf("%w: %w", ErrNoPINDialog, e)
	}
}

// utf16Of is a text without what a dialog could obey, cut to so many units.
func utf16Of(text string, most int) *uint16 {
	units := utf16.Encode([]rune(plain(text)))
	return &append(units[:min(len(units), most)], 0)[0]
}

// utf8Of is a PIN as it goes over the wire, in a buffer that never moves.
func utf8Of(units []uint16) ([]byte, error) {
	pin := make([]byte, 0, longestPIN+utf8.UTFMax)
	for i := 0; i < len(units) && units[i] != 0; i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) && i+1 < len(units) {
			i++
			r = utf16.DecodeRune(r, rune(units[i]))
		}
		if pin = utf8.AppendRune(pin, r); len(pin) > longestPIN {
			clear(pin)
			return nil, errors.New("the PIN is too long")
		}
	}
	return pin, nil
}

// closing is made once: callbacks are never freed.
var closing = windows.NewCallback(func(window windows.HWND, _ uintptr) uintptr {
	_, _, _ = postMessage.Call(uintptr(window), wmClose, 0, 0)
	return 1 // and the next one
})

// closeWindows tells the windows of a thread to close.
func closeWindows(thread uint32) {
	_, _, _ = enumThreadWindows.Call(uintptr(thread), closing, 0)
}
