package login

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"authbridge/agent/failure"
)

// request is one request of authorization, with what its answer is held to.
type request struct {
	state, nonce, verifier string
	address                string
	began                  time.Time
	maxAge                 time.Duration
}

// newRequest makes a request (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636).
func (o *run) newRequest(prompt string) *request { return o.newRequestFor(prompt, o.asked.ACR) }

func (o *run) newRequestFor(prompt, acrs string) *request {
	r := &request{state: random(), nonce: random(), verifier: random(), began: o.r.now(), maxAge: o.asked.maxAge}
	target := &o.asked.target
	sum := sha256.Sum256([]byte(r.verifier))
	values := url.Values{
		"response_type": {"code"}, "client_id": {target.ClientID}, "redirect_uri": {target.Redirect},
		"scope": {strings.Join(target.Scopes, " ")}, "state": {r.state}, "nonce": {r.nonce}, "acr_values": {acrs},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"max_age": {strconv.Itoa(int(r.maxAge / time.Second))},
	}
	if prompt != "" {
		values.Set("prompt", prompt)
	}
	separator := "?"
	if strings.Contains(o.provider.Authorize, "?") {
		separator = "&"
	}
	r.address = o.provider.Authorize + separator + values.Encode()
	return r
}

// page is a step of the sign-in page, as it is given to programs.
type page struct {
	Stage     string          `json:"stage"` // choose, smartcard, webauthn, totp, role, done
	Action    string          `json:"action"`
	CSRF      string          `json:"csrf"`
	Problem   string          `json:"problem"`
	Reference string          `json:"reference"` // of a smartcard's proof
	Options   json.RawMessage `json:"options"`   // WebAuthn
	Roles     []struct {
		ID string `json:"person_roleid"`
	} `json:"roles"`
	Continue string `json:"continue"`
	Done     string `json:"done"` // of a registration
}

// The stages of the sign-in page.
const (
	stageChoose    = "choose"
	stageSmartcard = "smartcard"
	stageWebAuthn  = "webauthn"
	stageTOTP      = "totp"
	stageRole      = "role"
	stageDone      = "done"
)

// open sends the request of authorization. It comes back with the first step of
// the page, or with where the browser is sent back to.
func (o *run) open(ctx context.Context, r *request) (*page, *url.URL, error) {
	a, err := o.web.get(ctx, "authorization", r.address)
	if err != nil {
		return nil, nil, err
	}
	return o.shown(a)
}

// shown reads a step of the page, or where the browser is sent to.
func (o *run) shown(a answer) (*page, *url.URL, error) {
	if a.status >= 300 && a.status < 400 {
		back, err := url.Parse(a.header.Get("Location"))
		if err != nil || a.header.Get("Location") == "" {
			return nil, nil, a.bad("it sends nowhere")
		}
		if err := o.isRedirect(back); err != nil {
			return nil, nil, err
		}
		return nil, back, nil
	}
	if refused := a.refusal(); refused != nil && a.status >= 400 && a.status < 500 {
		code := failure.LoginRefused
		if a.what == "authorization" {
			code = failure.LoginClient // a request that is not sent back is one of a wrong client or redirect address
		}
		return nil, nil, &failure.Error{Code: code, Detail: refused.String()}
	}
	var p page
	if err := a.read(&p); err != nil {
		return nil, nil, err
	}
	if p.Action == "" {
		return nil, nil, a.bad("it is no step of a sign-in page")
	}
	return &p, nil, nil
}

// isRedirect is whether an address is the registered one, with an answer in it.
func (o *run) isRedirect(back *url.URL) error {
	want, err := url.Parse(o.asked.target.Redirect)
	same := err == nil && back.Scheme == want.Scheme && back.Host == want.Host && back.Path == want.Path && back.Fragment == ""
	if same {
		got := back.Query()
		for name, values := range want.Query() {
			same = same && len(values) > 0 && got.Get(name) == values[0]
		}
	}
	if !same {
		return &failure.Error{Code: failure.LoginState, Detail: "it sends the browser elsewhere than to the redirect address"}
	}
	return nil
}

// resolve is an address of the page's own server, and of no other.
func (o *run) resolve(path string) (string, error) {
	base, err := url.Parse(o.provider.Authorize)
	if err != nil {
		return "", err
	}
	u, err := base.Parse(path)
	if err != nil || originOf(u) != o.provider.origin {
		return "", &failure.Error{Code: failure.LoginAnswer, Detail: "the sign-in page leads to another server"}
	}
	return u.String(), nil
}

// reply answers a step of the page, as its form would.
func (o *run) reply(ctx context.Context, p *page, pairs ...string) (*page, error) {
	address, err := o.resolve(p.Action)
	if err != nil {
		return nil, err
	}
	form := url.Values{"csrf": {p.CSRF}}
	for ; len(pairs) >= 2; pairs = pairs[2:] {
		form.Set(pairs[0], pairs[1])
	}
	a, err := o.web.post(ctx, "sign-in page", address, form)
	if err != nil {
		return nil, err
	}
	next, _, err := o.shown(a)
	if err == nil && next == nil {
		err = a.bad("it sends elsewhere")
	}
	return next, err
}

// look shows a step again.
func (o *run) look(ctx context.Context, p *page) (*page, error) {
	address, err := o.resolve(p.Action)
	if err != nil {
		return nil, err
	}
	a, err := o.web.get(ctx, "sign-in page", address)
	if err != nil {
		return nil, err
	}
	next, _, err := o.shown(a)
	if err == nil && next == nil {
		err = a.bad("it sends elsewhere")
	}
	return next, err
}

// leave goes back to the application once the page is done.
func (o *run) leave(ctx context.Context, p *page) (*url.URL, error) {
	address, err := o.resolve(p.Continue)
	if err != nil {
		return nil, err
	}
	a, err := o.web.get(ctx, "the way back", address)
	if err != nil {
		return nil, err
	}
	_, back, err := o.shown(a)
	if err == nil && back == nil {
		err = a.bad("it sends nowhere")
	}
	return back, err
}

// codeOf takes the code from where the browser is sent back to.
func codeOf(back *url.URL, r *request, issuer string) (string, error) {
	values := back.Query()
	iss := values.Get("iss")
	switch {
	case values.Get("state") != r.state:
		return "", &failure.Error{Code: failure.LoginState, Detail: "the state is not that of the request"}
	case iss != "" && iss != issuer:
		return "", &failure.Error{Code: failure.LoginState, Detail: "iss is not the issuer"}
	case values.Get("error") != "":
		refused := refusal{values.Get("error"), values.Get("error_description")}
		return "", &failure.Error{Code: failure.LoginRefused, Detail: refused.String()}
	case values.Get("code") == "":
		return "", &failure.Error{Code: failure.LoginAnswer, Detail: "the way back: there is no code"}
	}
	return values.Get("code"), nil
}

// said is the error code of OAuth 2.0 that the browser is sent back with.
func said(back *url.URL) string {
	if back == nil {
		return ""
	}
	return printable(back.Query().Get("error"))
}
