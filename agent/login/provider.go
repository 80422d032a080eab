package login

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// provider is a sign-in service as its discovery document has it (OpenID
// Connect Discovery 1.0, 3).
type provider struct {
	Issuer     string   `json:"issuer"`
	Authorize  string   `json:"authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	Userinfo   string   `json:"userinfo_endpoint"`
	JWKS       string   `json:"jwks_uri"`
	EndSession string   `json:"end_session_endpoint"`
	ACRs       []string `json:"acr_values_supported"`

	keys   jose.JSONWebKeySet
	origin string        // of its pages
	ahead  time.Duration // its clock's, by the Date header
}

// meet reads discovery and keys, each a step.
func (o *run) meet(ctx context.Context) error {
	target := &o.asked.target
	err := o.step(ctx, "discovery", "issuer "+target.Issuer, func(ctx context.Context, s *contract.LoginStep) error {
		a, err := o.web.get(ctx, "discovery", cis2.EndpointsOf(target.Issuer).Discovery)
		if err != nil {
			return recode(err, failure.NetIssuer)
		}
		p := &provider{}
		if err := a.read(p); err != nil {
			return recode(err, failure.NetIssuer)
		}
		s.Got = "issuer " + printable(p.Issuer)
		if diff := cis2.IssuerDifference(target.Issuer, p.Issuer); diff != "" {
			return &failure.Error{Code: failure.NetIssuer, Detail: diff}
		}
		if err := p.check(); err != nil {
			return err
		}
		if at, err := time.Parse(time.RFC1123, a.header.Get("Date")); err == nil {
			p.ahead = at.Sub(o.r.now().Truncate(time.Second))
		}
		s.Evidence = clockRemark(p.ahead)
		o.provider = p
		return nil
	})
	if err != nil {
		return err
	}
	err = o.step(ctx, "acr-offered", "one of "+o.asked.ACR, func(_ context.Context, s *contract.LoginStep) error {
		offered := o.provider.ACRs
		s.Got = printable(strings.Join(offered, " "))
		if len(offered) > 0 && !slices.ContainsFunc(o.asked.acrs.Values(), func(v string) bool { return slices.Contains(offered, v) }) {
			return &failure.Error{Code: failure.NetACR}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return o.step(ctx, "keys", "keys to verify signatures with", func(ctx context.Context, s *contract.LoginStep) error {
		return o.fetchKeys(ctx, s)
	})
}

func (o *run) fetchKeys(ctx context.Context, s *contract.LoginStep) error {
	a, err := o.web.get(ctx, "keys", o.provider.JWKS)
	if err != nil {
		return err
	}
	var keys jose.JSONWebKeySet
	if err := a.read(&keys); err != nil {
		return err
	}
	if len(keys.Keys) == 0 {
		return a.bad("there is no key in it that is known here")
	}
	names := make([]string, len(keys.Keys))
	for i := range keys.Keys {
		names[i] = printable(keys.Keys[i].KeyID)
	}
	s.Got = "key ids " + strings.Join(names, ", ")
	o.provider.keys = keys
	return nil
}

// check is whether the document has what a login needs.
func (p *provider) check() error {
	for name, address := range map[string]string{
		"authorization_endpoint": p.Authorize, "token_endpoint": p.Token, "userinfo_endpoint": p.Userinfo, "jwks_uri": p.JWKS,
	} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
			return &failure.Error{Code: failure.LoginAnswer, Detail: "discovery: " + name + " is no address by https"}
		}
		if name == "authorization_endpoint" {
			p.origin = originOf(u)
		}
	}
	return nil
}

func loopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// originOf is an address's origin as a browser writes it: without the usual
// port (HTML, 7.1.1).
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if usual := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; strings.HasSuffix(host, usual) {
		host = strings.TrimSuffix(host, usual)
	}
	return u.Scheme + "://" + host
}

// clockOff is from when on a difference of clocks is remarked.
const clockOff = 30 * time.Second

func clockRemark(ahead time.Duration) string {
	switch {
	case ahead > clockOff:
		return "its clock is " + ahead.String() + " ahead of ours"
	case ahead < -clockOff:
		return "its clock is " + (-ahead).String() + " behind ours"
	}
	return ""
}

// recode gives an error that has a code another one.
func recode(err error, code failure.Code) error {
	e := *asFailure(err)
	e.Code = code
	return &e
}

// secretBytes takes a JSON text over as octets that can be wiped.
type secretBytes []byte

func (s *secretBytes) UnmarshalText(text []byte) error {
	*s = append((*s)[:0], text...)
	return nil
}

// granted is a good answer of the token endpoint (RFC 6749, 5.1).
type granted struct {
	AccessToken secretBytes `json:"access_token"`
	IDToken     secretBytes `json:"id_token"`
	TokenType   string      `json:"token_type"`
}

// exchange gives a code for tokens.
func (o *run) exchange(ctx context.Context, code, verifier string) (granted, error) {
	target := &o.asked.target
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {target.Redirect},
		"client_id": {target.ClientID}, "code_verifier": {verifier},
	}
	client, err := target.client()
	if err == nil {
		err = client.authenticate(form, target.ClientID, o.provider.Token, o.r.config.Now())
	}
	if err != nil {
		return granted{}, &failure.Error{Code: failure.LoginClient, Detail: "its proof could not be made: " + err.Error(), Err: err}
	}
	a, err := o.web.post(ctx, "tokens", o.provider.Token, form)
	if err != nil {
		return granted{}, err
	}
	defer clear(a.body)
	if refused := a.refusal(); refused != nil && a.status >= 400 && a.status < 500 {
		code := failure.LoginRefused
		if refused.Code == "invalid_client" || refused.Code == "unauthorized_client" {
			code = failure.LoginClient
		}
		return granted{}, &failure.Error{Code: code, Detail: refused.String()}
	}
	var g granted
	if err := a.read(&g); err != nil {
		return granted{}, err
	}
	if len(g.IDToken) == 0 || len(g.AccessToken) == 0 || !strings.EqualFold(g.TokenType, "Bearer") {
		return granted{}, a.bad("it lacks an ID token, or a bearer token")
	}
	return g, nil
}

// userinfo asks who a token is about.
func (o *run) userinfo(ctx context.Context, accessToken []byte) (json.RawMessage, error) {
	a, err := o.web.get(ctx, "userinfo", o.provider.Userinfo, "Authorization", "Bearer "+string(accessToken), "Accept", typeJSON+", application/jwt")
	if err != nil {
		return nil, err
	}
	if a.status != 200 || len(a.body) == 0 || strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		return nil, a.unexpected()
	}
	return a.body, nil
}
