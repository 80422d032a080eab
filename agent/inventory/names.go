package inventory

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"authbridge/agent/contract"
)

// idOctets of a hash tell the few devices of one machine apart.
const idOctets = 6

// opaqueID makes an id that is the same again for the same parts and shows
// none of them.
func opaqueID(prefix string, parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return prefix + hex.EncodeToString(h.Sum(nil)[:idOctets])
}

// friendlyName is what people call a device by: its kind and the first digits
// of its id, as short as a name can be that is the same again.
func friendlyName(kind, id string, origin contract.Origin) string {
	_, digits, _ := strings.Cut(id, "-")
	name := kind + " " + digits[:min(4, len(digits))]
	if origin == contract.Virtual {
		return "virtual " + name
	}
	return name
}

// originOf is virtual unless it is known to be physical (rule 4).
func originOf(virtual bool) contract.Origin {
	if virtual {
		return contract.Virtual
	}
	return contract.Physical
}
