package mockcis2

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"authbridge/agent/cis2"
)

// enrolment is a registration that waits for the new key. The book's mutex
// guards it.
type enrolment struct {
	id, browser, csrf string
	user              *User
	with              cis2.Authenticator
	until             time.Time
	ceremony          *webauthn.SessionData
	options           json.RawMessage
	secret            string // of an authenticator application, base32
	problem           string
	done              string // what was registered, for a person
}

// Enrolment is where a registration stands.
type Enrolment struct {
	Action        string             `json:"action"`
	CSRF          string             `json:"csrf"`
	User          string             `json:"user,omitempty"`
	Authenticator cis2.Authenticator `json:"authenticator,omitempty"`
	Problem       string             `json:"problem,omitempty"`
	// Options are a PublicKeyCredentialCreationOptionsJSON; the answer is the
	// field response, a RegistrationResponseJSON.
	Options json.RawMessage `json:"options,omitempty"`
	// Secret is of an authenticator application, base32; the answer is the field
	// code.
	Secret string `json:"secret,omitempty"`
	Done   string `json:"done,omitempty"`
}

// registrable are what can be registered here. A smartcard needs no
// registration: its certificate names the user.
func (s *Server) registrable() []cis2.Authenticator {
	all := []cis2.Authenticator{cis2.SecurityKey, cis2.Platform, cis2.Passkey, cis2.TOTP}
	return slices.DeleteFunc(all, func(a cis2.Authenticator) bool { return s.webauthn == nil && a != cis2.TOTP })
}

// formToken binds the first form to the browser: there is nothing else yet that
// could.
func formToken(browser string) string { return halfHash("register " + browser) }

func (s *Server) chooseRegistration(w http.ResponseWriter, r *http.Request) {
	s.showRegistrationForm(w, r, "", "")
}

func (s *Server) showRegistrationForm(w http.ResponseWriter, r *http.Request, user, wrong string) {
	browser := s.cookies.read(r, s.cookies.registration)
	if browser == "" {
		browser = newSecret()
	}
	s.cookies.set(w, s.cookies.registration, browser, "/", sessionFor)
	e := Enrolment{Action: "/register", CSRF: formToken(browser), User: user, Problem: wrong}
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, e)
		return
	}
	s.showPage(w, http.StatusOK, registerView(e, s.registrable()))
}

func (s *Server) beginRegistration(w http.ResponseWriter, r *http.Request) {
	values, refused := form(r)
	browser := s.cookies.read(r, s.cookies.registration)
	if refused != nil || browser == "" || !same(values.Get("csrf"), formToken(browser)) {
		s.sorry(w, r, http.StatusForbidden, "This form was not given out here.")
		return
	}
	uuid, with := strings.TrimSpace(values.Get("user")), cis2.Authenticator(values.Get("authenticator"))
	user, ok := s.book.user(uuid)
	wrong := ""
	switch {
	case !ok:
		wrong = "There is no such user."
	case !slices.Contains(s.registrable(), with):
		wrong = "Choose what to register."
	case cis2.AALOf(with) > user.AAL:
		wrong = tooHigh(user, with)
	}
	var e *enrolment
	if wrong == "" {
		e, wrong = s.newEnrolment(r.Context(), user, with, browser)
	}
	if wrong != "" {
		s.showRegistrationForm(w, r, uuid, wrong)
		return
	}
	s.book.mu.Lock()
	s.book.enrolments.put(e.id, e, s.config.Now(), e.until)
	shown := e.shown()
	s.book.mu.Unlock()
	s.goOn(w, r, shown)
}

// goOn answers a form with the page of an enrolment, which may be loaded again
// as the answer to a form may not.
func (s *Server) goOn(w http.ResponseWriter, r *http.Request, e Enrolment) {
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, e)
		return
	}
	w.Header().Set("Location", e.Action)
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Server) newEnrolment(ctx context.Context, user *User, with cis2.Authenticator, browser string) (*enrolment, string) {
	e := &enrolment{
		id: newID(), browser: digest(browser), csrf: newSecret(), user: user, with: with, until: s.config.Now().Add(loginFor),
	}
	keys, err := s.config.Store.Keys(ctx, user.UUID)
	switch {
	case err != nil:
		return nil, s.ill("keys", err)
	case len(keys) >= mostKeysOfUser:
		return nil, "This user has as many keys as are kept."
	case with == cis2.TOTP:
		secret := make([]byte, totpSecretLen)
		rand.Read(secret)
		e.secret = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
		return e, ""
	}
	a, err := s.accountOf(ctx, user, "")
	if err != nil {
		return nil, s.ill("keys", err)
	}
	creation, ceremony, err := s.webauthn.BeginRegistration(a, selection(with), webauthn.WithExclusions(webauthn.Credentials(a.keys).CredentialDescriptors()))
	if err != nil {
		return nil, s.ill("webauthn", err)
	}
	if e.options, err = json.Marshal(creation.Response); err != nil {
		return nil, s.ill("webauthn", err)
	}
	e.ceremony = ceremony
	return e, ""
}

// selection asks the browser for the sort of key. No security key is asked to
// remember a credential: it has room for few.
func selection(with cis2.Authenticator) webauthn.RegistrationOption {
	choose := protocol.AuthenticatorSelection{UserVerification: protocol.VerificationRequired}
	switch with {
	case cis2.Platform:
		choose.AuthenticatorAttachment, choose.ResidentKey = protocol.Platform, protocol.ResidentKeyRequirementPreferred
	case cis2.Passkey:
		choose.ResidentKey, choose.RequireResidentKey = protocol.ResidentKeyRequirementRequired, protocol.ResidentKeyRequired()
	default:
		choose.AuthenticatorAttachment, choose.ResidentKey = protocol.CrossPlatform, protocol.ResidentKeyRequirementDiscouraged
	}
	return webauthn.WithAuthenticatorSelection(choose)
}

// enrolment finds that of a request, in the browser that began it. The mutex is
// held.
func (s *Server) enrolment(r *http.Request) (*enrolment, bool) {
	e, ok := s.book.enrolments.get(r.PathValue("id"), s.config.Now())
	if !ok || !same(e.browser, digest(s.cookies.read(r, s.cookies.registration))) {
		return nil, false
	}
	return e, true
}

func (e *enrolment) shown() Enrolment {
	return Enrolment{
		Action: "/register/" + e.id, CSRF: e.csrf, User: e.user.UUID, Authenticator: e.with, Problem: e.problem,
		Options: e.options, Secret: e.secret, Done: e.done,
	}
}

const noEnrolment = "This registration is over, or it was begun in another browser."

func (s *Server) showRegistration(w http.ResponseWriter, r *http.Request) {
	s.book.mu.Lock()
	e, ok := s.enrolment(r)
	var shown Enrolment
	if ok {
		shown = e.shown()
	}
	s.book.mu.Unlock()
	if !ok {
		s.sorry(w, r, http.StatusNotFound, noEnrolment)
		return
	}
	s.showEnrolment(w, r, shown)
}

func (s *Server) showEnrolment(w http.ResponseWriter, r *http.Request, e Enrolment) {
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, e)
		return
	}
	s.showPage(w, http.StatusOK, enrolmentView(e))
}

func (s *Server) finishRegistration(w http.ResponseWriter, r *http.Request) {
	values, refused := form(r)
	if refused != nil {
		s.sorry(w, r, http.StatusBadRequest, refused.Description)
		return
	}
	now := s.config.Now()
	s.book.mu.Lock()
	e, ok := s.enrolment(r)
	var ceremony *webauthn.SessionData
	var last uint64
	good := ok && same(e.csrf, values.Get("csrf"))
	var shown Enrolment
	if good {
		ceremony, e.ceremony = e.ceremony, nil // its challenge is good for one
		last = s.book.steps[e.user.UUID]
		shown = e.shown()
	}
	s.book.mu.Unlock()
	switch {
	case !good:
		s.sorry(w, r, http.StatusNotFound, noEnrolment)
		return
	case shown.Done != "": // sent twice
		s.goOn(w, r, shown)
		return
	}
	key, wrong := Key{User: e.user.UUID, Registered: now}, ""
	var step uint64
	if e.with == cis2.TOTP {
		key.Authenticator, key.ID = cis2.TOTP, []byte(e.id)
		var right bool
		if step, right = totpStep([]byte(e.secret), strings.TrimSpace(values.Get("code")), last, now); !right {
			wrong = "The code is wrong. Enter the one that the app shows now."
		} else {
			key.Record, _ = json.Marshal(totpRecord{e.secret}) //nolint:gosec // it is what the store keeps
		}
	} else {
		wrong = s.credential(r.Context(), e.user, ceremony, values.Get("response"), &key)
	}
	if wrong == "" {
		if err := s.config.Store.SaveKey(r.Context(), key); err != nil {
			wrong = "It was not kept: " + reason(err) + "."
		}
	}
	s.book.mu.Lock()
	if e.problem = wrong; wrong == "" {
		e.done, e.options, e.secret, e.with = title(nameOf(key.Authenticator)), nil, "", key.Authenticator
		if key.Authenticator == cis2.TOTP {
			s.book.steps[e.user.UUID] = max(step, s.book.steps[e.user.UUID]) // somebody may have signed in meanwhile
		}
	}
	shown = e.shown()
	s.book.mu.Unlock()
	s.goOn(w, r, shown)
}

// credential checks a new key, whose kind and level follow from its own data.
func (s *Server) credential(ctx context.Context, user *User, ceremony *webauthn.SessionData, response string, key *Key) string {
	const again = " Begin again."
	if ceremony == nil {
		return "One answer was given already." + again
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(response))
	if err != nil {
		return "The browser's answer was refused: " + reason(err) + "." + again
	}
	a, err := s.accountOf(ctx, user, "")
	if err != nil {
		return s.ill("keys", err)
	}
	made, err := s.webauthn.CreateCredential(a, *ceremony, parsed)
	if err != nil {
		return "The key was refused: " + reason(err) + "." + again
	}
	key.Authenticator, key.ID = authenticatorOf(made), made.ID
	if cis2.AALOf(key.Authenticator) > user.AAL {
		return tooHigh(user, key.Authenticator) + again
	}
	if key.Record, err = json.Marshal(made); err != nil {
		return s.ill("webauthn", err)
	}
	return ""
}
