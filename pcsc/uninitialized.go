package pcsc

import (
	"errors"
	"runtime"
	"strings"
	"time"
)

// A reader of pcscd in which nobody has looked for a card yet has an ATR of 34
// octets, one more than there can be (eventhandler.h, READER_NOT_INITIALIZED). The
// library takes that length at its word and reads beyond the 33 that it has, which
// ends a program: ours, while a reader is being plugged in.
const (
	// beyondATR is the panic.
	beyondATR = "runtime error: index out of range [33]"
	// pcscd looks within some milliseconds, and a second where a card is slow.
	looksAgain = 10 * time.Millisecond
	mostLooks  = 100
)

var errUninitialized = errors.New("pcsc: a reader is not initialized yet")

// initialized asks until all readers of the answer are; else nothing has changed yet,
// and the other readers are as they were.
func initialized(ask func() error) error {
	for range mostLooks {
		if err := caught(ask); !errors.Is(err, errUninitialized) {
			return err
		}
		<-time.After(looksAgain)
	}
	return SCARD_E_TIMEOUT
}

func caught(ask func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			if !strings.HasPrefix(r.Error(), beyondATR) {
				panic(r)
			}
			err = errUninitialized
		default:
			panic(r)
		}
	}()
	return ask()
}
