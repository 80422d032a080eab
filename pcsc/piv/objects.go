package piv

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"authbridge/pcsc/apdu"
)

var (
	// ErrMissing is an object that the card does not have, or has empty.
	ErrMissing = errors.New("the card does not hold it")
	// ErrMalformed is an object that is not what its standard says.
	ErrMalformed = errors.New("malformed")
)

// GetData reads a data object (GET DATA, SP 800-73-4 part 2, 3.1.2) and returns
// what it holds. Le is the most that one answer may carry: more than
// [apdu.MaxShortLe] for a card that takes extended APDUs.
func GetData(ctx context.Context, t apdu.Transmitter, object Object, le int) ([]byte, error) {
	const tagList, container = 0x5C, 0x53
	tag := apdu.EncodeTLV(apdu.Tag(object))
	r, err := apdu.Send(ctx, t, apdu.Command{
		INS: insGetData, P1: 0x3F, P2: 0xFF,
		Data: apdu.EncodeTLV(tagList, tag[:len(tag)-1]), // without its length
		Le:   le,
	})
	if errors.Is(err, apdu.SWNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return nil, err
	}
	if len(r.Data) == 0 {
		return nil, ErrMissing
	}
	outer := apdu.Tag(container)
	if object == ObjectDiscovery { // the one that is no container
		outer = apdu.Tag(ObjectDiscovery)
	}
	value, rest, err := apdu.ReadTLV(r.Data)
	switch {
	case err != nil:
		return nil, malformed(err)
	case value.Tag != outer:
		return nil, malformed(fmt.Errorf("tag %s, not %s", value.Tag, outer))
	case len(bytes.Trim(rest, "\x00")) > 0:
		return nil, malformed(fmt.Errorf("%d octets follow", len(rest)))
	case len(value.Value) == 0:
		return nil, ErrMissing
	}
	return value.Value, nil
}

func malformed(err error) error { return fmt.Errorf("%w: %w", ErrMalformed, err) }

// Discovery is the discovery object (SP 800-73-4 part 1, 3.3.2).
type Discovery struct {
	AID []byte
	// Policy is the PIN usage policy.
	Policy uint16
}

// GlobalPIN is whether the card's global PIN (key reference 00) may be used in
// place of the application's, and whether it is the one to ask for.
func (d Discovery) GlobalPIN() (allowed, preferred bool) {
	allowed = d.Policy&0x2000 != 0
	return allowed, allowed && d.Policy&0xFF == 0x20
}

// ParseDiscovery reads what the discovery object holds.
func ParseDiscovery(data []byte) (Discovery, error) {
	const tagAID, tagPolicy = 0x4F, 0x5F2F
	id, err := apdu.Find(data, tagAID)
	if err != nil {
		return Discovery{}, malformed(err)
	}
	policy, err := apdu.Find(data, tagPolicy)
	if err != nil {
		return Discovery{}, malformed(err)
	}
	if len(policy) != 2 {
		return Discovery{}, malformed(fmt.Errorf("PIN usage policy of %d octets", len(policy)))
	}
	return Discovery{AID: bytes.Clone(id), Policy: uint16(policy[0])<<8 | uint16(policy[1])}, nil
}

// GUID is the card's identifier (SP 800-73-4 part 1, 3.4.1).
type GUID [16]byte

// String is the GUID as a UUID is written (RFC 4122).
func (g GUID) String() string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// IsZero is whether it is all zeros: a card that was given none.
func (g GUID) IsZero() bool { return g == GUID{} }

// CHUID is the card holder unique identifier (SP 800-73-4 part 1, table 9). Its
// signature is not looked at.
type CHUID struct {
	FASCN  []byte
	GUID   GUID
	Expiry time.Time // zero if it is none
}

// ParseCHUID reads what the CHUID object holds.
func ParseCHUID(data []byte) (CHUID, error) {
	const tagFASCN, tagGUID, tagExpiry = 0x30, 0x34, 0x35
	var chuid CHUID
	seen := false
	for object, err := range apdu.Objects(data) {
		if err != nil {
			return CHUID{}, malformed(err)
		}
		switch object.Tag {
		case tagFASCN:
			chuid.FASCN = bytes.Clone(object.Value)
		case tagGUID:
			if len(object.Value) != len(chuid.GUID) {
				return CHUID{}, malformed(fmt.Errorf("GUID of %d octets", len(object.Value)))
			}
			copy(chuid.GUID[:], object.Value)
			seen = true
		case tagExpiry:
			if expiry, err := time.Parse("20060102", string(object.Value)); err == nil {
				chuid.Expiry = expiry
			}
		}
	}
	if !seen {
		return CHUID{}, malformed(errors.New("no GUID"))
	}
	return chuid, nil
}
