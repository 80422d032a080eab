package contract

import "time"

// CheckState is the outcome of a check.
type CheckState string

// The outcomes.
const (
	Pass    CheckState = "pass"
	Warn    CheckState = "warn"
	Fail    CheckState = "fail"
	Unknown CheckState = "unknown"
)

// Check is one health finding. Title, remedy and NHS code come from the
// registry of failures, so that API, CLI, tray and page use the same words.
type Check struct {
	Code string `json:"code" doc:"stable, for example PIN_RETRIES"`
	// Target is set on a check that holds for a sign-in at one target alone.
	Target     string     `json:"target,omitempty" doc:"the one target that it holds for; absent: all"`
	State      CheckState `json:"state" enum:"pass,warn,fail,unknown"`
	Title      string     `json:"title"`
	Evidence   string     `json:"evidence" doc:"what was seen"`
	Remedy     string     `json:"remedy,omitempty" doc:"what to do; absent on pass, and on a check that only waits for another"`
	Mend       string     `json:"mend,omitempty" doc:"commands for a terminal of the daemon's machine that do it, one a line; absent where only a hand can"`
	NHSCode    string     `json:"nhs_code,omitempty" doc:"the code NHS users know, for example ERR1002"`
	ObservedAt time.Time  `json:"observed_at,omitzero" doc:"absent where nothing was looked at"`
}

// Outcome is a verdict in one word.
type Outcome string

// The outcomes of a verdict.
const (
	VerdictReady    Outcome = "ready"
	VerdictNotReady Outcome = "not_ready"
	VerdictUnproven Outcome = "unproven"
)

// Question is what readiness is asked for.
type Question struct {
	AAL    int    `json:"aal" enum:"2,3"`
	Target string `json:"target" doc:"mock, int, dep, prod, or one from the configuration"`
	Kind   Kind   `json:"kind,omitempty"`
	User   string `json:"user,omitempty" doc:"12-digit UUID"`
}

// Verdict answers a question, with the checks it rests on.
type Verdict struct {
	Question
	// Issuer is the target's, octet by octet: a client tells the sign-in page by
	// it.
	Issuer  string  `json:"issuer,omitempty" doc:"of the target, octet by octet; absent where it is not known: the mock is off, dep is not public"`
	Outcome Outcome `json:"outcome" enum:"ready,not_ready,unproven"`
	// Summary is the answer in one sentence for a person.
	Summary string `json:"summary"`
	// Authenticator is the candidate that decided: the first that is ready,
	// else the nearest to it.
	Authenticator string `json:"authenticator,omitempty"`
	// Origin is virtual if the answer rests on a virtual authenticator.
	Origin Origin `json:"origin,omitempty"`
	// Checks are those of the machine that apply to the question.
	Checks []Check `json:"checks"`
	// Candidates are all authenticators that were considered, best first,
	// those that may not count (rule 4) included, with the reason.
	Candidates []Candidate `json:"candidates"`
	ObservedAt time.Time   `json:"observed_at"`
	SnapshotID string      `json:"snapshot" doc:"EPOCH-SEQ of the snapshot that was judged"`
}

// Candidate is an authenticator in the light of a question.
type Candidate struct {
	Authenticator string  `json:"authenticator"`
	Name          string  `json:"name"`
	Kind          Kind    `json:"kind"`
	Origin        Origin  `json:"origin"`
	Outcome       Outcome `json:"outcome"`
	Checks        []Check `json:"checks" doc:"its checks that apply, failures first"`
}
