package cis2

import (
	"bytes"
	"fmt"
	"strconv"
)

// Level is an assurance level as a token has it. CIS2's has been seen as text
// (MAVIS, CPT) and as a number (IDS); which of the two is kept, and written
// again.
type Level struct {
	Value  int // 0 to 3
	Number bool
}

// MarshalJSON writes text, or a number where one was read.
func (l Level) MarshalJSON() ([]byte, error) {
	if l.Number {
		return strconv.AppendInt(nil, int64(l.Value), 10), nil
	}
	return strconv.AppendQuote(nil, strconv.Itoa(l.Value)), nil
}

// UnmarshalJSON reads one digit, bare or as text.
func (l *Level) UnmarshalJSON(data []byte) error {
	digit := bytes.TrimSpace(data)
	number := true
	if len(digit) == 3 && digit[0] == '"' && digit[2] == '"' {
		digit, number = digit[1:2], false
	}
	if len(digit) != 1 || digit[0] < '0' || digit[0] > '3' {
		return fmt.Errorf("a level is 0 to 3, as text or as a number: %d octets of something else", len(data))
	}
	*l = Level{Value: int(digit[0] - '0'), Number: number}
	return nil
}
