package pcsc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// ATR is an answer to reset (ISO 7816-3, clause 8), taken apart.
type ATR struct {
	// Raw is all of it, as the reader gave it.
	Raw []byte
	// Inverse is whether the card uses the inverse convention.
	Inverse bool
	// Interface holds the interface bytes, in order.
	Interface []InterfaceBytes
	// Historical are the historical bytes; their content is of ISO 7816-4,
	// 12.1.1.
	Historical []byte

	wellFormed bool
}

// InterfaceBytes are those of one step i, nil if absent: TAi, TBi, TCi and TDi.
type InterfaceBytes struct {
	// T is what TA, TB and TC are for, by the TD before: a protocol, or 15 for
	// all of them. The first step is for all of them too.
	T              int
	TA, TB, TC, TD *byte
}

// ErrATR is wrapped by the errors about octets that are no ATR.
var ErrATR = errors.New("not an ATR")

const (
	maxATR    = 33 // TS and at most 32 characters (ISO 7816-3, 8.2.1)
	globalT   = 15 // no protocol: global interface bytes
	tsDirect  = 0x3B
	tsInverse = 0x3F
)

// ParseATR takes an ATR apart. Of one that is not well formed it returns Raw and
// an error: readers work with such cards too.
func ParseATR(raw []byte) (ATR, error) {
	atr := ATR{Raw: bytes.Clone(raw)}
	bad := func(format string, args ...any) (ATR, error) {
		return ATR{Raw: atr.Raw}, fmt.Errorf("%w: %s", ErrATR, fmt.Sprintf(format, args...))
	}
	switch {
	case len(raw) < 2:
		return bad("%d octets", len(raw))
	case len(raw) > maxATR:
		return bad("%d octets, at most %d may be", len(raw), maxATR)
	case raw[0] == tsInverse:
		atr.Inverse = true
	case raw[0] != tsDirect:
		return bad("it begins with %02X", raw[0])
	}
	rest := atr.Raw[2:]
	next, t := raw[1], globalT
	for next&0xF0 != 0 {
		step := InterfaceBytes{T: t}
		for bit, to := range []**byte{&step.TA, &step.TB, &step.TC, &step.TD} {
			if next&(0x10<<bit) == 0 {
				continue
			}
			if len(rest) == 0 {
				return bad("it ends among the interface bytes")
			}
			*to, rest = &rest[0], rest[1:]
		}
		atr.Interface = append(atr.Interface, step)
		if step.TD == nil {
			break
		}
		next, t = *step.TD, int(*step.TD&0x0F)
	}
	k := int(raw[1] & 0x0F)
	if len(rest) < k {
		return bad("%d historical bytes are there, %d were announced", len(rest), k)
	}
	atr.Historical, rest = rest[:k:k], rest[k:]
	if atr.checked() {
		if len(rest) == 0 {
			return bad("its check byte is missing")
		}
		if sum := xor(raw[1 : len(raw)-len(rest)+1]); sum != 0 {
			return bad("its check byte is wrong")
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return bad("%d octets follow it", len(rest))
	}
	atr.wellFormed = true
	return atr, nil
}

// checked is whether there is a check byte, TCK: unless T=0 is all that the ATR
// names (ISO 7816-3, 8.2.5).
func (a ATR) checked() bool {
	return slices.ContainsFunc(a.Interface, func(step InterfaceBytes) bool {
		return step.TD != nil && *step.TD&0x0F != 0
	})
}

func xor(b []byte) (sum byte) {
	for _, octet := range b {
		sum ^= octet
	}
	return sum
}

// Protocols are the transmission protocols that the card offers, the first
// being its choice (ISO 7816-3, 8.2.3). None is offered by an ATR that is not
// well formed.
func (a ATR) Protocols() []int {
	if !a.wellFormed {
		return nil
	}
	var all []int
	for _, step := range a.Interface {
		if step.TD == nil {
			continue
		}
		if t := int(*step.TD & 0x0F); t != globalT && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	if all == nil {
		return []int{0}
	}
	return all
}

// ExtendedLength is whether the historical bytes say that the card takes
// extended Lc and Le (ISO 7816-4, table 87, the third software function). Said
// is false if they say nothing.
func (a ATR) ExtendedLength() (extended, said bool) {
	// Category indicator 80: compact TLV data objects to the end; 00: the same
	// but for a status indicator of 3 octets at the end (12.1.1.2).
	h := a.Historical
	switch {
	case len(h) == 0:
		return false, false
	case h[0] == 0x80:
		h = h[1:]
	case h[0] == 0x00 && len(h) >= 4:
		h = h[1 : len(h)-3]
	default:
		return false, false
	}
	for len(h) > 0 {
		tag, n := h[0]>>4, int(h[0]&0x0F)
		if n > len(h)-1 {
			return false, false
		}
		value := h[1 : 1+n]
		if tag == 0x7 && n == 3 { // card capabilities (12.1.1.9)
			return value[2]&0x40 != 0, true
		}
		h = h[1+n:]
	}
	return false, false
}

// String is the ATR in hex, upper case, without spaces.
func (a ATR) String() string { return fmt.Sprintf("%X", a.Raw) }
