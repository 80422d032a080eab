package ceremony

import (
	"authbridge/agent/failure"
	"authbridge/fido"
	"authbridge/fido/webauthn"
)

// uvWay is how a key comes to verify its user.
type uvWay int

const (
	uvNone   uvWay = iota // it does not
	uvPIN                 // a token, for a PIN
	uvOwn                 // a token, for what the key verifies itself
	uvOption              // the option uv, as keys of before CTAP 2.1 have it
)

// uvAsk is what a ceremony asks of a key.
type uvAsk struct {
	requirement webauthn.Requirement
	// create, and whether it is of a discoverable credential.
	create, discoverable bool
	// pin is whether a PIN is at hand, or the credential must be deletable
	// later: then the PIN goes before what the key could verify itself.
	pin bool
}

// planUV decides whether and how the user is verified: what the options say
// (WebAuthn L3, 5.8.6), and what the key insists on (CTAP 2.1, 6.1.2 steps 6 to
// 8 and 6.2.2 steps 5 and 6, for keys of CTAP 2.0 too). A PIN is asked for only
// where this says so.
func planUV(info *fido.Info, ask uvAsk) (uvWay, error) {
	hasPIN, own := hasPIN(info), info.Has("uv")
	able := hasPIN || own
	switch {
	case ask.requirement == webauthn.Required, info.Has("alwaysUv"):
		if !able {
			return uvNone, unable("no PIN is set on the key, and it cannot verify its user otherwise")
		}
	case ask.requirement != webauthn.Discouraged:
		if !able {
			return uvNone, nil
		}
	case !ask.create || !able:
		return uvNone, nil
	case info.Has("makeCredUvNotRqd") && !ask.discoverable:
		return uvNone, nil
	}
	switch prefersPIN := ask.pin && hasPIN; {
	case own && !prefersPIN && info.Has("pinUvAuthToken"):
		return uvOwn, nil
	case own && !prefersPIN:
		return uvOption, nil
	case info.ForcePINChange:
		return uvNone, unable("the key demands that its PIN be changed first")
	}
	return uvPIN, nil
}

// hasPIN is whether a PIN is set on a key, and is for ceremonies; on some it is
// for other things (CTAP 2.1, 6.4, noMcGaPermissionsWithClientPin).
func hasPIN(info *fido.Info) bool {
	return info.Has("clientPin") && !info.Has("noMcGaPermissionsWithClientPin")
}

func unable(detail string) error {
	return &failure.Error{Code: failure.WebAuthnUnable, Detail: detail}
}
