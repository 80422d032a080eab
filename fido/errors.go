package fido

import (
	"errors"
	"fmt"
)

// What a key fails with, beside ErrGone and ErrForbidden. The errors of this
// package match one of them with errors.Is, but for a [StatusError].
var (
	// ErrMute says that the key did not answer in time.
	ErrMute = errors.New("fido: the key does not answer")
	// ErrInUse says that another program kept the key busy for as long as we
	// were willing to wait.
	ErrInUse = errors.New("fido: another program is using the key")
	// ErrMalformed says that the key answered something else than CTAP.
	ErrMalformed = errors.New("fido: the key does not answer as CTAP says")
	// ErrUnsupported says that the key has no such command.
	ErrUnsupported = errors.New("fido: the key cannot do that")
	// ErrNoPIN says that what was given for a PIN can be none, so that it was
	// not sent: a PIN has 4 code points to 63 octets of UTF-8 (CTAP 2.1, 6.5.1).
	ErrNoPIN = errors.New("fido: a PIN has 4 characters to 63 octets of UTF-8")
	// ErrClosed says that the key was closed by us.
	ErrClosed = errors.New("fido: the key is closed")
)

// FrameError is a report that makes no sense where it came.
type FrameError struct{ Reason string }

func (e *FrameError) Error() string { return "fido: malformed frame: " + e.Reason }

// Is makes a FrameError an ErrMalformed.
func (e *FrameError) Is(target error) bool { return target == ErrMalformed }

// HIDError is a CTAPHID_ERROR answer (CTAP 2.1, 11.2.9.1.6).
type HIDError struct {
	Command Command
	Code    byte
}

// CTAPHID_ERROR codes.
const (
	ERR_INVALID_CMD     = 0x01
	ERR_INVALID_PAR     = 0x02
	ERR_INVALID_LEN     = 0x03
	ERR_INVALID_SEQ     = 0x04
	ERR_MSG_TIMEOUT     = 0x05
	ERR_CHANNEL_BUSY    = 0x06
	ERR_LOCK_REQUIRED   = 0x0a
	ERR_INVALID_CHANNEL = 0x0b
	ERR_OTHER           = 0x7f
)

func (e *HIDError) Error() string {
	return fmt.Sprintf("fido: %s: %s (0x%02X)", e.Command, hidErrorName(e.Code), e.Code)
}

func hidErrorName(code byte) string {
	switch code {
	case ERR_INVALID_CMD:
		return "ERR_INVALID_CMD"
	case ERR_INVALID_PAR:
		return "ERR_INVALID_PAR"
	case ERR_INVALID_LEN:
		return "ERR_INVALID_LEN"
	case ERR_INVALID_SEQ:
		return "ERR_INVALID_SEQ"
	case ERR_MSG_TIMEOUT:
		return "ERR_MSG_TIMEOUT"
	case ERR_CHANNEL_BUSY:
		return "ERR_CHANNEL_BUSY"
	case ERR_LOCK_REQUIRED:
		return "ERR_LOCK_REQUIRED"
	case ERR_INVALID_CHANNEL:
		return "ERR_INVALID_CHANNEL"
	case ERR_OTHER:
		return "ERR_OTHER"
	}
	return "CTAPHID error"
}

// Is tells which sentinel the code stands for.
func (e *HIDError) Is(target error) bool {
	switch e.Code {
	case ERR_CHANNEL_BUSY:
		return target == ErrInUse
	case ERR_INVALID_CMD:
		return target == ErrUnsupported
	}
	return target == ErrMalformed
}

// StatusError is a CTAP status code other than CTAP2_OK (CTAP 2.1, 8.2): the
// key's own answer to a command it understood, or ours in its place where the
// command could not be sent and the key had no other to give.
type StatusError struct {
	Command byte // authenticator API command (CTAP 2.1, 6)
	Status  Status
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("fido: %s: %s (0x%02X)", commandName(e.Command), e.Status, byte(e.Status))
}
