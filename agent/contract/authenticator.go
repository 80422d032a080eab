package contract

import "time"

// Kind is the sort of authenticator.
type Kind string

// The kinds.
const (
	Smartcard   Kind = "smartcard"
	SecurityKey Kind = "security-key"
	Platform    Kind = "platform"
	TOTP        Kind = "totp"
)

// Origin says whether an authenticator is hardware. It is decided by the
// transport; what cannot be decided is virtual.
type Origin string

// The origins.
const (
	Physical Origin = "physical"
	Virtual  Origin = "virtual"
)

// Condition is what the bridge can do with a reader's card or a key now.
type Condition string

// The conditions of a reader.
const (
	Empty       Condition = "empty"       // reader without a card
	Present     Condition = "present"     // there, not read yet
	Ready       Condition = "ready"       // read; the facts are known
	Mute        Condition = "mute"        // there, does not answer
	Hung        Condition = "hung"        // stopped answering in mid-exchange
	InUse       Condition = "in_use"      // another program has it
	Unreadable  Condition = "unreadable"  // answers, but not as its standard says
	Forbidden   Condition = "forbidden"   // this process may not open it
	Unavailable Condition = "unavailable" // its driver or service is down
)

// Source is where observations come from: pcsc, fido, and their virtual twins.
type Source struct {
	Name       string    `json:"name" doc:"pcsc, fido, virtual-pcsc, virtual-fido, ..."`
	State      string    `json:"state" enum:"starting,up,down,off" doc:"whether the source can observe anything now"`
	Code       string    `json:"code,omitempty" doc:"failure code when it is down"`
	Detail     string    `json:"detail,omitempty" doc:"what the system said, with its number"`
	ObservedAt time.Time `json:"observed_at"`
}

// Reader is a PC/SC reader.
type Reader struct {
	ID         string    `json:"id"`
	Name       string    `json:"name" doc:"as PC/SC names it"`
	Source     string    `json:"source"`
	Origin     Origin    `json:"origin" enum:"physical,virtual"`
	Condition  Condition `json:"condition"`
	ATR        string    `json:"atr,omitempty" doc:"hex, upper case, of the card in it"`
	Card       string    `json:"card,omitempty" doc:"id of the authenticator in it, once it was read"`
	Code       string    `json:"code,omitempty" doc:"failure code, where the condition is one"`
	Detail     string    `json:"detail,omitempty" doc:"what the system or card said, with its number"`
	ObservedAt time.Time `json:"observed_at"`
	Checks     []Check   `json:"checks"`
}

// Authenticator is what a user signs in with.
type Authenticator struct {
	ID        string    `json:"id" doc:"opaque; the same card or key gets the same id again"`
	Name      string    `json:"name" doc:"friendly name"`
	Kind      Kind      `json:"kind" enum:"smartcard,security-key,platform,totp"`
	Origin    Origin    `json:"origin" enum:"physical,virtual"`
	Source    string    `json:"source"`
	Transport string    `json:"transport" doc:"pcsc, hid, webauthn for Windows Hello, or file for the secret of an authenticator app"`
	Condition Condition `json:"condition"`
	Code      string    `json:"code,omitempty" doc:"failure code, where the condition is one"`
	Detail    string    `json:"detail,omitempty" doc:"what the system or authenticator said, with its number"`
	Reader    string    `json:"reader,omitempty" doc:"id of the reader it is in"`
	// Environment is where a card's certificates come from, by their issuer.
	Environment string `json:"environment,omitempty" enum:"test,live,unknown"`
	// Holder and User are masked for callers without the right identity.
	Holder     string    `json:"holder,omitempty" doc:"card holder's name, masked without the right identity"`
	User       string    `json:"user,omitempty" doc:"12-digit UUID of the card, masked without the right identity"`
	Users      []Binding `json:"users,omitempty" doc:"whose it is at which target, by the configuration and by logins"`
	AAGUID     string    `json:"aaguid,omitempty"`
	Product    string    `json:"product,omitempty"`
	Versions   []string  `json:"versions,omitempty" doc:"what a key speaks, from getInfo"`
	PIN        PIN       `json:"pin"`
	InsertedAt time.Time `json:"inserted_at"`
	ReadAt     time.Time `json:"read_at,omitzero"`
	ObservedAt time.Time `json:"observed_at"`
	Checks     []Check   `json:"checks"`
}

// PIN is the state of an authenticator's PIN, read without spending a try.
type PIN struct {
	State     string `json:"state" enum:"ok,blocked,not_set,verified,power_cycle,unknown" doc:"verified: the card was left verified by somebody, so the tries left are unknown"`
	TriesLeft *int   `json:"tries_left,omitempty" doc:"absent when unknown"`
	UVTries   *int   `json:"uv_tries,omitempty" doc:"built-in user verification tries of a key"`
}

// Certificate is a certificate on a card.
type Certificate struct {
	Slot        string    `json:"slot" doc:"PIV slot: 9A authentication, 9C signature"`
	Subject     string    `json:"subject" doc:"masked without the right identity"`
	Issuer      string    `json:"issuer"`
	Environment string    `json:"environment" enum:"test,live,unknown" doc:"by its issuer"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	Key         string    `json:"key" doc:"algorithm and size, for example RSA-2048"`
	SHA256      string    `json:"sha256" doc:"fingerprint, hex"`
	Serial      string    `json:"serial"`
	DER         []byte    `json:"der,omitempty" doc:"base64; only with the right identity"`
}
