package contract

import "time"

// Right is what a token or an OS identity may do.
type Right string

// The rights (DESIGN 5.2).
const (
	RightRead     Right = "read"
	RightLease    Right = "lease"
	RightVirtual  Right = "virtual"
	RightPhysical Right = "physical"
	RightIdentity Right = "identity"
	RightAdmin    Right = "admin"
)

// Rights lists every right there is.
var Rights = []Right{RightRead, RightLease, RightVirtual, RightPhysical, RightIdentity, RightAdmin}

// Token is an API token without its secret.
type Token struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Rights     []Right   `json:"rights"`
	User       string    `json:"user,omitempty" doc:"uid or SID of the user whose it is: it never has a right that this user has not"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

// TokenRequest asks for a new token.
type TokenRequest struct {
	Name   string  `json:"name" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9._ -]+$"`
	Rights []Right `json:"rights" minItems:"1" enum:"read,lease,virtual,physical,identity,admin"`
	TTL    string  `json:"ttl,omitempty" doc:"Go duration, for example 720h; absent: 2160h"`
}

// NewToken is the one answer that ever holds the secret.
type NewToken struct {
	Token
	Secret string `json:"secret"`
}
