package mockcis2

import (
	"encoding/json"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"authbridge/agent/cis2"
)

// stage is how far a sign-in has come.
type stage string

const (
	stageChoose    stage = "choose"    // user and authenticator
	stageSmartcard stage = "smartcard" // waits for a proof
	stageWebAuthn  stage = "webauthn"
	stageTOTP      stage = "totp"
	stageRole      stage = "role"
	stageDone      stage = "done" // the browser may go back
)

// authentication is what somebody has really done.
type authentication struct {
	user string
	with cis2.Authenticator
	at   time.Time
}

// login is a request of an application that waits for somebody to sign in. The
// book's mutex guards it.
type login struct {
	id, cookie, csrf string // the cookie's digest
	request          authorizeRequest
	client           *Client
	until            time.Time

	stage   stage
	user    string // who signs in
	with    cis2.Authenticator
	problem string // what was wrong with the last answer
	changed chan struct{}

	reference     string
	referenceMade time.Time
	ceremony      *webauthn.SessionData
	options       json.RawMessage

	auth   *authentication
	of     *session    // that answers once a role is chosen; nil: somebody signs in
	role   string      // chosen, person_roleid
	failed *oauthError // what the application is told instead
}

// wake tells those who wait that the login has changed.
func (l *login) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// restart goes back to the first step and says why; what was chosen stays
// chosen.
func (l *login) restart(problem string) {
	l.stage, l.problem = stageChoose, problem
	l.auth, l.of, l.role = nil, nil, ""
	l.reference, l.ceremony, l.options = "", nil, nil
	l.wake()
}

// authenticated takes over what somebody has done, and goes on to what is left.
// It is the only way to an authentication: an authenticator that the request
// does not admit, or that is above the user's level, is none.
func (l *login) authenticated(u *User, with cis2.Authenticator, now time.Time) {
	if _, ok := l.request.acrs.Satisfied(with); !ok || u.UUID != l.user || cis2.AALOf(with) > u.AAL {
		l.restart("That does not reach what the application asks for.")
		return
	}
	l.auth = &authentication{user: u.UUID, with: with, at: now}
	l.reference, l.ceremony, l.options, l.problem = "", nil, nil, ""
	l.stage = stageDone
	if choosesRole(l.request, l.role, len(u.Roles)) {
		l.stage = stageRole
	}
	l.wake()
}

func (l *login) fail(err *oauthError) {
	l.failed, l.stage = err, stageDone
	l.wake()
}
