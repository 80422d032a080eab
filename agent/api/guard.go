package api

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

const (
	// maxBody is far above what any route takes (the largest is WebAuthn
	// options that list a hundred credentials with ids of 1 KiB) and far below
	// what would hurt.
	maxBody = 256 << 10
	// maxHeader is net/http's own limit for request line and header; it adds
	// 4 KiB of slack itself.
	maxHeader = 16 << 10
	// maxQuery keeps a query in one line of anybody's log.
	maxQuery = 2 << 10
	// bodyTimeout is for a local caller; who needs longer sends no body.
	bodyTimeout = 5 * time.Second
)

// checkOrigins is the part of DESIGN rule 6 that looks at where a request
// comes from. Each line closes a hole that the others leave open: a rebound
// page sends no Origin and no Sec-Fetch-Site on GET, a form sends an Origin
// but a Host that is ours, an <img> has no Origin but Sec-Fetch-Site.
func checkOrigins(d *door, r *http.Request) *failure.Error {
	if r.URL.Host != "" || r.URL.Scheme != "" {
		return refuse(failure.HostRefused, "", "the request target is a whole URL, as for a proxy; send the path only")
	}
	h := r.Header
	if d.hosts != nil {
		if !contains(d.hosts, r.Host) {
			return refuse(failure.HostRefused, "header.Host", "allowed: "+strings.Join(d.hosts, ", "))
		}
	} else if !localHost(r.Host) {
		return refuse(failure.HostRefused, "header.Host", "allowed over the socket: localhost")
	}
	if origins, sent := h["Origin"]; sent {
		// Our page is same-origin: its Origin is the Host it asks. Nothing
		// that a browser shows comes through a socket.
		if d.hosts == nil {
			return refuse(failure.OriginRefused, "header.Origin", "allowed over the socket: none")
		}
		if len(origins) != 1 || origins[0] != "http://"+r.Host {
			return refuse(failure.OriginRefused, "header.Origin", "allowed: none, or http://"+r.Host)
		}
	}
	if sites, sent := h["Sec-Fetch-Site"]; sent && !opensPage(r) {
		if len(sites) != 1 || (sites[0] != "same-origin" && sites[0] != "none") {
			return refuse(failure.OriginRefused, "header.Sec-Fetch-Site", "allowed: none, same-origin")
		}
	}
	for _, name := range [...]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		if _, sent := h[name]; sent {
			return refuse(failure.BadRequest, "header."+name, "the method is that of the request; this header is not allowed")
		}
	}
	return nil
}

// bearer is the token of a request, if one was sent. More than one, or
// another scheme, is no token.
func bearer(h http.Header) (secret []byte, sent bool) {
	values, sent := h["Authorization"]
	if !sent {
		return nil, false
	}
	const scheme = "Bearer "
	if len(values) != 1 || len(values[0]) <= len(scheme) || !strings.EqualFold(values[0][:len(scheme)], scheme) {
		return nil, true
	}
	return []byte(values[0][len(scheme):]), true
}

// authenticate says who asks. A token that was sent decides, also over the
// socket: a lease's own token means less there than its user does.
func (s *Server) authenticate(d *door, h http.Header) (Caller, *failure.Error) {
	secret, sent := bearer(h)
	defer clear(secret)
	switch {
	case sent:
		if caller, ok := s.tokenCaller(secret); ok {
			caller.program = d.program
			return caller, nil
		}
		var over *failure.Error
		if errors.As(s.config.Leases.Over(secret), &over) {
			return Caller{}, &failure.Error{Code: over.Code, Field: "header.Authorization", Detail: "the lease of this token is over; " + over.Detail}
		}
		return Caller{}, refuse(failure.Unauthorized, "header.Authorization", "the token is unknown, expired or revoked; send: Authorization: Bearer TOKEN")
	case d.hosts != nil:
		return Caller{}, refuse(failure.Unauthorized, "header.Authorization", "no token; send: Authorization: Bearer TOKEN")
	}
	user, err := d.identify()
	if err != nil {
		e := refuse(failure.Unauthorized, "", "the operating system does not say who you are")
		e.Err = err
		return Caller{}, e
	}
	return Caller{Name: user.name(), Rights: s.config.Users.Rights(user), User: user, program: d.program}, nil
}

// tokenCaller finds whose a token is: one that was made, or one that came with
// a lease, which may read and use that lease, or that of a page. It has no right that its
// user has not.
func (s *Server) tokenCaller(secret []byte) (Caller, bool) {
	if len(secret) == 0 {
		return Caller{}, false
	}
	if token, ok := s.config.Tokens.Token(secret); ok {
		// Its user has no say in how it is used, so it has their rights in full.
		return s.bounded(Caller{
			Name: "token " + token.Name, Rights: token.Rights, TokenID: token.ID, Expires: token.ExpiresAt, User: User{token.User, true},
		})
	}
	if l, ok := s.config.Leases.Token(secret); ok {
		return Caller{Name: "lease of " + l.Holder, Rights: []contract.Right{contract.RightRead}, Lease: l.ID}, true
	}
	caller, ok := s.pages.caller(secret)
	if ok {
		caller, ok = s.bounded(caller)
	}
	return caller, ok && s.stands(caller)
}

// stands is whether a caller's token, or that of a page's opener, was not revoked
// meanwhile.
func (s *Server) stands(c Caller) bool {
	of := c.TokenID
	if c.code != nil {
		of = c.code.opener.TokenID
	}
	return of == "" || slices.ContainsFunc(s.config.Tokens.Tokens(), func(t contract.Token) bool { return t.ID == of })
}

// checkMethod refuses what no route has. HEAD is GET without the body.
func checkMethod(method string) *failure.Error {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return nil
	}
	return refuse(failure.MethodNotAllowed, "method", "allowed: GET, POST, PUT, PATCH, DELETE")
}

// stateChanging is whether a method may change something.
func stateChanging(method string) bool {
	return method != http.MethodGet && method != http.MethodHead
}

// checkQuery refuses what url.Query would silently drop or choose among: then
// a typing error would be answered as if it had not been there.
func checkQuery(raw string) *failure.Error {
	if raw == "" {
		return nil
	}
	if len(raw) > maxQuery {
		return refuse(failure.BadRequest, "query", "the query is longer than "+strconv.Itoa(maxQuery)+" characters")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return refuse(failure.BadRequest, "query", "the query is no valid URL encoding")
	}
	for name, given := range values {
		switch {
		case len(given) > 1:
			return refuse(failure.BadRequest, "query."+word(name), "given more than once")
		case given[0] == "":
			return refuse(failure.BadRequest, "query."+word(name), "given without a value; leave it out or give one")
		}
	}
	return nil
}

// readBody takes the whole body of a state change, or refuses it; a request
// that reads has none. It holds for every route, those that take no body too.
func readBody(w http.ResponseWriter, r *http.Request) *failure.Error {
	if !stateChanging(r.Method) {
		if r.ContentLength != 0 {
			return refuse(failure.BodyTooLarge, "body", "a "+r.Method+" request has no body")
		}
		return nil
	}
	if !isJSON(r.Header) {
		return refuse(failure.UnsupportedMediaType, "header.Content-Type", "allowed: application/json, also where there is no body")
	}
	if r.ContentLength == 0 {
		return nil
	}
	tooLarge := refuse(failure.BodyTooLarge, "body", "at most "+strconv.Itoa(maxBody)+" bytes")
	if r.ContentLength > maxBody {
		return tooLarge
	}
	body, err := readWhole(http.MaxBytesReader(w, r.Body, maxBody), r.ContentLength)
	if err == nil { // else net/http closes the connection, in its time
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // see ServeHTTP
	}
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		return tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(failure.RequestTimeout, "body", "the body did not arrive within "+bodyTimeout.String())
	case err != nil:
		return refuse(failure.BadRequest, "body", "the body could not be read to its end")
	}
	r.Body = newSentBody(body)
	return nil
}

// isJSON is whether a body is announced as exactly application/json. Text,
// forms and multipart are what a foreign page can send without being asked.
func isJSON(h http.Header) bool {
	values := h["Content-Type"]
	if len(values) != 1 || len(h["Content-Encoding"]) != 0 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	kind, params, err := mime.ParseMediaType(values[0])
	if err != nil || kind != "application/json" {
		return false
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func refuse(code failure.Code, field, detail string) *failure.Error {
	return &failure.Error{Code: code, Field: field, Detail: detail}
}
