package mockcis2

import (
	"time"

	"authbridge/agent/cis2"
)

// session is a browser's single sign-on. The book's mutex guards it.
type session struct {
	id      string // sid
	auth    authentication
	role    string
	clients map[string]bool // that got a token in it
	until   time.Time
}

// grant is what a code stands for.
type grant struct {
	client, redirect string
	state, nonce     string
	scopes           []string
	challenge        string
	acr              cis2.ACR
	auth             authentication
	role             string
	sid              string
	until            time.Time
	used             bool
	tokens           []string // digests of the access tokens given for it
}

// access is what an access token stands for.
type access struct{ grant *grant }

// The session that a cookie stands for; nil where there is none. The mutex is
// held.
func (b *book) session(cookie string, now time.Time) *session {
	if cookie == "" {
		return nil
	}
	s, _ := b.sessions.get(digest(cookie), now)
	return s
}

// issue makes a code for what somebody has done in a session. The mutex is held.
func (b *book) issue(r authorizeRequest, s *session, auth authentication, now time.Time) (code string) {
	acr, _ := r.acrs.Satisfied(auth.with)
	code = newSecret()
	s.clients[r.client] = true
	b.codes.put(digest(code), &grant{
		client: r.client, redirect: r.redirect, state: r.state, nonce: r.nonce, scopes: r.scopes, challenge: r.challenge,
		acr: acr, auth: auth, role: s.role, sid: s.id, until: now.Add(codeFor),
	}, now, now.Add(tokenFor)) // longer than it is good for, so that a second use is seen
	return code
}

// open makes the session of a finished login, or takes the browser's own on to
// the new level. It returns the new cookie, and the session that ended because
// somebody else signed in. The mutex is held.
func (b *book) open(l *login, cookie string, now time.Time) (s *session, fresh string, ended *session) {
	s = b.session(cookie, now)
	if cookie != "" {
		delete(b.sessions.all, digest(cookie))
	}
	if s != nil && s.auth.user != l.auth.user {
		s, ended = nil, s
	}
	if s == nil {
		s = &session{id: newID(), clients: make(map[string]bool)}
	}
	if !l.auth.at.Before(s.auth.at) { // else somebody has signed in in another tab meanwhile
		s.auth, s.until = *l.auth, l.auth.at.Add(sessionFor)
	}
	if l.role != "" {
		s.role = l.role
	}
	fresh = newSecret()
	b.sessions.put(digest(fresh), s, now, s.until)
	return s, fresh, ended
}
