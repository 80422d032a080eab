package vkey

import (
	"bytes"
	"errors"

	"github.com/fxamacker/cbor/v2"
)

// codec reads and writes CTAP2 canonical CBOR (CTAP 2.1, 8).
type codec struct {
	dec cbor.DecMode
	enc cbor.EncMode
}

func newCodec() codec {
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   4,
		MaxArrayElements:  256,
		MaxMapPairs:       256,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	enc, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return codec{dec, enc}
}

// decode reads the parameters of a command into the struct that v points to.
// Keys that it does not have are ignored. What is no canonical CBOR is
// refused, as it is by keys that compare octets.
func (c codec) decode(data []byte, v any) status {
	var all map[any]any
	if err := c.dec.Unmarshal(data, &all); err != nil {
		var kind *cbor.UnmarshalTypeError
		if errors.As(err, &kind) {
			return CTAP2_ERR_CBOR_UNEXPECTED_TYPE
		}
		return CTAP2_ERR_INVALID_CBOR
	}
	if again, err := c.enc.Marshal(all); err != nil || !bytes.Equal(again, data) {
		return CTAP2_ERR_INVALID_CBOR
	}
	if err := c.dec.Unmarshal(data, v); err != nil {
		return CTAP2_ERR_CBOR_UNEXPECTED_TYPE
	}
	return CTAP2_OK
}

func (c codec) encode(v any) []byte {
	data, err := c.enc.Marshal(v)
	if err != nil {
		panic(err) // our own types, which the tests encode
	}
	return data
}

// answer is a successful reply with its parameters.
func (c codec) answer(v any) []byte {
	return append([]byte{byte(CTAP2_OK)}, c.encode(v)...)
}
