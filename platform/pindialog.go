package platform

import (
	"context"
	"errors"
	"time"
)

// What comes of asking for a PIN besides a PIN.
var (
	// ErrNoPINDialog: nothing here can ask for a PIN out of sight.
	ErrNoPINDialog = errors.New("no program is here that asks for a PIN")
	// ErrPINDeclined: the person closed the dialog.
	ErrPINDeclined = errors.New("no PIN was entered")
	// ErrPINTimedOut: nobody answered within the time that the dialog had.
	ErrPINTimedOut = errors.New("nobody entered a PIN in time")
)

// longestPIN is that of the API, in octets.
const longestPIN = 128

// PINDialog is what a person sees who is asked for a PIN. Outside text in it is
// shown as text.
type PINDialog struct {
	Title string
	// Text says who asks, what for, and which authenticator; lines are kept.
	Text string
	// Error is why it is asked for again; it may be empty.
	Error string
	// Within is how long the dialog stays.
	Within time.Duration
}

// AskPIN has a person enter a PIN in a window of its own, until ctx ends. The
// caller wipes it.
func AskPIN(ctx context.Context, d PINDialog) ([]byte, error) { return askPIN(ctx, d) }
