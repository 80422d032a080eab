package contract

import (
	"encoding/json"
	"time"
)

// CeremonyType is what is done with an authenticator.
type CeremonyType string

// The ceremonies.
const (
	CeremonyCreate CeremonyType = "create" // WebAuthn: a new credential
	CeremonyGet    CeremonyType = "get"    // WebAuthn: an assertion
	CeremonySign   CeremonyType = "sign"   // a card signature
)

// CeremonyRequest asks for a ceremony under a lease.
type CeremonyRequest struct {
	Lease string `json:"lease" maxLength:"64" doc:"id of the lease"`
	// Fence is the lease's own; an older one is refused.
	Fence uint64       `json:"fence,omitempty" doc:"the lease's fence number; absent: the one in its id"`
	Type  CeremonyType `json:"type" enum:"create,get,sign"`

	// Origin and Options are for create and get.
	Origin    string          `json:"origin,omitempty" maxLength:"256" doc:"origin of the page, as the browser says it: scheme, host, and the port unless it is the usual one"`
	TopOrigin string          `json:"top_origin,omitempty" maxLength:"256" doc:"origin of the top page, for a frame of another origin"`
	Options   json.RawMessage `json:"options,omitempty" doc:"PublicKeyCredentialCreationOptionsJSON or PublicKeyCredentialRequestOptionsJSON (WebAuthn L3, 5.1.8, 5.1.9)"`
	// Account chooses among several discoverable credentials; absent: the first
	// that the key names, the newest.
	Account string `json:"account,omitempty" maxLength:"128" doc:"user name or id (base64url) of the account to sign in, where the key knows several"`

	// Slot, Data, Digest and Hash are for sign (DESIGN 5.4).
	Slot   string `json:"slot,omitempty" enum:"9A,9C,9D,9E" doc:"PIV slot; absent: 9A"`
	Data   []byte `json:"data,omitempty" doc:"base64; what is to be signed"`
	Digest []byte `json:"digest,omitempty" doc:"base64; instead of data, virtual cards only"`
	Hash   string `json:"hash,omitempty" enum:"SHA-256,SHA-384,SHA-512" doc:"absent: SHA-256"`

	PIN *PINSource `json:"pin,omitempty" doc:"absent: the PIN that the configuration binds to the authenticator and target; else a person is asked"`
	// Override sends the PIN although no more tries are left than are kept.
	Override bool `json:"override,omitempty" doc:"for this one attempt; needs the right physical, and is journalled"`
	// Timeout is for all of it, people included.
	Timeout string `json:"timeout,omitempty" doc:"Go duration from 1s to 10m; absent: 60s"`
	// Wait keeps the call open: who goes away meanwhile cancels the ceremony.
	Wait bool `json:"wait,omitempty" doc:"answer once the ceremony is over; to go away before cancels it"`
}

// PINSource is where the PIN of a ceremony comes from. One of the fields is set.
type PINSource struct {
	// Value is the PIN itself. It is a byte string so that it can be wiped.
	Value Secret `json:"value,omitempty" format:"password" maxLength:"128" doc:"the PIN"`
	// Secret is the name under which the client keeps the PIN that it sends in
	// Value. A refused one blocks that name and the caller's requests, but not
	// other names of theirs whose last PIN was right.
	Secret string `json:"secret,omitempty" maxLength:"64" pattern:"^[A-Za-z0-9 ._:/#-]*$" doc:"the client's own name of the secret that the value was read from"`
	// Ask asks a person, whatever is configured.
	Ask bool `json:"ask,omitempty" doc:"ask the lease owner"`
}

// PINAnswer is the body of POST /v1/ceremonies/{id}/pin.
type PINAnswer struct {
	PIN Secret `json:"pin" format:"password" maxLength:"128"`
}

// Secret is a PIN in a request. It never shows itself, and is never in an
// answer.
type Secret []byte

// String hides it.
func (Secret) String() string { return "***" }

// GoString hides it.
func (Secret) GoString() string { return "***" }

// MarshalText is for requests that our own clients make.
func (s Secret) MarshalText() ([]byte, error) { return s, nil }

// UnmarshalText takes a copy.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = append((*s)[:0], text...)
	return nil
}

// CeremonyState is how far a ceremony has come.
type CeremonyState string

// The states of a ceremony.
const (
	CeremonyQueued    CeremonyState = "queued"
	CeremonyInsert    CeremonyState = "insert" // waits until the authenticator is there
	CeremonyPIN       CeremonyState = "pin"    // waits for a PIN
	CeremonyTouch     CeremonyState = "touch"  // waits for a touch
	CeremonyRunning   CeremonyState = "running"
	CeremonyDone      CeremonyState = "done"
	CeremonyFailed    CeremonyState = "failed"
	CeremonyCancelled CeremonyState = "cancelled"
	CeremonyTimedOut  CeremonyState = "timed_out"
)

// Over is whether it is one of the last states.
func (s CeremonyState) Over() bool {
	switch s {
	case CeremonyDone, CeremonyFailed, CeremonyCancelled, CeremonyTimedOut:
		return true
	}
	return false
}

// Ceremony is one use of an authenticator. Everybody with the right read sees
// that it is in use; what the owner of the lease alone sees is marked so.
type Ceremony struct {
	ID            string        `json:"id"`
	Lease         string        `json:"lease"`
	Authenticator string        `json:"authenticator"`
	Name          string        `json:"name" doc:"of the authenticator"`
	Origin        Origin        `json:"authenticator_origin" enum:"physical,virtual"`
	Target        string        `json:"target"`
	Type          CeremonyType  `json:"type" enum:"create,get,sign"`
	State         CeremonyState `json:"state" enum:"queued,insert,pin,touch,running,done,failed,cancelled,timed_out"`
	StartedAt     time.Time     `json:"started_at"`
	EndedAt       time.Time     `json:"ended_at,omitzero"`
	// Deadline is when the present state ends by itself.
	Deadline time.Time `json:"deadline,omitzero"`
	// Prompt is the owner's alone.
	Prompt *Prompt `json:"prompt,omitempty" doc:"what the person at the machine shall do now; the lease's owner alone sees it"`
	// Problem says why it failed; the owner's alone.
	Problem *Problem `json:"problem,omitempty"`
	// Result is the owner's alone, and not in events.
	Result *CeremonyResult `json:"result,omitempty"`
	// Steps are all states it went through, with their times.
	Steps []CeremonyStep `json:"steps"`
}

// CeremonyStep is one state that a ceremony went through.
type CeremonyStep struct {
	State CeremonyState `json:"state"`
	At    time.Time     `json:"at"`
}

// Prompt tells the person at the machine what to do.
type Prompt struct {
	// Kind is insert, pin or touch.
	Kind string `json:"kind" enum:"insert,pin,touch"`
	// Text is the sentence: Touch key 4f2a, which blinks, for run 17.
	Text string `json:"text"`
	// TriesLeft is for a PIN, where the authenticator tells it.
	TriesLeft *int `json:"tries_left,omitempty"`
	// Again says that a PIN was refused just before.
	Again bool `json:"again,omitempty"`
	// Asker is who began the ceremony, for people. The program is what the
	// operating system says of who came by the socket or pipe; of who came by TCP
	// it says nothing.
	Asker string `json:"asker" doc:"who began the ceremony: program \"node\" of user 1000; token ci of user 1000, where the operating system tells no program"`
	// RPID is whose sign-in it is; a card signature has none.
	RPID string `json:"rp_id,omitempty" doc:"ID of the relying party, for create and get"`
}

// CeremonyResult is what came out.
type CeremonyResult struct {
	// Credential is a RegistrationResponseJSON or AuthenticationResponseJSON
	// (WebAuthn L3, 5.1.8, 5.1.9).
	Credential json.RawMessage `json:"credential,omitempty"`
	// Accounts are those that the key could have signed in, where it knows
	// several and tells their names.
	Accounts []Account `json:"accounts,omitempty"`
	// Signature, Certificate, Hash and Signed are of a card signature.
	Signature   []byte `json:"signature,omitempty" doc:"base64; RSA PKCS #1 v1.5, or ECDSA in ASN.1"`
	Certificate []byte `json:"certificate,omitempty" doc:"base64; DER of the certificate whose key signed"`
	Hash        string `json:"hash,omitempty"`
	Signed      []byte `json:"signed,omitempty" doc:"base64; the octets that were hashed: of a physical card not the data alone (DESIGN 5.4)"`
	// Remarks are what was not as asked: a late success that was undone.
	Remarks []string `json:"remarks,omitempty"`
}

// Account is one that a key knows for a relying party.
type Account struct {
	ID          string `json:"id" doc:"user handle, base64url"`
	Name        string `json:"name,omitempty"`
	DisplayName string `json:"display_name,omitempty"`
}

// PINBlock says that a source's PIN was refused by an authenticator, and that
// nothing from it is sent there any more (DESIGN rule 1). It holds no PIN.
type PINBlock struct {
	Authenticator string    `json:"authenticator"`
	Source        string    `json:"source" doc:"requests of token ci, secret blue-pin, file blue.pin"`
	At            time.Time `json:"at"`
}
