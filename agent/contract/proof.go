package contract

import "time"

// ProofOutcome is what a login run has shown of an authenticator.
type ProofOutcome string

// The outcomes.
const (
	Proven  ProofOutcome = "proven"  // the target took it for the user's
	Refused ProofOutcome = "refused" // the target did not
)

// Proof is what the last login run with an authenticator, at one target and as
// one user, has shown of it.
type Proof struct {
	Authenticator string       `json:"authenticator"`
	Kind          Kind         `json:"kind"`
	Target        string       `json:"target"`
	User          string       `json:"user"` // 12-digit UUID
	Outcome       ProofOutcome `json:"outcome"`
	At            time.Time    `json:"at"`
	Login         string       `json:"login"` // id of the run
	// ACR, AMR and AAL are what the target said of the sign-in; of one that was
	// refused ACR is what was asked for, and the others are empty.
	ACR string   `json:"acr"`
	AMR []string `json:"amr,omitempty"`
	AAL int      `json:"aal,omitempty"`
}
