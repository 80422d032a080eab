package webauthn

import "encoding/json"

// Party is one line of the allow-list of relying parties (DESIGN rule 9);
// ValidateParty checks it.
type Party struct {
	// ID is the RP ID, in lower case and Punycode.
	ID string
	// Origins are exact: scheme, host and port. A port of * stands for any, on
	// localhost alone.
	Origins []string
	// Targets are the names of the targets it may be used for.
	Targets []string
}

// Page is where a call to navigator.credentials comes from.
type Page struct {
	// Origin is that of the frame, as browsers write it (HTML, 7.1.1): in lower
	// case and Punycode, without the scheme's own port. Top is that of the top
	// page where the frame is not same-origin with all that it is in (which may
	// be its own, if another one is in between), else empty.
	Origin, Top string
	// Target is the lease's.
	Target string
}

// Requirement is a UserVerificationRequirement or ResidentKeyRequirement
// (WebAuthn L3, 5.8.6, 5.4.6).
type Requirement string

// The requirements.
const (
	Required    Requirement = "required"
	Preferred   Requirement = "preferred"
	Discouraged Requirement = "discouraged"
)

// Descriptor is a PublicKeyCredentialDescriptor (WebAuthn L3, 5.8.3).
type Descriptor struct {
	ID         []byte
	Transports []string
}

// Creation is a call of navigator.credentials.create, checked and ready to be
// asked of a key.
type Creation struct {
	// ClientData are the exact octets of clientDataJSON (WebAuthn L3, 5.8.1.1),
	// and ClientDataHash their SHA-256.
	ClientData     []byte
	ClientDataHash [32]byte
	RPID, RPName   string
	UserID         []byte
	UserName       string
	DisplayName    string
	Algorithms     []int64
	Exclude        []Descriptor
	ResidentKey    Requirement
	UV             Requirement
	Attachment     string // platform, cross-platform or empty
	Attestation    string // none, indirect, direct, enterprise
	// CredProtect is 1 to 3, 0 where not asked for; Enforce fails the call
	// where the key has no such thing. CredProps is whether it was asked for.
	CredProtect        int
	EnforceCredProtect bool
	CredProps          bool
}

// Request is a call of navigator.credentials.get.
type Request struct {
	ClientData     []byte
	ClientDataHash [32]byte
	RPID           string
	Allow          []Descriptor
	UV             Requirement
}

// Made is what a key answered to a Creation.
type Made struct {
	Format     string
	AuthData   []byte
	Statement  []byte // CBOR
	Transports []string
	// Discoverable is whether a discoverable credential was asked of the key.
	Discoverable bool
}

// Asserted is what a key answered to a Request.
type Asserted struct {
	CredentialID []byte
	AuthData     []byte
	Signature    []byte
	UserHandle   []byte // nil: none
}

// JSON is a RegistrationResponseJSON or AuthenticationResponseJSON.
type JSON = json.RawMessage

// ErrorName is the name of the DOMException that a browser would throw.
type ErrorName string

// The names (WebAuthn L3, 5.1.3, 5.1.4 and 5.1.8; Web IDL, 2.8.1). TypeError is
// ECMAScript's; RangeError is what Chromium throws where something is too large.
const (
	NotAllowedError   ErrorName = "NotAllowedError"
	SecurityError     ErrorName = "SecurityError"
	InvalidStateError ErrorName = "InvalidStateError"
	NotSupportedError ErrorName = "NotSupportedError"
	ConstraintError   ErrorName = "ConstraintError"
	AbortError        ErrorName = "AbortError"
	EncodingError     ErrorName = "EncodingError"
	TypeError         ErrorName = "TypeError"
	RangeError        ErrorName = "RangeError"
)
