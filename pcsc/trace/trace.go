// Package trace shows what goes over the wire to cards, for people who look
// for a fault. Bodies that may hold a PIN, a key or a signature never reach
// it: package apdu takes them out. It changes nothing that it passes on.
package trace

import (
	"time"

	"authbridge/pcsc"
	"authbridge/pcsc/apdu"
)

// Exchange is one command and its answer, as far as they may be shown: package
// apdu bounds both.
type Exchange struct {
	Reader  string
	Command string
	Answer  string
	Took    time.Duration
	Err     error
}

// System passes everything on to sys, and shows each exchange of APDUs to
// show, which is called from many goroutines.
func System(sys pcsc.System, show func(Exchange)) pcsc.System { return system{sys, show} }

type system struct {
	pcsc.System
	show func(Exchange)
}

func (s system) Establish() (pcsc.Context, error) {
	c, err := s.System.Establish()
	if err != nil {
		return nil, err
	}
	return pcscContext{c, s.show}, nil
}

type pcscContext struct {
	pcsc.Context
	show func(Exchange)
}

func (c pcscContext) Connect(reader string, share pcsc.ShareMode, protocols pcsc.Protocol) (pcsc.Handle, error) {
	h, err := c.Context.Connect(reader, share, protocols)
	if err != nil {
		return nil, err
	}
	return handle{h, reader, c.show}, nil
}

type handle struct {
	pcsc.Handle
	reader string
	show   func(Exchange)
}

func (h handle) Transmit(command []byte) ([]byte, error) {
	redacted := apdu.Redact(command) // before the command is wiped
	began := time.Now()
	answer, err := h.Handle.Transmit(command)
	h.show(Exchange{h.reader, redacted, answerOf(answer, err), time.Since(began), err})
	return answer, err
}

func answerOf(answer []byte, err error) string {
	if err != nil {
		return ""
	}
	return apdu.RedactAnswer(answer)
}
