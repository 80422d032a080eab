package apdu

import (
	"errors"
	"fmt"
	"iter"
)

// Tag is a BER-TLV tag of up to three octets as it is written: 0x7E, 0x5F2F,
// 0x5FC105 (ISO 7816-4, 5.2.2.1).
type Tag uint32

// Constructed is whether the value is made of data objects.
func (t Tag) Constructed() bool {
	for t > 0xFF {
		t >>= 8
	}
	return t&0x20 != 0
}

func (t Tag) String() string { return fmt.Sprintf("%02X", uint32(t)) }

// TLV is a data object.
type TLV struct {
	Tag   Tag
	Value []byte
}

// What can be wrong with BER-TLV data.
var (
	ErrTLV = errors.New("not BER-TLV")
	// ErrNoTag is well-formed data without the object that was looked for.
	ErrNoTag = errors.New("no such data object")
)

// MaxDepth bounds how deep data objects may be nested.
const MaxDepth = 8

const maxLengthOctets = 3

// ReadTLV reads the first data object, its value being part of b, and returns
// what follows. The length is definite, of at most 3 octets after the first,
// and need not be of the shortest form.
func ReadTLV(b []byte) (object TLV, rest []byte, err error) {
	tag, n := readTag(b)
	if n == 0 {
		return TLV{}, nil, fmt.Errorf("%w: bad tag", ErrTLV)
	}
	length, m := readLength(b[n:])
	if m == 0 {
		return TLV{}, nil, fmt.Errorf("%w: bad length of %s", ErrTLV, tag)
	}
	b = b[n+m:]
	if length > len(b) {
		return TLV{}, nil, fmt.Errorf("%w: %s should have %d octets, %d are there", ErrTLV, tag, length, len(b))
	}
	return TLV{Tag: tag, Value: b[:length:length]}, b[length:], nil
}

// readTag returns a tag and the octets it took, 0 if there is none.
func readTag(b []byte) (Tag, int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	tag := Tag(b[0])
	if b[0]&0x1F != 0x1F {
		return tag, 1
	}
	for n := 1; n < 3 && n < len(b); n++ {
		if n == 1 && b[n]&0x7F == 0 {
			return 0, 0 // a number that begins with zeros
		}
		tag = tag<<8 | Tag(b[n])
		if b[n]&0x80 == 0 {
			return tag, n + 1
		}
	}
	return 0, 0
}

// readLength returns a length and the octets it took, 0 if there is none.
func readLength(b []byte) (length, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	if b[0] < 0x80 {
		return int(b[0]), 1
	}
	n = int(b[0] & 0x7F)
	if n == 0 || n > maxLengthOctets || n >= len(b) {
		return 0, 0
	}
	for _, octet := range b[1 : n+1] {
		length = length<<8 | int(octet)
	}
	return length, n + 1
}

// Objects goes through the data objects of b, and past the octets 00 that may
// stand between them. It ends after the first error.
func Objects(b []byte) iter.Seq2[TLV, error] {
	return func(yield func(TLV, error) bool) {
		for {
			for len(b) > 0 && b[0] == 0 {
				b = b[1:]
			}
			if len(b) == 0 {
				return
			}
			object, rest, err := ReadTLV(b)
			if !yield(object, err) || err != nil {
				return
			}
			b = rest
		}
	}
}

// Find is the value of the first data object with the first tag of the path, or
// of the first one in it with the next tag, and so on.
func Find(b []byte, path ...Tag) ([]byte, error) {
	if len(path) > MaxDepth {
		return nil, fmt.Errorf("%w: nested too deep", ErrTLV)
	}
	for _, tag := range path {
		value, err := find(b, tag)
		if err != nil {
			return nil, err
		}
		b = value
	}
	return b, nil
}

func find(b []byte, tag Tag) ([]byte, error) {
	for object, err := range Objects(b) {
		if err != nil {
			return nil, err
		}
		if object.Tag == tag {
			return object.Value, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoTag, tag)
}

// Walk visits all data objects, each before those that it holds; depth is 0 for
// the outermost. It ends with the first error, visit's own included.
func Walk(b []byte, visit func(depth int, object TLV) error) error {
	return walk(b, 0, visit)
}

func walk(b []byte, depth int, visit func(int, TLV) error) error {
	if depth >= MaxDepth {
		return fmt.Errorf("%w: nested too deep", ErrTLV)
	}
	for object, err := range Objects(b) {
		if err != nil {
			return err
		}
		if err := visit(depth, object); err != nil {
			return err
		}
		if object.Tag.Constructed() && len(object.Value) > 0 {
			if err := walk(object.Value, depth+1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// AppendTLV writes a data object whose value is the given parts, one after the
// other. The tag must be one; the length is of the shortest form.
func AppendTLV(dst []byte, tag Tag, parts ...[]byte) []byte {
	for shift := 16; shift >= 0; shift -= 8 {
		if octet := tag >> shift; octet > 0 {
			dst = append(dst, byte(octet))
		}
	}
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	switch {
	case length < 0x80:
		dst = append(dst, byte(length))
	case length <= 0xFF:
		dst = append(dst, 0x81, byte(length))
	case length <= 0xFFFF:
		dst = append(dst, 0x82, byte(length>>8), byte(length))
	default:
		dst = append(dst, 0x83, byte(length>>16), byte(length>>8), byte(length))
	}
	for _, part := range parts {
		dst = append(dst, part...)
	}
	return dst
}

// EncodeTLV is [AppendTLV] to nothing.
func EncodeTLV(tag Tag, parts ...[]byte) []byte { return AppendTLV(nil, tag, parts...) }
