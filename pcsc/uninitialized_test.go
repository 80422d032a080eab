package pcsc

import (
	"errors"
	"testing"
	"testing/synctest"
)

// library panics as the one below does, until pcscd has looked into the reader.
func library(before int) (ask func() error, asked *int) {
	asked = new(int)
	return func() error {
		*asked++
		length := 0
		if *asked <= before {
			length = 34 // READER_NOT_INITIALIZED
		}
		var room [33]byte
		for i := range length {
			_ = room[i]
		}
		return nil
	}, asked
}

// TestAReaderThatIsNotInitializedYetEndsNobody: while a reader is being plugged in,
// the library panics at its ATR.
func TestAReaderThatIsNotInitializedYetEndsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ask, asked := library(3)
		if err := initialized(ask); err != nil || *asked != 4 {
			t.Errorf("%v after %d questions", err, *asked)
		}
		ask, asked = library(mostLooks)
		if err := initialized(ask); !errors.Is(err, SCARD_E_TIMEOUT) || *asked != mostLooks {
			t.Errorf("%v after %d questions", err, *asked)
		}
	})
}

// TestNothingElseIsCaught: another panic is a fault of ours, and an error an answer.
func TestNothingElseIsCaught(t *testing.T) {
	t.Parallel()
	if err := initialized(func() error { return SCARD_E_TIMEOUT }); !errors.Is(err, SCARD_E_TIMEOUT) {
		t.Errorf("%v", err)
	}
	at := func(list []error, i int) error { return list[i] }
	var nobody interface{ Cancel() error }
	for what, ask := range map[string]func() error{
		"nobody":        func() error { return nobody.Cancel() },
		"another index": func() error { return at(make([]error, 3), 3) },
		"one of ours":   func() error { panic("a fault") },
	} {
		if !panics(func() { _ = initialized(ask) }) {
			t.Errorf("%s is caught", what)
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}
