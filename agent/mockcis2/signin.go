package mockcis2

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"authbridge/agent/cis2"
)

// login finds the login of a request: by its id, and only for the browser in
// which it began, which has its cookie. The mutex is held.
func (s *Server) login(r *http.Request, now time.Time) (*login, bool) {
	l, ok := s.book.logins.get(r.PathValue("id"), now)
	if !ok || !same(l.cookie, digest(s.cookies.read(r, s.cookies.login))) {
		return nil, false
	}
	if l.stage == stageSmartcard && !now.Before(l.referenceMade.Add(referenceFor)) {
		l.restart("No card has signed in time. Try again.")
	}
	return l, true
}

const noLogin = "This sign-in is over, or it was begun in another browser. Begin again at the application."

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	s.book.mu.Lock()
	l, ok := s.login(r, s.config.Now())
	var step Step
	if ok {
		step = s.step(l)
	}
	s.book.mu.Unlock()
	if !ok {
		s.sorry(w, r, http.StatusNotFound, noLogin)
		return
	}
	s.showStep(w, r, http.StatusOK, step)
}

// waitFor is how long a page's question is held.
const waitFor = 20 * time.Second

// waitLogin answers once the login has changed.
func (s *Server) waitLogin(w http.ResponseWriter, r *http.Request) {
	s.book.mu.Lock()
	l, ok := s.login(r, s.config.Now())
	var changed chan struct{}
	waits := false
	if ok {
		changed, waits = l.changed, l.stage == stageSmartcard
	}
	s.book.mu.Unlock()
	if waits {
		select {
		case <-changed:
		case <-s.config.After(waitFor):
		case <-r.Context().Done():
			return
		}
	}
	s.showLogin(w, r)
}

// answerLogin takes an answer to a step.
func (s *Server) answerLogin(w http.ResponseWriter, r *http.Request) {
	values, refused := form(r)
	if refused != nil {
		s.sorry(w, r, http.StatusBadRequest, refused.Description)
		return
	}
	now := s.config.Now()
	s.book.mu.Lock()
	l, ok := s.login(r, now)
	forged := ok && !same(l.csrf, values.Get("csrf"))
	s.book.mu.Unlock()
	switch {
	case !ok:
		s.sorry(w, r, http.StatusNotFound, noLogin)
		return
	case forged:
		s.sorry(w, r, http.StatusForbidden, "This form was not given out here.")
		return
	}
	s.act(r.Context(), l, values, now)
	s.book.mu.Lock()
	step := s.step(l)
	s.book.mu.Unlock()
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, step)
		return
	}
	w.Header().Set("Location", step.Action)
	w.WriteHeader(http.StatusSeeOther)
}

// act does what an answer says, where its time is.
func (s *Server) act(ctx context.Context, l *login, values url.Values, now time.Time) {
	switch values.Get("do") {
	case "choose":
		s.choose(ctx, l, values.Get("user"), cis2.Authenticator(values.Get("authenticator")), now)
	case "totp":
		s.answerTOTP(ctx, l, values.Get("code"), now)
	case "webauthn":
		s.answerWebAuthn(ctx, l, values.Get("response"), now)
	case "role":
		s.chooseRole(l, values.Get("role"))
	case "back":
		s.at(l, "", func() { l.restart("") })
	case "cancel":
		s.at(l, "", func() { l.fail(refuse(accessDenied, "the user has cancelled")) })
	}
}

// at does something under the mutex, if the login stands at a stage; empty is
// any but the last, and what somebody has done stays done.
func (s *Server) at(l *login, wanted stage, do func()) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if l.stage == wanted || wanted == "" && l.stage != stageDone {
		do()
	}
}

// choose takes the user and the authenticator, and goes on to where that signs
// in.
func (s *Server) choose(ctx context.Context, l *login, uuid string, with cis2.Authenticator, now time.Time) {
	problem := ""
	user, ok := s.book.user(uuid)
	switch {
	case !cis2.ValidUser(uuid):
		problem = "Enter a user number of 12 digits."
	case !ok:
		problem = "There is no such user."
	case !slices.Contains(s.offered(l.request.acrs), with):
		problem = "Choose how to sign in."
	case cis2.AALOf(with) > user.AAL:
		problem = tooHigh(user, with)
	}
	if problem != "" {
		s.at(l, stageChoose, func() {
			l.problem = problem
			if ok {
				l.user = uuid
			}
			if slices.Contains(s.offered(l.request.acrs), with) {
				l.with = with
			}
		})
		return
	}
	take := func(next stage) {
		l.user, l.with, l.problem, l.stage = uuid, with, "", next
		l.wake()
	}
	switch with {
	case cis2.UserName:
		s.at(l, stageChoose, func() {
			l.user, l.with = uuid, with
			l.authenticated(user, with, now)
		})
	case cis2.Smartcard:
		s.at(l, stageChoose, func() {
			take(stageSmartcard)
			s.book.refer(l, now)
		})
	case cis2.TOTP:
		secret, err := s.totpSecret(ctx, user)
		defer clear(secret)
		s.at(l, stageChoose, func() {
			l.user, l.with = uuid, with
			switch {
			case err != nil:
				l.problem = unwell
			case len(secret) == 0 && len(s.book.lent[uuid]) == 0:
				l.problem = "This user has no authenticator app. Register one first."
			default:
				take(stageTOTP)
			}
		})
	default:
		ceremony, options, problem := s.beginWebAuthn(ctx, user, with)
		s.at(l, stageChoose, func() {
			if problem == "" {
				take(stageWebAuthn)
			}
			l.user, l.with, l.problem = uuid, with, problem
			l.ceremony, l.options = ceremony, options
		})
	}
}

const unwell = "Something went wrong in here. Try again."

func (s *Server) chooseRole(l *login, id string) {
	s.at(l, stageRole, func() {
		u, ok := s.book.users[l.auth.user]
		if !ok || !slices.ContainsFunc(u.Roles, func(r cis2.Role) bool { return r.RoleID == id }) {
			l.problem = "Choose one of the roles."
			return
		}
		l.role, l.stage, l.problem = id, stageDone, ""
		l.wake()
	})
}

const sessionOver = "You were signed out meanwhile. Sign in again."

// continueLogin sends the browser back to the application, with a code if
// somebody has signed in. It does so once.
func (s *Server) continueLogin(w http.ResponseWriter, r *http.Request) {
	now := s.config.Now()
	cookie := s.cookies.read(r, s.cookies.session)
	s.book.mu.Lock()
	l, ok := s.login(r, now)
	ok = ok && l.stage == stageDone
	var code, fresh string
	var ended *session
	over := ok && l.failed == nil && l.of != nil && l.of != s.book.session(cookie, now)
	switch {
	case over: // signed out, or as somebody else, in another tab
		l.restart(sessionOver)
	case ok:
		s.book.logins.take(l.id, now)
		if l.failed == nil {
			var current *session
			current, fresh, ended = s.book.open(l, cookie, now)
			code = s.book.issue(l.request, current, *l.auth, now)
		}
	}
	s.book.mu.Unlock()
	switch {
	case !ok:
		s.sorry(w, r, http.StatusNotFound, noLogin)
		return
	case over:
		w.Header().Set("Location", loginPath(l.id))
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	if ended != nil {
		s.tellEnded(r.Context(), ended)
	}
	if fresh != "" {
		s.cookies.set(w, s.cookies.session, fresh, "/", sessionFor)
		s.config.Log.WithField("client", l.client.ClientID).WithField("authenticator", l.auth.with).Info("mock: somebody has signed in")
	}
	s.cookies.drop(w, s.cookies.login, loginPath(l.id))
	s.sendBack(w, r, l.request, l.failed, code)
}

// tooHigh says why a user does not get at what reaches a higher level than the
// user does.
func tooHigh(user *User, with cis2.Authenticator) string {
	return fmt.Sprintf("This user signs in at AAL%d at most, and this way of signing in is AAL%d.", user.AAL, cis2.AALOf(with))
}
