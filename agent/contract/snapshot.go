package contract

import "time"

// Snapshot is all the bridge knows at one moment. It is immutable.
type Snapshot struct {
	ID             string          `json:"id" doc:"EPOCH-SEQ of the last event it holds"`
	Version        string          `json:"version" doc:"of the daemon"`
	ObservedAt     time.Time       `json:"observed_at"`
	Sources        []Source        `json:"sources"`
	Readers        []Reader        `json:"readers"`
	Authenticators []Authenticator `json:"authenticators"`
	Checks         []Check         `json:"checks" doc:"of the machine; an authenticator's own are with it"`
	Leases         []Lease         `json:"leases" doc:"taken ones, then the queue in its order"`
}

// EventType names what happened.
type EventType string

// The events. The subject is the id of a reader or authenticator, the name of
// a source, the code of a check, or the id of a lease, ceremony or login run.
const (
	SourceChanged        EventType = "source.changed"
	ReaderAdded          EventType = "reader.added"
	ReaderRemoved        EventType = "reader.removed"
	CardInserted         EventType = "card.inserted"
	CardRemoved          EventType = "card.removed"
	ReaderChanged        EventType = "reader.changed" // its condition
	KeyPlugged           EventType = "key.plugged"
	KeyUnplugged         EventType = "key.unplugged"
	AuthenticatorChanged EventType = "authenticator.changed"
	AuthenticatorGone    EventType = "authenticator.gone"
	CheckChanged         EventType = "check.changed"
	LeaseChanged         EventType = "lease.changed"    // its state, place or end
	CeremonyChanged      EventType = "ceremony.changed" // its state
	LoginChanged         EventType = "login.changed"    // its state, or a step more
	PINOverridden        EventType = "pin.overridden"   // sent although too few tries were left
	PINBlocked           EventType = "pin.blocked"      // a source was refused; nothing of it is sent any more
	PINUnblocked         EventType = "pin.unblocked"
)

// Event is one entry of the journal.
type Event struct {
	ID      string    `json:"id" doc:"EPOCH-SEQ, in order"`
	Type    EventType `json:"type"`
	At      time.Time `json:"at"`
	Subject string    `json:"subject"`
	// Text says it in one line for a person. It holds no personal data.
	Text string `json:"text"`
	// One of these holds the new state, where there is one.
	Source        *Source        `json:"source,omitempty"`
	Reader        *Reader        `json:"reader,omitempty"`
	Authenticator *Authenticator `json:"authenticator,omitempty"`
	Check         *Check         `json:"check,omitempty"`
	Lease         *Lease         `json:"lease,omitempty"`
	Ceremony      *Ceremony      `json:"ceremony,omitempty"`
	// Login has the newest step alone, and its user masked.
	Login *Login `json:"login,omitempty"`
	// Owner is who may see the whole of it: what a ceremony asks of a person is
	// nobody else's matter. It does not cross the API and is not kept.
	Owner *Owner `json:"-"`
}
