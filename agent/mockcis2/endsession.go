package mockcis2

import (
	"net/http"
	"net/url"
	"slices"
)

// endSession is the end session endpoint (OpenID Connect RP-Initiated Logout
// 1.0). An ID token of the session ends it; without one the user is asked.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	if r.Method == http.MethodPost {
		var refused *oauthError
		if values, refused = form(r); refused != nil {
			s.sorry(w, r, http.StatusBadRequest, refused.Description)
			return
		}
	}
	var hint logoutHint
	hinted := values.Get("id_token_hint") != "" && s.keys.verify(values.Get("id_token_hint"), &hint) == nil && len(hint.Audience) == 1
	id := values.Get("client_id")
	if hinted {
		id = hint.Audience[0]
	}
	after := values.Get("post_logout_redirect_uri")
	if after != "" {
		client, ok := s.book.client(id)
		if !ok || !slices.Contains(client.AfterLogout, after) {
			s.sorry(w, r, http.StatusBadRequest, "The application is not registered with this post_logout_redirect_uri. Add it to its after_logout in the configuration, or correct the request.")
			return
		}
		if state := values.Get("state"); state != "" && printable(state) && len(state) <= mostState {
			after = withState(after, state)
		}
	}
	cookie := s.cookies.read(r, s.cookies.session)
	switch {
	case !hinted && r.Method == http.MethodPost: // with another site's POST no cookie comes
		s.toEndSession(w)
		return
	case !hinted:
		s.askSignOut(w, r, cookie)
		return
	}
	if ended := s.takeSession(func(one *session) bool { return one.id == hint.Session }); ended != nil {
		s.tellEnded(r.Context(), ended)
	}
	if !s.signedIn(cookie) { // else it is another session than that of the hint
		s.cookies.drop(w, s.cookies.session, "/")
	}
	if after != "" {
		w.Header().Set("Location", after)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	s.showPage(w, http.StatusOK, signedOut)
}

func withState(address, state string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	q.Set("state", state)
	u.RawQuery = q.Encode()
	return u.String()
}

var signedOut = view{heading: "You are signed out", body: nodes{el("p", attr("role", "status"), text("You can close this page."))}}

func (s *Server) toEndSession(w http.ResponseWriter) {
	w.Header().Set("Location", s.ends.EndSession)
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Server) signedIn(cookie string) bool {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	return s.book.session(cookie, s.config.Now()) != nil
}

// askSignOut asks the user, because any page can send a browser here.
func (s *Server) askSignOut(w http.ResponseWriter, _ *http.Request, cookie string) {
	if !s.signedIn(cookie) {
		s.showPage(w, http.StatusOK, signedOut)
		return
	}
	s.showPage(w, http.StatusOK, view{heading: "Sign out?", body: nodes{
		el("p", text("An application asks to sign you out of all applications. To stay signed in, close this page.")),
		asForm("/signout", signOutToken(cookie), actions(button("signout", "Sign out"))),
	}})
}

func signOutToken(cookie string) string { return halfHash("signout " + cookie) }

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	values, refused := form(r)
	cookie := s.cookies.read(r, s.cookies.session)
	if !s.signedIn(cookie) { // the form was sent twice
		s.toEndSession(w)
		return
	}
	if refused != nil || !same(values.Get("csrf"), signOutToken(cookie)) {
		s.sorry(w, r, http.StatusForbidden, "This form was not given out here.")
		return
	}
	now := s.config.Now()
	s.book.mu.Lock()
	ended, ok := s.book.sessions.take(digest(cookie), now)
	s.book.mu.Unlock()
	if ok {
		s.tellEnded(r.Context(), ended)
	}
	s.cookies.drop(w, s.cookies.session, "/")
	s.toEndSession(w)
}

// takeSession ends the session that is the one.
func (s *Server) takeSession(is func(*session) bool) *session {
	now := s.config.Now()
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	for key, kept := range s.book.sessions.all {
		if now.Before(kept.until) && is(kept.value) {
			delete(s.book.sessions.all, key)
			return kept.value
		}
	}
	return nil
}
