package apdu

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of a command APDU (ISO 7816-4, 5.2).
const (
	MaxShortData    = 255
	MaxShortLe      = 256
	MaxExtendedData = 65535
	MaxExtendedLe   = 65536
	headerLength    = 4
)

// claChain says that a command is not the last of its chain (ISO 7816-4, 5.4.1).
const claChain = 0x10

// Instructions that this package tells apart (ISO 7816-4, table 5).
const (
	insVerify               = 0x20
	insChangeReferenceData  = 0x24
	insResetRetryCounter    = 0x2C
	insGeneralAuthenticate  = 0x87
	insSelect               = 0xA4
	insGetResponse          = 0xC0
	insGetData, insGetData2 = 0xCA, 0xCB
)

// Command is a command APDU.
//
// It is extended if Le is more than [MaxShortLe], which is how a caller says
// that the card takes extended APDUs. Data that is too long for a short one is
// chained otherwise.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	Le               int // octets wanted at most; 0: no Le, no data expected
}

// ErrCommand is wrapped by the errors about commands that cannot be encoded, or
// octets that are none.
var ErrCommand = errors.New("not a command APDU")

// Encode writes the command as the APDUs that are to be sent for it, one after
// the other. It is one, but for a chain.
func (c Command) Encode() ([][]byte, error) {
	switch {
	case c.Le < 0 || c.Le > MaxExtendedLe:
		return nil, fmt.Errorf("%w: Le is %d", ErrCommand, c.Le)
	case len(c.Data) > MaxExtendedData:
		return nil, fmt.Errorf("%w: %d octets of data", ErrCommand, len(c.Data))
	case c.CLA&claChain != 0 && len(c.Data) > MaxShortData && c.Le <= MaxShortLe:
		return nil, fmt.Errorf("%w: a part of a chain cannot be chained", ErrCommand)
	case c.Le > MaxShortLe:
		return [][]byte{c.extended()}, nil
	}
	var parts [][]byte
	rest := c
	for len(rest.Data) > MaxShortData {
		part := Command{CLA: c.CLA | claChain, INS: c.INS, P1: c.P1, P2: c.P2, Data: rest.Data[:MaxShortData]}
		parts = append(parts, part.short())
		rest.Data = rest.Data[MaxShortData:]
	}
	return append(parts, rest.short()), nil
}

func (c Command) short() []byte {
	b := make([]byte, 0, headerLength+1+len(c.Data)+1)
	b = append(b, c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		b = append(b, byte(len(c.Data)))
		b = append(b, c.Data...)
	}
	if c.Le > 0 {
		b = append(b, byte(c.Le)) // 256 is 00
	}
	return b
}

func (c Command) extended() []byte {
	b := make([]byte, 0, headerLength+3+len(c.Data)+2)
	b = append(b, c.CLA, c.INS, c.P1, c.P2, 0)
	if len(c.Data) > 0 {
		b = binary.BigEndian.AppendUint16(b, uint16(len(c.Data)))
		b = append(b, c.Data...)
	}
	return binary.BigEndian.AppendUint16(b, uint16(c.Le)) // 65536 is 0000
}

// ParseCommand reads a command APDU as a card does (ISO 7816-4, 5.2, cases 1 to
// 4). Data is part of raw. A chain is told by bit 5 of CLA; joining it is the
// card's business.
func ParseCommand(raw []byte) (Command, error) {
	if len(raw) < headerLength {
		return Command{}, fmt.Errorf("%w: %d octets", ErrCommand, len(raw))
	}
	c := Command{CLA: raw[0], INS: raw[1], P1: raw[2], P2: raw[3]}
	body := raw[headerLength:]
	var ok bool
	switch {
	case len(body) == 0: // case 1
		ok = true
	case len(body) == 1: // case 2S
		c.Le, ok = shortLe(body[0]), true
	case body[0] != 0: // case 3S or 4S
		c.Data, c.Le, ok = split(body[1:], int(body[0]), 1)
	case len(body) == 3: // case 2E
		c.Le, ok = extendedLe(body[1:]), true
	case len(body) > 3: // case 3E or 4E
		lc := int(binary.BigEndian.Uint16(body[1:]))
		c.Data, c.Le, ok = split(body[3:], lc, 2)
		ok = ok && lc > 0
	}
	if !ok {
		return Command{}, fmt.Errorf("%w: its length is wrong", ErrCommand)
	}
	return c, nil
}

// split cuts lc octets of data, and an Le of the given size if there is one.
func split(b []byte, lc, leSize int) (data []byte, le int, ok bool) {
	switch len(b) - lc {
	case 0:
		return b, 0, true
	case leSize:
		if leSize == 1 {
			return b[:lc], shortLe(b[lc]), true
		}
		return b[:lc], extendedLe(b[lc:]), true
	}
	return nil, 0, false
}

func shortLe(b byte) int {
	if b == 0 {
		return MaxShortLe
	}
	return int(b)
}

func extendedLe(b []byte) int {
	if le := int(binary.BigEndian.Uint16(b)); le > 0 {
		return le
	}
	return MaxExtendedLe
}

// ForT0 is a command APDU as T=0 carries it: a short one with data goes without
// its Le, and the card answers 61xx (ISO 7816-3, 12.2.4). It returns raw itself
// or its beginning.
func ForT0(raw []byte) []byte {
	c, err := ParseCommand(raw)
	if err != nil || len(c.Data) == 0 || c.Le == 0 || raw[headerLength] == 0 {
		return raw
	}
	return raw[:len(raw)-1]
}
