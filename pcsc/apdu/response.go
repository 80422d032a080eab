package apdu

import (
	"errors"
	"fmt"
)

// Response is what a card answered, GET RESPONSE included.
type Response struct {
	Data []byte
	SW   Status
}

// What can be wrong with an answer, in an [AnswerError].
var (
	// ErrTruncated is an answer without room for a status word. PC/SC gives
	// one, as a success, when the card is pulled during the exchange.
	ErrTruncated = errors.New("the answer is shorter than a status word: the card was pulled, or is broken")
	// ErrNoStatus is an answer that ends in no status word: cut off, or rubbish.
	ErrNoStatus = errors.New("the answer does not end in a status word: it was cut off, or is rubbish")
	// ErrTooLong is a card that gives more than it may.
	ErrTooLong = errors.New("the card gives too much data")
	// ErrStalled is a card that announces data and does not give it.
	ErrStalled = errors.New("the card announces data that does not come")
)

// AnswerError is an answer that is no response APDU.
type AnswerError struct {
	INS    byte // of the command
	Length int  // octets that came, of this answer or in all
	Err    error
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("%s: %v (%d octets came)", Instruction(e.INS), e.Err, e.Length)
}

// Unwrap is one of the errors of this package.
func (e *AnswerError) Unwrap() error { return e.Err }

// ParseResponse reads one response APDU (ISO 7816-4, 5.1). Data is part of raw.
func ParseResponse(raw []byte) (Response, error) {
	n := len(raw) - 2
	if n < 0 {
		return Response{}, ErrTruncated
	}
	r := Response{Data: raw[:n], SW: Status(raw[n])<<8 | Status(raw[n+1])}
	if !r.SW.valid() {
		return Response{}, ErrNoStatus
	}
	if n > MaxExtendedLe {
		return Response{}, ErrTooLong
	}
	return r, nil
}

// Encode writes the response APDU.
func (r Response) Encode() []byte {
	raw := make([]byte, 0, len(r.Data)+2)
	raw = append(raw, r.Data...)
	return append(raw, byte(r.SW>>8), byte(r.SW))
}
