package inventory

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"authbridge/fido"
	"authbridge/pcsc"
)

func TestADetailSaysWhatTheConditionDoesNot(t *testing.T) {
	for want, err := range map[string]error{
		"SCardTransmit: no answer within 10s":                 fmt.Errorf("read: %w", &pcsc.HungError{Reader: "R0", Op: "SCardTransmit", After: 10 * time.Second}),
		"too many cards have stopped answering":               pcsc.ErrTooManyHung,
		"SCardConnect: SCARD_W_UNRESPONSIVE_CARD, 0x80100066": &pcsc.Error{Op: "SCardConnect", Code: pcsc.SCARD_W_UNRESPONSIVE_CARD},
		"no answer to CTAPHID_INIT within 3s":                 fmt.Errorf("%w: no answer to CTAPHID_INIT within 3s", fido.ErrMute),
		"open /dev/hidraw3: permission denied":                fmt.Errorf("%w: %w", fido.ErrForbidden, errors.New("open /dev/hidraw3: permission denied")),
		"the key does not answer":                             fido.ErrMute, // there is no more to it
		"malformed frame: too short":                          &fido.FrameError{Reason: "too short"},
	} {
		if got := detailOf(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
