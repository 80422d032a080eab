package fido

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// Info is what a key says of itself (authenticatorGetInfo, CTAP 2.1, 6.4). It
// is immutable once made.
type Info struct {
	Versions   []string
	Extensions []string
	AAGUID     AAGUID
	// Options has each option that the key lists; see Option.
	Options map[string]bool
	// MaxMsgSize is in octets; 1024 unless the key says otherwise.
	MaxMsgSize int
	// PINProtocols are pinUvAuthProtocols, the one it likes best first.
	PINProtocols []uint
	// MaxListed is how many credentials a list may name, and MaxIDLength how
	// long their ids may be, in octets (maxCredentialCountInList,
	// maxCredentialIdLength); 0: not told.
	MaxListed, MaxIDLength int
	Transports             []string
	Algorithms             []int64 // COSE algorithm numbers
	// ForcePINChange says that the PIN must be changed before it is of use.
	ForcePINChange bool
	// MinPINLength is in Unicode code points; 4 unless the key says otherwise.
	MinPINLength int
	Firmware     uint64 // 0: not told
}

// AAGUID names a key's model.
type AAGUID [16]byte

// String is the usual form, 8-4-4-4-12 hex digits.
func (a AAGUID) String() string {
	s := hex.EncodeToString(a[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// Option is the value of an option (CTAP 2.1, 6.4, clientPin, uv, rk, plat,
// alwaysUv, ...); nil if the key does not list it, which for most options
// means that it has no such thing, and false that it is there but not set up.
func (i *Info) Option(name string) *bool {
	if v, ok := i.Options[name]; ok {
		return &v
	}
	return nil
}

// Has is whether an option is listed as true.
func (i *Info) Has(option string) bool { return i.Options[option] }

// FIDO2 is whether the key speaks CTAP2 at all.
func (i *Info) FIDO2() bool {
	return slices.ContainsFunc(i.Versions, func(v string) bool { return len(v) > 5 && v[:5] == "FIDO_" })
}

// Retries are the tries left, asked in a way that costs none.
type Retries struct {
	// PIN is nil where no PIN is set, or the key has none.
	PIN *int
	// PowerCycle says that the key takes no PIN before it was unplugged and
	// plugged in again.
	PowerCycle bool
	// UV is nil where the key has no built-in user verification set up.
	UV *int
}

// Bounds of what a key may say; CTAP has none.
const (
	maxList   = 64
	maxString = 128
	// leastMsgSize is what every key takes in a message (CTAP 2.1, 6.4,
	// maxMsgSize), in octets.
	leastMsgSize = 1024
)

// strict takes CTAP2 CBOR (CTAP 2.1, 8) from a key: no indefinite lengths, no
// tags, no key twice, little nesting.
var strict = sync.OnceValue(func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  8,
		MaxArrayElements: 1024,
		MaxMapPairs:      1024,
		UTF8:             cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
})

func wellFormed(data []byte) error {
	if err := strict().Wellformed(data); err != nil {
		return badCBOR("an answer", err)
	}
	return nil
}

func badCBOR(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}

type rawInfo struct {
	Versions     []string        `cbor:"1,keyasint"`
	Extensions   []string        `cbor:"2,keyasint"`
	AAGUID       []byte          `cbor:"3,keyasint"`
	Options      map[string]bool `cbor:"4,keyasint"`
	MaxMsgSize   *uint64         `cbor:"5,keyasint"`
	PINProtocols []uint64        `cbor:"6,keyasint"`
	MaxListed    *uint64         `cbor:"7,keyasint"`
	MaxIDLength  *uint64         `cbor:"8,keyasint"`
	Transports   []string        `cbor:"9,keyasint"`
	Algorithms   []struct {
		Alg int64 `cbor:"alg"`
	} `cbor:"10,keyasint"`
	ForcePINChange bool    `cbor:"12,keyasint"`
	MinPINLength   *uint64 `cbor:"13,keyasint"`
	Firmware       uint64  `cbor:"14,keyasint"`
}

// parseInfo reads the answer to authenticatorGetInfo.
func parseInfo(data []byte) (*Info, error) {
	var raw rawInfo
	if err := strict().Unmarshal(data, &raw); err != nil {
		return nil, badCBOR("authenticatorGetInfo", err)
	}
	if err := raw.check(); err != nil {
		return nil, fmt.Errorf("%w: authenticatorGetInfo: %w", ErrMalformed, err)
	}
	info := &Info{
		Versions: raw.Versions, Extensions: raw.Extensions, AAGUID: AAGUID(raw.AAGUID), Options: raw.Options,
		MaxMsgSize: leastMsgSize, Transports: raw.Transports, ForcePINChange: raw.ForcePINChange, MinPINLength: 4, Firmware: raw.Firmware,
	}
	if raw.MaxMsgSize != nil {
		info.MaxMsgSize = int(*raw.MaxMsgSize)
	}
	if raw.MinPINLength != nil {
		info.MinPINLength = int(*raw.MinPINLength)
	}
	if raw.MaxListed != nil {
		info.MaxListed = int(*raw.MaxListed)
	}
	if raw.MaxIDLength != nil {
		info.MaxIDLength = int(*raw.MaxIDLength)
	}
	for _, p := range raw.PINProtocols {
		info.PINProtocols = append(info.PINProtocols, uint(p))
	}
	for _, a := range raw.Algorithms {
		info.Algorithms = append(info.Algorithms, a.Alg)
	}
	return info, nil
}

func (r *rawInfo) check() error {
	if len(r.Versions) == 0 {
		return fmt.Errorf("no versions (0x01)")
	}
	if len(r.AAGUID) != len(AAGUID{}) {
		return fmt.Errorf("aaguid (0x03) of %d octets", len(r.AAGUID))
	}
	names := slices.Concat(r.Versions, r.Extensions, r.Transports)
	for name := range r.Options {
		names = append(names, name)
	}
	if len(names) > 4*maxList || len(r.PINProtocols) > maxList || len(r.Algorithms) > maxList {
		return fmt.Errorf("lists longer than %d", maxList)
	}
	for _, name := range names {
		if len(name) > maxString || name != printable(name) {
			return fmt.Errorf("the name %.*q", maxString, name)
		}
	}
	for _, p := range r.PINProtocols {
		if p > math.MaxUint16 {
			return fmt.Errorf("PIN protocol %d", p)
		}
	}
	for _, n := range []*uint64{r.MaxMsgSize, r.MaxListed, r.MaxIDLength, r.MinPINLength} {
		if n != nil && *n > math.MaxUint16 {
			return fmt.Errorf("a length of %d", *n)
		}
	}
	return nil
}

// pinProtocol is the one to name in a request.
func (i *Info) pinProtocol() uint {
	for _, p := range i.PINProtocols {
		if p == 1 || p == 2 {
			return p
		}
	}
	return 1
}

type rawRetries struct {
	PIN        *uint64 `cbor:"3,keyasint"`
	PowerCycle bool    `cbor:"4,keyasint"`
	UV         *uint64 `cbor:"5,keyasint"`
}

// parseRetries reads the answer to getPINRetries or getUVRetries, in which the
// number must be: a missing one is no zero.
func parseRetries(data []byte, uv bool) (n int, powerCycle bool, err error) {
	var raw rawRetries
	if err := strict().Unmarshal(data, &raw); err != nil {
		return 0, false, badCBOR("authenticatorClientPIN", err)
	}
	tries, name := raw.PIN, "pinRetries (0x03)"
	if uv {
		tries, name = raw.UV, "uvRetries (0x05)"
	}
	switch {
	case tries == nil:
		return 0, false, fmt.Errorf("%w: authenticatorClientPIN: no %s", ErrMalformed, name)
	case *tries > math.MaxUint8:
		return 0, false, fmt.Errorf("%w: authenticatorClientPIN: %s is %d", ErrMalformed, name, *tries)
	}
	return int(*tries), raw.PowerCycle, nil
}
