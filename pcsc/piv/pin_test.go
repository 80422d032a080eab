package piv_test

import (
	"bytes"
	"errors"
	"testing"

	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
)

func TestThePINStateIsWhatTheCardSaysAndNoMore(t *testing.T) {
	t.Parallel()
	for sw, want := range map[apdu.Status]struct {
		tries             piv.Tries
		verified, blocked bool
		text              string
	}{
		0x63C3: {3, false, false, "tries left: 3"},
		0x63C1: {1, false, false, "tries left: 1"},
		0x63C0: {0, false, true, "blocked"},
		0x6983: {0, false, true, "blocked"},
		0x9000: {piv.TriesUnknown, true, false, "verified, tries left: unknown"},
		0x6300: {piv.TriesUnknown, false, false, "tries left: unknown"},
		0x6A88: {piv.TriesUnknown, false, false, "tries left: unknown"},
		0x6D00: {piv.TriesUnknown, false, false, "tries left: unknown"},
		0:      {piv.TriesUnknown, false, false, "tries left: unknown"},
	} {
		s := piv.PINState{SW: sw}
		if s.Tries() != want.tries || s.Verified() != want.verified || s.Blocked() != want.blocked || s.String() != want.text {
			t.Errorf("%s: %s tries, verified %v, blocked %v, %q", sw, s.Tries(), s.Verified(), s.Blocked(), s)
		}
	}
}

func TestTheStateIsAskedForWithoutData(t *testing.T) {
	t.Parallel()
	for _, sw := range []apdu.Status{0x63C2, 0x6983, 0x9000, 0x6A88, 0x6D00} {
		f := newFake()
		f.pin = sw
		state, err := piv.ReadPINState(t.Context(), f)
		if err != nil || state.SW != sw || len(f.commands) != 1 || !bytes.Equal(f.commands[0], octets("00 20 00 80")) {
			t.Errorf("%s: %s, %v, sent %X", sw, state, err, f.commands)
		}
	}
	f := newFake()
	f.dies = 1
	if _, err := piv.ReadPINState(t.Context(), f); !errors.Is(err, errGone) {
		t.Errorf("no answer: %v", err)
	}
}

// Ground rule 1: more tries than the floor must be left, and unknown is too few.
func TestAPINMayBeSentOnlyAboveTheFloor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tries piv.Tries
		floor int
		want  error
	}{
		{3, piv.Floor, nil},
		{15, piv.Floor, nil},
		{2, piv.Floor, piv.ErrTooFewTries},
		{1, piv.Floor, piv.ErrTooFewTries},
		{0, piv.Floor, piv.ErrTooFewTries},
		{piv.TriesUnknown, piv.Floor, piv.ErrTriesUnknown},
		{-7, piv.Floor, piv.ErrTriesUnknown},
		{1, 0, nil}, // the override, for one attempt
		{0, 0, piv.ErrTooFewTries},
		{0, -5, piv.ErrTooFewTries},
		{piv.TriesUnknown, 0, piv.ErrTriesUnknown},
		{piv.TriesUnknown, -5, piv.ErrTriesUnknown},
	} {
		if err := piv.MayVerify(c.tries, c.floor); !errors.Is(err, c.want) {
			t.Errorf("%s tries, floor %d: %v", c.tries, c.floor, err)
		}
	}
}

func TestAPINThatMayNotBeSentIsNot(t *testing.T) {
	t.Parallel()
	three := piv.PINState{SW: 0x63C3}
	for name, c := range map[string]struct {
		seen piv.PINState
		pin  string
		want error
	}{
		"nothing was read":      {piv.PINState{}, "123456", piv.ErrTriesUnknown},
		"the card was verified": {piv.PINState{SW: 0x9000}, "123456", piv.ErrTriesUnknown},
		"two are left":          {piv.PINState{SW: 0x63C2}, "123456", piv.ErrTooFewTries},
		"blocked":               {piv.PINState{SW: 0x6983}, "123456", piv.ErrTooFewTries},
		"no PIN":                {three, "", piv.ErrPINFormat},
		"too short":             {three, "123", piv.ErrPINFormat},
		"too long":              {three, "123456789", piv.ErrPINFormat},
		"padding as PIN":        {three, "12\xff\xff\xff\xff", piv.ErrPINFormat},
		"a newline at its end":  {three, "123456\n", piv.ErrPINFormat},
	} {
		f := newFake()
		pin := []byte(c.pin)
		if err := piv.Verify(t.Context(), f, pin, c.seen, piv.Floor); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(f.commands) != 0 {
			t.Errorf("%s: sent %X", name, f.commands)
		}
		if len(bytes.Trim(pin, "\x00")) > 0 {
			t.Errorf("%s: the PIN was not cleared", name)
		}
	}
}

func TestAPINIsSentPaddedAndOnce(t *testing.T) {
	t.Parallel()
	three := piv.PINState{SW: 0x63C3}
	f := newFake()
	pin := []byte("123456")
	if err := piv.Verify(t.Context(), f, pin, three, piv.Floor); err != nil || f.tries() != 1 || !bytes.Equal(f.commands[0], octets("00 20 00 80 08 31 32 33 34 35 36 FF FF")) {
		t.Errorf("%v, sent %X", err, f.commands)
	}
	if !bytes.Equal(pin, make([]byte, 6)) {
		t.Error("the PIN was not cleared")
	}
	for sw, want := range map[apdu.Status]piv.Tries{0x63C2: 2, 0x63C0: 0, 0x6983: 0, 0x6300: piv.TriesUnknown} {
		f := newFake()
		f.verify = sw
		err := piv.Verify(t.Context(), f, []byte("123456"), three, piv.Floor)
		var refused *piv.RefusedError
		if !errors.As(err, &refused) || refused.Tries != want || !errors.Is(err, sw) || f.tries() != 1 {
			t.Errorf("%s: %v, tries %d", sw, err, f.tries())
		}
	}
	for _, sw := range []apdu.Status{0x6A80, 0x6700, 0x6F00, 0x6C08} {
		f := newFake()
		f.verify = sw
		err := piv.Verify(t.Context(), f, []byte("123456"), three, piv.Floor)
		var refused *piv.RefusedError
		if err == nil || errors.As(err, &refused) || f.tries() != 1 {
			t.Errorf("%s: %v, tries %d", sw, err, f.tries())
		}
	}
	f = newFake()
	f.dies = 1
	if err := piv.Verify(t.Context(), f, []byte("123456"), three, piv.Floor); !errors.Is(err, errGone) || f.tries() != 1 {
		t.Errorf("pulled: %v, tries %d", err, f.tries())
	}
}

// Only what a card says before it compares a PIN proves that it has not.
func TestWhatProvesThatNoPINWasCompared(t *testing.T) {
	t.Parallel()
	three := piv.PINState{SW: 0x63C3}
	for sw, want := range map[apdu.Status]bool{
		0x6700: true, 0x6A80: true, 0x6A86: true, 0x6A88: true, 0x6D00: true, 0x6E00: true, 0x6882: true,
		0x63C2: false, 0x63C0: false, 0x6300: false, 0x6983: false,
		0x6581: false, 0x6982: false, 0x6985: false, 0x6F00: false, 0x6C08: false, 0x9001: false,
	} {
		f := newFake()
		f.verify = sw
		if err := piv.Verify(t.Context(), f, []byte("123456"), three, piv.Floor); piv.Uncompared(err) != want {
			t.Errorf("%s: %v proves it: %v", sw, err, !want)
		}
	}
	f := newFake()
	if err := piv.Verify(t.Context(), f, []byte("123456"), piv.PINState{SW: 0x63C2}, piv.Floor); !piv.Uncompared(err) {
		t.Errorf("not sent: %v", err)
	}
	if err := piv.Verify(t.Context(), f, []byte("123"), three, piv.Floor); !piv.Uncompared(err) {
		t.Errorf("not sent: %v", err)
	}
	f.dies = 1
	if err := piv.Verify(t.Context(), f, []byte("123456"), three, piv.Floor); piv.Uncompared(err) {
		t.Errorf("pulled: %v", err)
	}
}

func TestLogoutSendsNoPIN(t *testing.T) {
	t.Parallel()
	f := newFake()
	if err := piv.Logout(t.Context(), f); err != nil || len(f.commands) != 1 || !bytes.Equal(f.commands[0], octets("00 20 FF 80")) {
		t.Errorf("%v, sent %X", err, f.commands)
	}
}
