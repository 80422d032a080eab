package webauthn

import "github.com/fxamacker/cbor/v2"

// The modes for CTAP2 canonical CBOR (CTAP 2.1, 8). What a key sends is read a
// little more kindly than keys read: the order of a map's keys is not looked
// at, for the relying party gets the octets as they are.
var (
	decoding = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   8,
		MaxArrayElements:  256,
		MaxMapPairs:       256,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}.DecMode())
	encoding = must(cbor.CTAP2EncOptions().EncMode())
)

func must[T any](mode T, err error) T {
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
}
