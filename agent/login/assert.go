package login

import (
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Tokens are what a login brought.
type Tokens struct {
	IDToken     []byte
	AccessToken []byte          // empty: not known
	Userinfo    json.RawMessage // JSON, or a signed one; nil: not known
}

func (t *Tokens) wipe() {
	clear(t.IDToken)
	clear(t.AccessToken)
}

// Expectation is what tokens are held to.
type Expectation struct {
	Issuer   string
	ClientID string
	Nonce    string
	// WantsNonce is false where it is not known which nonce was asked with.
	WantsNonce bool
	Keys       jose.JSONWebKeySet
	// ACRs are those asked for, most wanted first; Known is the whole table.
	ACRs, Known cis2.ACRs
	AMRs        cis2.AMRs
	AAL         int
	// With is the authenticator that was really used; empty: not known.
	With cis2.Authenticator
	// User is who must have signed in, CardUser whom the card that was used is
	// of; empty: not known.
	User, CardUser string
	// Scopes are those asked for; nil: not known.
	Scopes []string
	Now    time.Time
	// MaxAge is how old the sign-in may be. Since is when it was asked for: no
	// sign-in from before will do. Until is when it must have been over. Zero: any
	// within MaxAge.
	MaxAge       time.Duration
	Since, Until time.Time
	// Ahead is the service's clock, as its answers show it.
	Ahead time.Duration
}

// assertions are the names of all, in their order.
var assertions = []string{
	"signature", "claims", "issuer", "audience", "authorised-party", "nonce", "expiry", "issued-at", "auth-time", "at-hash",
	"authentication-level", "identity-level", "acr", "amr", "subject", "subject-card", "subject-userinfo", "roles",
}

// Assert is the strict relying party: every assertion of DESIGN 7 as a step.
// Nothing is assumed in the place of a claim that is missing.
func Assert(t Tokens, want Expectation) []contract.LoginStep {
	j := &judgement{want: want}
	claims, ok := j.signature(t.IDToken)
	if ok {
		ok = j.readClaims(claims)
	}
	if !ok {
		return append(j.steps, skipped(assertions[len(j.steps):])...)
	}
	j.parties()
	j.times()
	j.atHash(t.AccessToken)
	j.levels()
	j.methods()
	user, known := j.userinfo(t.Userinfo)
	j.subjects()
	j.subjectOfUserinfo(user, known, len(t.Userinfo) > 0)
	j.roles(user, known)
	return j.steps
}

func skipped(names []string) []contract.LoginStep {
	steps := make([]contract.LoginStep, len(names))
	for i, name := range names {
		steps[i] = contract.LoginStep{Name: name, State: contract.StepSkipped, Got: "there are no claims to judge"}
	}
	return steps
}

// judgement is the tokens of one login being judged.
type judgement struct {
	want      Expectation
	algorithm jose.SignatureAlgorithm
	token     cis2.IDToken
	userError string
	steps     []contract.LoginStep
}

// hold records an assertion; wrong is empty where it holds.
func (j *judgement) hold(name string, code failure.Code, expected, got, wrong string) {
	s := contract.LoginStep{Name: name, State: contract.StepPass, Expected: expected, Got: printable(got)}
	if wrong != "" {
		entry, _ := failure.Lookup(code)
		s.State, s.Code, s.Remedy, s.Evidence = contract.StepFail, string(code), entry.Remedy, wrong
	}
	j.steps = append(j.steps, s)
}

func (j *judgement) skip(name, why string) {
	j.steps = append(j.steps, contract.LoginStep{Name: name, State: contract.StepSkipped, Got: why})
}

// remark adds to the last step what is no ground to fail.
func (j *judgement) remark(text string) {
	last := &j.steps[len(j.steps)-1]
	last.Evidence = join(last.Evidence, text)
}
