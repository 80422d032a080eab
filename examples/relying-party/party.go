package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// config is what is registered in Connection Manager, and what is insisted on.
type config struct {
	base, issuer, client, secret string
	acr                          string
	aal                          int
}

// party is the application.
type party struct {
	config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	oauth    oauth2.Config
	cookie   string

	mu       sync.Mutex           // guards the rest
	begun    map[string]begun     // by cookie
	sessions map[string]*session  // by cookie
	seen     map[string]time.Time // logout tokens, by jti
}

// begun is a sign-in that has left for the issuer.
type begun struct{ state, nonce, verifier string }

// session is somebody who is signed in.
type session struct {
	idToken, sid, sub string
	Claims, Userinfo  json.RawMessage
}

// most bounds how many strangers are kept.
const most = 1000

// newParty reads the issuer's discovery document.
func newParty(ctx context.Context, c config) (*party, error) {
	provider, err := oidc.NewProvider(ctx, c.issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	base, err := url.Parse(c.base)
	if err != nil {
		return nil, err
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams // CIS2 takes client_secret_post
	return &party{
		config: c, provider: provider, verifier: provider.Verifier(&oidc.Config{ClientID: c.client}),
		oauth: oauth2.Config{
			ClientID: c.client, ClientSecret: c.secret, Endpoint: endpoint, RedirectURL: c.base + "/callback",
			Scopes: []string{"openid", "profile", "nationalrbacaccess"},
		},
		cookie: "relying-party-" + base.Port(), // cookies ignore ports
		begun:  map[string]begun{}, sessions: map[string]*session{}, seen: map[string]time.Time{},
	}, nil
}

func (p *party) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.home)
	mux.HandleFunc("GET /login", p.login)
	mux.HandleFunc("GET /callback", p.callback)
	mux.HandleFunc("GET /logout", p.logout)
	mux.HandleFunc("POST /back-channel-logout", p.backChannelLogout)
	return mux
}

func (p *party) home(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	s := p.sessions[p.cookieOf(r)]
	p.mu.Unlock()
	if s == nil {
		page(w, http.StatusOK, "Nobody is signed in", "", "/login", "Sign in")
		return
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		page(w, http.StatusInternalServerError, "That went wrong", err.Error(), "/logout", "Sign out")
		return
	}
	page(w, http.StatusOK, "Signed in", string(text), "/logout", "Sign out")
}

// login sends the browser to the issuer. The cookie binds what comes back to
// this browser.
func (p *party) login(w http.ResponseWriter, r *http.Request) {
	b := begun{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	id := p.newCookie(w)
	p.mu.Lock()
	if len(p.begun) >= most {
		clear(p.begun)
	}
	p.begun[id] = b
	p.mu.Unlock()
	http.Redirect(w, r, p.oauth.AuthCodeURL(b.state, oidc.Nonce(b.nonce), oauth2.S256ChallengeOption(b.verifier),
		oauth2.SetAuthURLParam("acr_values", p.acr)), http.StatusSeeOther)
}

func (p *party) callback(w http.ResponseWriter, r *http.Request) {
	id := p.cookieOf(r)
	p.mu.Lock()
	b, known := p.begun[id]
	delete(p.begun, id)
	p.mu.Unlock()
	q := r.URL.Query()
	switch {
	case !known || q.Get("state") != b.state:
		refused(w, errors.New("this browser has begun no such sign-in"))
		return
	case q.Get("error") != "":
		refused(w, fmt.Errorf("the issuer says %s: %s", q.Get("error"), q.Get("error_description")))
		return
	}
	s, err := p.signIn(r.Context(), q.Get("code"), b)
	if err != nil {
		refused(w, err)
		return
	}
	id = p.newCookie(w) // nobody else has seen it
	p.mu.Lock()
	if len(p.sessions) >= most {
		clear(p.sessions)
	}
	p.sessions[id] = s
	p.mu.Unlock()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signIn redeems a code and insists on all that the sign-in rests on.
func (p *party) signIn(ctx context.Context, code string, b begun) (*session, error) {
	token, err := p.oauth.Exchange(ctx, code, oauth2.VerifierOption(b.verifier))
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verifier.Verify(ctx, raw) // signature, issuer, audience, expiry
	if err != nil {
		return nil, err
	}
	if id.Nonce != b.nonce {
		return nil, errors.New("the token is of another sign-in")
	}
	s := &session{idToken: raw, sub: id.Subject}
	if err := id.Claims(&s.Claims); err != nil {
		return nil, err
	}
	var claims struct {
		SID string `json:"sid"`
		ACR string `json:"acr"`
		AAL any    `json:"authentication_assurance_level"` // seen as text and as a number
		IAL any    `json:"id_assurance_level"`
	}
	if err := id.Claims(&claims); err != nil {
		return nil, err
	}
	s.sid = claims.SID
	switch {
	case level(claims.AAL) < p.aal:
		return nil, fmt.Errorf("the sign-in is below AAL%d", p.aal)
	case level(claims.IAL) < 3:
		return nil, errors.New("the user's identity is not proven")
	case !slices.Contains(strings.Fields(p.acr), claims.ACR):
		return nil, fmt.Errorf("%s was asked for, and not given", p.acr)
	}
	info, err := p.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, err
	}
	if info.Subject != id.Subject {
		return nil, errors.New("userinfo is somebody else's")
	}
	return s, info.Claims(&s.Userinfo)
}

// level is an assurance level, and 0 where there is none to read.
func level(claim any) int {
	n, _ := strconv.Atoi(fmt.Sprint(claim))
	return n
}

// logout ends the session here and at the issuer.
func (p *party) logout(w http.ResponseWriter, r *http.Request) {
	id := p.cookieOf(r)
	p.mu.Lock()
	s := p.sessions[id]
	delete(p.sessions, id)
	p.mu.Unlock()
	var ends struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := p.provider.Claims(&ends); s == nil || err != nil || ends.EndSession == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	q := url.Values{"id_token_hint": {s.idToken}, "post_logout_redirect_uri": {p.base + "/"}}
	http.Redirect(w, r, ends.EndSession+"?"+q.Encode(), http.StatusSeeOther)
}

// backChannelLogout ends the sessions that a logout token names (OpenID Connect
// Back-Channel Logout 1.0, 2.6).
func (p *party) backChannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if err := p.endSessions(r.Context(), r.PostFormValue("logout_token")); err != nil {
		http.Error(w, "the logout token is refused", http.StatusBadRequest)
	}
}

// freshFor is how old a logout token may be.
const freshFor = 2 * time.Minute

func (p *party) endSessions(ctx context.Context, raw string) error {
	token, err := p.verifier.Verify(ctx, raw) // signature, issuer, audience, expiry
	if err != nil {
		return err
	}
	var claims struct {
		SID    string                     `json:"sid"`
		JTI    string                     `json:"jti"`
		Nonce  *string                    `json:"nonce"`
		Events map[string]json.RawMessage `json:"events"`
	}
	if err := token.Claims(&claims); err != nil {
		return err
	}
	_, isLogout := claims.Events["http://schemas.openid.net/event/backchannel-logout"]
	age := time.Since(token.IssuedAt)
	if !isLogout || claims.Nonce != nil || claims.SID == "" || claims.JTI == "" || age.Abs() > freshFor {
		return errors.New("it is no logout token of now")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for jti, at := range p.seen {
		if time.Since(at) > 2*freshFor {
			delete(p.seen, jti)
		}
	}
	if _, again := p.seen[claims.JTI]; again {
		return errors.New("it was used before")
	}
	p.seen[claims.JTI] = time.Now()
	for id, s := range p.sessions {
		if s.sid == claims.SID && slices.Contains([]string{"", s.sub}, token.Subject) {
			delete(p.sessions, id)
		}
	}
	return nil
}

func (p *party) cookieOf(r *http.Request) string {
	c, err := r.Cookie(p.cookie)
	if err != nil {
		return ""
	}
	return c.Value
}

func (p *party) newCookie(w http.ResponseWriter) string {
	id := rand.Text()
	http.SetCookie(w, &http.Cookie{Name: p.cookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // it is http://localhost
	return id
}

func refused(w http.ResponseWriter, err error) {
	page(w, http.StatusForbidden, "Nobody is signed in", err.Error(), "/login", "Try again")
}

// page is the only place that writes HTML; all that it is given is escaped.
func page(w http.ResponseWriter, status int, title, text, to, link string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html><html lang=\"en\"><meta name=\"viewport\" content=\"width=device-width\"><title>%[1]s</title>"+
		"<main><h1>%[1]s</h1><pre>%[2]s</pre><p><a href=\"%[3]s\">%[4]s</a></main></html>\n",
		html.EscapeString(title), html.EscapeString(text), html.EscapeString(to), html.EscapeString(link))
}
