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
}

// EventType names what happened.
type EventType string

// The events. The subject is the id of a reader or authenticator, the name of
// a source, or the code of a check.
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
}
