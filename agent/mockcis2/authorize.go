package mockcis2

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"authbridge/agent/cis2"
)

// mostAddress bounds what a posted request may be as an address.
const mostAddress = 8 << 10

// authorize is the authorization endpoint (OpenID Connect Core 1.0, 3.1.2). It
// shows the first step itself, so that nobody can be led into a sign-in that
// somebody else has begun. A good request that was posted, as 3.1.2.1 allows, is
// sent here again as GET: with another site's POST no cookie comes, and there
// would be no session to answer.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	if r.Method == http.MethodPost {
		var err *oauthError
		if values, err = form(r); err != nil {
			s.sorry(w, r, http.StatusBadRequest, err.Description)
			return
		}
	}
	client, ok := s.book.client(values.Get("client_id"))
	if _, doubled := twice(values, []string{"client_id", "redirect_uri"}); !ok || doubled {
		s.sorry(w, r, http.StatusBadRequest, "No application is registered under this client_id. Register it as [[mock.client]] in the configuration, or correct the request.")
		return
	}
	s.sawAsked(client, values)
	if !slices.Contains(client.Redirects, values.Get("redirect_uri")) {
		s.sorry(w, r, http.StatusBadRequest, "The application is not registered with this redirect_uri, which is compared octet by octet. Add it to its redirects in the configuration, or correct the request.")
		return
	}
	request, refused := parseAuthorize(values, client, s.config.ACRs)
	if refused == nil && len(s.offered(request.acrs)) == 0 {
		refused = refuse(unmetRequirements, "acr_values: no authenticator that is offered here satisfies them")
	}
	if refused != nil {
		s.config.Log.WithField("client", client.ClientID).WithField("error", refused.Code).Info("mock: a request is refused")
		s.sendBack(w, r, request, refused, "")
		return
	}
	if hint := values.Get("id_token_hint"); hint != "" && request.hint == "" {
		var claims struct {
			Subject string `json:"sub"`
		}
		if s.keys.verify(hint, &claims) == nil {
			request.hint = claims.Subject
		}
	}
	if r.Method == http.MethodPost {
		address := s.ends.Authorize + "?" + read(values).Encode()
		if len(address) > mostAddress {
			s.sendBack(w, r, request, refuse(invalidRequest, "the request is too long"), "")
			return
		}
		w.Header().Set("Location", address)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	s.begin(w, r, client, request)
}

// read are the parameters that are read.
func read(values url.Values) url.Values {
	all := url.Values{}
	for _, name := range authorizeParameters {
		if values.Has(name) {
			all.Set(name, values.Get(name))
		}
	}
	return all
}

// begin answers a good request from the session, or begins a login.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, client *Client, request authorizeRequest) {
	now := s.config.Now()
	cookie, own := s.cookies.read(r, s.cookies.session), newSecret()
	s.book.mu.Lock()
	current := s.book.session(cookie, now)
	roles := 0
	if current != nil {
		if u, ok := s.book.users[current.auth.user]; ok && cis2.AALOf(current.auth.with) <= u.AAL {
			roles = len(u.Roles)
		} else {
			current = nil
		}
	}
	what, refused := decide(request, current, roles, now)
	code := ""
	var step Step
	switch {
	case refused != nil:
	case what == reuse:
		code = s.book.issue(request, current, current.auth, now)
	default:
		l := s.newLogin(client, request, own, now)
		if what == askRole {
			auth := current.auth
			l.user, l.with, l.auth, l.stage, l.of = auth.user, auth.with, &auth, stageRole, current
		} else if l.user == "" && current != nil && request.prompt != promptLogin {
			l.user = current.auth.user // a step up is the same person's
		}
		s.book.logins.put(l.id, l, now, l.until)
		step = s.step(l)
	}
	s.book.mu.Unlock()
	if refused != nil || code != "" {
		s.sendBack(w, r, request, refused, code)
		return
	}
	s.cookies.set(w, s.cookies.login, own, step.Action, loginFor)
	s.showStep(w, r, http.StatusOK, step)
}

func (s *Server) newLogin(client *Client, request authorizeRequest, cookie string, now time.Time) *login {
	return &login{
		id: newID(), cookie: digest(cookie), csrf: newSecret(), request: request, client: client, until: now.Add(loginFor),
		stage: stageChoose, user: request.hint, changed: make(chan struct{}),
	}
}

// offered are those of the request's authenticators that this server can check.
func (s *Server) offered(acrs cis2.ACRs) []cis2.Authenticator {
	return slices.DeleteFunc(offered(acrs), func(a cis2.Authenticator) bool {
		switch a {
		case cis2.Smartcard:
			return !s.smartcards()
		case cis2.SecurityKey, cis2.Platform, cis2.Passkey:
			return s.webauthn == nil
		}
		return false
	})
}

// sendBack sends the browser to the application, with a code or an error.
func (s *Server) sendBack(w http.ResponseWriter, r *http.Request, request authorizeRequest, refused *oauthError, code string) {
	w.Header().Set("Location", backTo(request, refused, code))
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	w.WriteHeader(status)
}

func backTo(request authorizeRequest, refused *oauthError, code string) string {
	values := url.Values{}
	if refused != nil {
		values.Set("error", refused.Code)
		values.Set("error_description", refused.Description)
	} else {
		values.Set("code", code)
	}
	if request.state != "" {
		values.Set("state", request.state)
	}
	separator := "?"
	if strings.Contains(request.redirect, "?") {
		separator = "&"
	}
	return request.redirect + separator + values.Encode()
}
