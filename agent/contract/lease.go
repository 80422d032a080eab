package contract

import (
	"strconv"
	"strings"
	"time"
)

// Requirement says which authenticators a lease will do with: by what they can
// prove, or one by its id.
type Requirement struct {
	// Authenticator is an id; the rest then only narrows what it must be.
	Authenticator string `json:"authenticator,omitempty" maxLength:"64" doc:"id of the one authenticator that will do"`
	AAL           int    `json:"aal,omitempty" enum:"2,3" doc:"needed unless an authenticator is named"`
	Target        string `json:"target" doc:"mock, int, dep, prod, or one from the configuration"`
	Kind          Kind   `json:"kind,omitempty" enum:"smartcard,security-key"`
	User          string `json:"user,omitempty" pattern:"^[0-9]{12}$" doc:"12-digit UUID"`
	Transport     string `json:"transport,omitempty" enum:"pcsc,hid"`
	// Origin: for the mock absent is virtual, for every other target physical
	// (DESIGN 5.3).
	Origin Origin `json:"origin,omitempty" enum:"physical,virtual"`
}

// Hold says what keeps a lease.
type Hold string

// What keeps a lease.
const (
	HoldTTL        Hold = "ttl"        // its time, renewed by PATCH; survives a restart of the daemon
	HoldConnection Hold = "connection" // the stream that answered the POST, or the login run that took it; ends with that, and with the daemon
)

// LeaseRequest asks for a lease.
type LeaseRequest struct {
	Requirement
	TTL string `json:"ttl,omitempty" doc:"Go duration from 1s to 8h; absent: 5m. A lease held by its connection ends then too, unless renewed"`
	// Wait is how long to stand in the queue.
	Wait string `json:"wait,omitempty" doc:"Go duration up to 10m to wait in the queue; absent: do not wait"`
	Hold Hold   `json:"hold,omitempty" enum:"ttl,connection" doc:"absent: ttl"`
	// Purpose is for people: what the prompts and the queue say of it.
	Purpose string `json:"purpose,omitempty" maxLength:"64" pattern:"^[A-Za-z0-9 ._:/#-]*$" doc:"what for, shown to people: run 17"`
	// Takeover ends the lease that is in the way.
	Takeover bool `json:"takeover,omitempty" doc:"end the present lease; needs the right admin"`
	// Keep keeps discoverable credentials that are made in the lease.
	Keep bool `json:"keep,omitempty" doc:"keep the discoverable credentials made in the lease; absent: they are deleted at its end"`
}

// LeaseRenewal is the body of PATCH /v1/leases/{id}.
type LeaseRenewal struct {
	TTL string `json:"ttl,omitempty" doc:"Go duration from now; absent: the one it was taken with"`
}

// LeaseState is how far a lease has come.
type LeaseState string

// The states of a lease.
const (
	LeaseQueued LeaseState = "queued"
	LeaseActive LeaseState = "active"
	LeaseEnding LeaseState = "ending" // the authenticator is being left as it was found
	LeaseEnded  LeaseState = "ended"
)

// LeaseEnd is why a lease ended.
type LeaseEnd string

// Why leases end.
const (
	EndReleased   LeaseEnd = "released"
	EndExpired    LeaseEnd = "expired"
	EndConnection LeaseEnd = "connection" // the stream that held it ended
	EndRestart    LeaseEnd = "restart"    // held by a connection when the daemon ended
	EndTakeover   LeaseEnd = "takeover"
	EndRevoked    LeaseEnd = "revoked"  // the token that took it was revoked or expired, or its user lost the right to it
	EndGaveUp     LeaseEnd = "gave_up"  // left the queue
	EndRefused    LeaseEnd = "refused"  // no longer ready when it was read anew
	EndUnusable   LeaseEnd = "unusable" // its requirement cannot be met any more
)

// Lease is exclusive use of one authenticator for a limited time, or a place in
// the queue for it. It holds no personal data and no secret: everybody with the
// right read sees who holds what.
type Lease struct {
	ID string `json:"id" doc:"public; ends in the fence number"`
	// Fence only grows: of two leases the later has the greater.
	Fence       uint64      `json:"fence" doc:"grows with each lease taken; 0 while queued"`
	State       LeaseState  `json:"state" enum:"queued,active,ending,ended"`
	Requirement Requirement `json:"requirement" doc:"the user is masked without the right identity"`
	// Authenticator is absent while queued.
	Authenticator string    `json:"authenticator,omitempty"`
	Name          string    `json:"name,omitempty" doc:"of the authenticator"`
	Kind          Kind      `json:"kind,omitempty"`
	Origin        Origin    `json:"origin,omitempty"`
	Holder        string    `json:"holder" doc:"who took it: token ci, user 1000"`
	Purpose       string    `json:"purpose,omitempty"`
	Hold          Hold      `json:"hold" enum:"ttl,connection"`
	QueuedAt      time.Time `json:"queued_at"`
	TakenAt       time.Time `json:"taken_at,omitzero"`
	// EndsAt is by the wall clock; a restart does not move it.
	EndsAt  time.Time `json:"ends_at,omitzero"`
	EndedAt time.Time `json:"ended_at,omitzero"`
	End     LeaseEnd  `json:"end,omitempty" doc:"why it ended"`
	// Position is that in the queue, from 1.
	Position int `json:"position,omitempty"`
	// Waiting says what it waits for, for a person.
	Waiting string `json:"waiting,omitempty" doc:"why it is queued: who holds what it could have"`
	// Remarks are what its end could not leave as it was, or did to do so.
	Remarks []string `json:"remarks,omitempty"`
}

// FenceIn is the fence number at the end of a lease's id; 0 where there is none.
func FenceIn(id string) uint64 {
	fence, err := strconv.ParseUint(id[strings.LastIndexByte(id, '-')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return fence
}

// NewLease is the one answer that holds the lease's own token.
type NewLease struct {
	Lease
	// URL is for a command that is handed the token.
	URL   string `json:"url,omitempty" doc:"where the daemon answers to the token"`
	Token string `json:"token" doc:"rights: read, and to use and end this lease; dead with it"`
}

// Names, in the stream that holds a lease, of what it carries besides
// heartbeats: the place in the queue as it changes, the lease once it is
// taken, its end.
const (
	StreamLeaseQueued EventType = "queued"
	StreamLeaseTaken  EventType = "taken" // NewLease
	StreamLeaseEnded  EventType = "ended"
	StreamProblem     EventType = "problem" // Problem: there will be no lease
)
