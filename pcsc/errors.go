package pcsc

import (
	"errors"
	"fmt"
)

// Error is a PC/SC call that failed. errors.Is finds its code:
//
//	errors.Is(err, pcsc.SCARD_E_NO_SMARTCARD)
type Error struct {
	Op   string // the function as the specification names it, for example SCardConnect
	Code Code
}

func (e *Error) Error() string { return e.Op + ": " + e.Code.Error() }

// Unwrap makes the code the cause.
func (e *Error) Unwrap() error { return e.Code }

// Code is a PC/SC return value (SCARD_*), and as such an error. Windows also
// returns Win32 codes, which are numbers without a name here.
type Code uint32

func (c Code) Error() string {
	if row := c.row(); row != nil {
		return fmt.Sprintf("%s (%s, 0x%08X)", row.text, row.name, uint32(c))
	}
	return fmt.Sprintf("the system says 0x%08X", uint32(c))
}

// Name is the code's name in the specification, or its number in hex.
func (c Code) Name() string {
	if row := c.row(); row != nil {
		return row.name
	}
	return fmt.Sprintf("0x%08X", uint32(c))
}

func (c Code) row() *codeRow {
	for i := range codes {
		if codes[i].code == c {
			return &codes[i]
		}
	}
	return nil
}

// CodeOf is the PC/SC code in err's chain, false if there is none.
func CodeOf(err error) (Code, bool) {
	var code Code
	ok := errors.As(err, &code)
	return code, ok
}

// ErrNotBuilt is why [Native] has no PC/SC in a program built without cgo
// where the system's PC/SC needs it.
var ErrNotBuilt = errors.New("this program was built without cgo and cannot reach the system's PC/SC service")
