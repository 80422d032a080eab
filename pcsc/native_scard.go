//go:build cgo || windows

package pcsc

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/ebfe/scard"
)

// Native is the operating system's PC/SC service: pcscd, SCardSvr, or macOS's
// own. Where the program was built without what that needs, its Establish
// fails with [ErrNotBuilt].
func Native() System { return theNative() }

// theNative is one for the process, because what it shares out is: the library
// below keeps the reader names of blocked calls in one map.
var theNative = sync.OnceValue(func() *nativeSystem { return &nativeSystem{} })

type nativeSystem struct {
	mu    sync.Mutex
	taken []bool // pin numbers of the contexts that are open
}

func (s *nativeSystem) Establish() (Context, error) {
	c, err := scard.EstablishContext()
	if err != nil {
		return nil, failed("SCardEstablishContext", err)
	}
	return &nativeContext{system: s, c: c, pin: s.takePin()}, nil
}

// bell rings when the service may have come; nil where nothing tells.
func (s *nativeSystem) bell() *bell { return newBell() }

// takePin gives each open context the smallest free number, so that there are
// never more than the most contexts that were open at once.
func (s *nativeSystem) takePin() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, taken := range s.taken {
		if !taken {
			s.taken[i] = true
			return i
		}
	}
	s.taken = append(s.taken, true)
	return len(s.taken) - 1
}

func (s *nativeSystem) freePin(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[i] = false
}

type nativeContext struct {
	system *nativeSystem
	c      *scard.Context
	pin    int
}

func (c *nativeContext) ListReaders() ([]string, error) {
	return listAgain(func() ([]string, error) {
		names, err := c.c.ListReaders()
		if errors.Is(err, scard.ErrNoReadersAvailable) {
			return nil, nil
		}
		return names, failed("SCardListReaders", err)
	})
}

func (c *nativeContext) GetStatusChange(states []ReaderState, timeout time.Duration) error {
	const op = "SCardGetStatusChange"
	if len(states) == 0 {
		return &Error{Op: op, Code: SCARD_E_INVALID_PARAMETER}
	}
	if runtime.GOOS == "windows" {
		// The library lets the collector take the names of a blocked call.
		return statusChange(c.handle(), states, timeout)
	}
	// Elsewhere the library keeps a name alive in a map by that name until the
	// next call for the same one, even if that is another context's. So each
	// context adds something of its own behind a NUL, where C sees the end.
	own := "\x00" + strconv.Itoa(c.pin)
	sys := make([]scard.ReaderState, len(states))
	err := initialized(func() error {
		for i, s := range states {
			sys[i] = scard.ReaderState{Reader: s.Reader + own, CurrentState: scard.StateFlag(s.Current)}
		}
		return c.c.GetStatusChange(sys, timeout)
	})
	if err != nil {
		return failed(op, err)
	}
	for i := range states {
		states[i].Event = StateFlags(sys[i].EventState)
		states[i].ATR = sys[i].Atr
	}
	return nil
}

// handle is the SCARDCONTEXT, which the library keeps to itself.
func (c *nativeContext) handle() uintptr {
	return uintptr(reflect.ValueOf(c.c).Elem().FieldByName("ctx").Uint())
}

func (c *nativeContext) Cancel() error { return failed("SCardCancel", c.c.Cancel()) }

func (c *nativeContext) Connect(reader string, share ShareMode, protocols Protocol) (Handle, error) {
	card, err := c.c.Connect(reader, scard.ShareMode(share), scard.Protocol(protocols))
	if err != nil {
		return nil, failed("SCardConnect", err)
	}
	return nativeHandle{card}, nil
}

func (c *nativeContext) Release() error {
	err := c.c.Release()
	c.system.freePin(c.pin)
	return failed("SCardReleaseContext", err)
}

type nativeHandle struct{ card *scard.Card }

// maxCommand is the longest command that every path to a card carries: vpcd
// counts octets in 16 bits, and ejects the card of one that is longer.
const maxCommand = 0xFFFF

func (h nativeHandle) Protocol() Protocol { return Protocol(h.card.ActiveProtocol()) }

func (h nativeHandle) Transmit(command []byte) ([]byte, error) {
	const op = "SCardTransmit"
	// The library panics on both.
	if len(command) == 0 || len(command) > maxCommand {
		return nil, &Error{Op: op, Code: SCARD_E_INVALID_PARAMETER}
	}
	if p := h.Protocol(); p != ProtocolT0 && p != ProtocolT1 {
		return nil, &Error{Op: op, Code: SCARD_E_PROTO_MISMATCH}
	}
	answer, err := h.card.Transmit(command)
	return answer, failed(op, err)
}

func (h nativeHandle) BeginTransaction() error {
	return failed("SCardBeginTransaction", h.card.BeginTransaction())
}

func (h nativeHandle) EndTransaction(d Disposition) error {
	return failed("SCardEndTransaction", h.card.EndTransaction(scard.Disposition(d)))
}

func (h nativeHandle) Attribute(id Attribute) ([]byte, error) {
	value, err := h.card.GetAttrib(scard.Attrib(id))
	return value, failed("SCardGetAttrib", err)
}

func (h nativeHandle) Disconnect(d Disposition) error {
	return failed("SCardDisconnect", h.card.Disconnect(scard.Disposition(d)))
}

// failed makes our error of the library's. Nil stays nil.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	var code scard.Error
	var ours Code
	switch {
	case errors.As(err, &code):
		return &Error{Op: op, Code: Code(code)}
	case errors.As(err, &ours):
		return &Error{Op: op, Code: ours}
	}
	return fmt.Errorf("%s: %w", op, err)
}
