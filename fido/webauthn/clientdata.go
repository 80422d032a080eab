package webauthn

import (
	"crypto/sha256"
	"encoding/base64"
)

const (
	typeCreate = "webauthn.create"
	typeGet    = "webauthn.get"
)

// clientData is CollectedClientData in its one serialisation (WebAuthn L3,
// 5.8.1.1), which verifiers without a JSON parser compare octet by octet. Where
// top is empty, the frame is of one origin with all that it is in.
func clientData(kind string, challenge []byte, origin, top string) (data []byte, hash [sha256.Size]byte) {
	data = make([]byte, 0, 128+len(challenge)*4/3+len(origin)+len(top))
	data = append(data, `{"type":`...)
	data = appendString(data, kind)
	data = append(data, `,"challenge":`...)
	data = appendString(data, base64.RawURLEncoding.EncodeToString(challenge))
	data = append(data, `,"origin":`...)
	data = appendString(data, origin)
	if top == "" {
		data = append(data, `,"crossOrigin":false`...)
	} else {
		data = append(data, `,"crossOrigin":true,"topOrigin":`...)
		data = appendString(data, top)
	}
	data = append(data, '}')
	return data, sha256.Sum256(data)
}

// appendString is CCDToString (WebAuthn L3, 5.8.1.1). It escapes less than
// encoding/json does, so that is not used.
func appendString(to []byte, s string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
		case c < 0x20:
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default: // UTF-8 stays as it is
			to = append(to, c)
		}
	}
	return append(to, '"')
}
