package mockcis2

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"authbridge/agent/cis2"
)

// authorizeRequest is what an application asks of the authorization endpoint.
type authorizeRequest struct {
	client, redirect string
	state, nonce     string
	scopes           []string
	acrs             cis2.ACRs
	prompt           prompt
	maxAge           time.Duration // negative: none asked for
	hint             string        // of the user
	challenge        string        // S256; empty: no PKCE
}

// prompt is what the application wants to be shown (OpenID Connect Core 1.0,
// 3.1.2.1).
type prompt int

const (
	promptIfNeeded prompt = iota
	promptNone
	promptLogin
)

const (
	mostState = 2048
	mostNonce = 512
	mostHint  = 64
)

// authorizeParameters are those that are read; none may come twice (RFC 6749,
// 3.1).
var authorizeParameters = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "acr_values", "prompt",
	"max_age", "login_hint", "id_token_hint", "code_challenge", "code_challenge_method", "request", "request_uri",
}

func twice(values url.Values, parameters []string) (string, bool) {
	i := slices.IndexFunc(parameters, func(p string) bool { return len(values[p]) > 1 })
	if i < 0 {
		return "", false
	}
	return parameters[i], true
}

// parseAuthorize reads a request of a client that is known, to one of its
// redirect URIs. The request that comes with an error has its state.
func parseAuthorize(values url.Values, client *Client, table cis2.ACRs) (authorizeRequest, *oauthError) {
	r := authorizeRequest{client: client.ClientID, redirect: values.Get("redirect_uri"), maxAge: -1}
	if state := values.Get("state"); len(state) <= mostState && printable(state) {
		r.state = state
	}
	if r.state != values.Get("state") {
		return r, refuse(invalidRequest, "state: allowed are printable ASCII characters, at most 2048")
	}
	if name, ok := twice(values, authorizeParameters); ok {
		return r, refuse(invalidRequest, name+" comes twice")
	}
	switch {
	case values.Get("request") != "":
		return r, refuse(requestNotSupported, "request objects are not taken")
	case values.Get("request_uri") != "":
		return r, refuse(requestURINotSupported, "request objects are not taken")
	case values.Get("response_type") != "code":
		return r, refuse(unsupportedResponse, "response_type: allowed is code")
	case values.Get("response_mode") != "" && values.Get("response_mode") != "query":
		return r, refuse(invalidRequest, "response_mode: allowed is query")
	}
	r.nonce, r.hint = values.Get("nonce"), values.Get("login_hint")
	switch {
	case len(r.nonce) > mostNonce || !printable(r.nonce):
		return r, refuse(invalidRequest, "nonce: allowed are printable ASCII characters, at most 512")
	case len(r.hint) > mostHint || !printable(r.hint):
		return r, refuse(invalidRequest, "login_hint: allowed are printable ASCII characters, at most 64")
	}
	for _, set := range []func(*authorizeRequest, url.Values, *Client, cis2.ACRs) *oauthError{setScopes, setACRs, setPrompt, setPKCE} {
		if err := set(&r, values, client, table); err != nil {
			return r, err
		}
	}
	return r, nil
}

// printable is VSCHAR of RFC 6749, appendix A.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func setScopes(r *authorizeRequest, values url.Values, client *Client, _ cis2.ACRs) *oauthError {
	known, unknown := cis2.ParseScopes(values.Get("scope"))
	switch {
	case len(unknown) > 0:
		return refuse(invalidScope, "scope: one of them is not known")
	case !slices.Contains(known, "openid"):
		return refuse(invalidScope, "scope: openid is missing")
	case client.Scopes != nil && slices.ContainsFunc(known, func(s string) bool { return !slices.Contains(client.Scopes, s) }):
		return refuse(invalidScope, "scope: the client is not registered for one of them")
	}
	r.scopes = known
	return nil
}

func setACRs(r *authorizeRequest, values url.Values, _ *Client, table cis2.ACRs) *oauthError {
	known, unknown := table.Parse(values.Get("acr_values"))
	if len(unknown) > 0 {
		return refuse(invalidRequest, "acr_values: one of them is not known; discovery lists them")
	}
	r.acrs = known
	if len(offered(known)) == 0 {
		return refuse(unmetRequirements, "acr_values: no authenticator that is offered here satisfies them")
	}
	return nil
}

func setPrompt(r *authorizeRequest, values url.Values, _ *Client, _ cis2.ACRs) *oauthError {
	wanted := strings.Fields(values.Get("prompt"))
	for _, p := range wanted {
		switch p {
		case "none":
			if len(wanted) > 1 {
				return refuse(invalidRequest, "prompt: none stands alone")
			}
			r.prompt = promptNone
		case "login", "select_account":
			r.prompt = promptLogin
		case "consent": // there is nothing to consent to
		default:
			return refuse(invalidRequest, "prompt: allowed are none, login, consent, select_account")
		}
	}
	if age := values.Get("max_age"); age != "" {
		seconds, err := strconv.ParseInt(age, 10, 32)
		if err != nil || seconds < 0 {
			return refuse(invalidRequest, "max_age: allowed is a number of seconds")
		}
		r.maxAge = time.Duration(seconds) * time.Second
	}
	return nil
}

// challengeLength is that of a SHA-256 digest in base64url (RFC 7636, 4.2).
const challengeLength = 43

func setPKCE(r *authorizeRequest, values url.Values, _ *Client, _ cis2.ACRs) *oauthError {
	r.challenge = values.Get("code_challenge")
	method := values.Get("code_challenge_method")
	switch {
	case r.challenge == "" && method == "":
	case method != "S256":
		return refuse(invalidRequest, "code_challenge_method: allowed is S256")
	case len(r.challenge) != challengeLength || !base64URL(r.challenge):
		return refuse(invalidRequest, "code_challenge: allowed is a SHA-256 digest in base64url")
	}
	return nil
}

func base64URL(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
	})
}

// offered are the authenticators that users sign in with here, of those that a
// request admits.
func offered(acrs cis2.ACRs) []cis2.Authenticator {
	return slices.DeleteFunc(acrs.Admitted(), func(a cis2.Authenticator) bool { return a == cis2.IOS || a == cis2.NHSMail })
}

func (r authorizeRequest) asks(scope string) bool { return slices.Contains(r.scopes, scope) }
