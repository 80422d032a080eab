package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"authbridge/agent/contract"
)

// Status is the snapshot: all that the daemon knows.
func (c *Client) Status(ctx context.Context) (*contract.Snapshot, error) {
	var s contract.Snapshot
	if err := c.do(ctx, http.MethodGet, "/v1/status", nil, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Alive is an error while the daemon does not answer.
func (c *Client) Alive(ctx context.Context) error {
	_, err := c.bytes(ctx, answerTime, http.MethodGet, "/v1/status", nil)
	return err
}

// Ready answers a question. With wait the daemon holds the call until the
// answer is ready or the time is up (at most 5 minutes). A verdict that is not
// ready is no error.
func (c *Client) Ready(ctx context.Context, q contract.Question, wait time.Duration) (contract.Verdict, error) {
	query := url.Values{"aal": {strconv.Itoa(q.AAL)}, "target": {q.Target}}
	if q.Kind != "" {
		query.Set("kind", string(q.Kind))
	}
	if q.User != "" {
		query.Set("user", q.User)
	}
	if wait > 0 {
		query.Set("wait", wait.String())
	}
	var v contract.Verdict
	text, err := c.bytes(ctx, answerTime+max(wait, 0), http.MethodGet, "/v1/readiness?"+query.Encode(), nil)
	if err != nil {
		return v, err
	}
	return v, c.decode(text, "GET /v1/readiness", &v)
}

// Authenticators lists all there are.
func (c *Client) Authenticators(ctx context.Context) ([]contract.Authenticator, error) {
	var list []contract.Authenticator
	return list, c.do(ctx, http.MethodGet, "/v1/authenticators", nil, &list)
}

// Authenticator is one of them.
func (c *Client) Authenticator(ctx context.Context, id string) (contract.Authenticator, error) {
	var a contract.Authenticator
	return a, c.do(ctx, http.MethodGet, in("/v1/authenticators/%s", id), nil, &a)
}

// Certificates are those of a card.
func (c *Client) Certificates(ctx context.Context, id string) ([]contract.Certificate, error) {
	var list []contract.Certificate
	return list, c.do(ctx, http.MethodGet, in("/v1/authenticators/%s/certificates", id), nil, &list)
}

// Read asks for a fresh read and does not wait for it: what it finds comes as
// events.
func (c *Client) Read(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, in("/v1/authenticators/%s/read", id), nil, nil)
}

// Virtual lists the virtual devices.
func (c *Client) Virtual(ctx context.Context) ([]contract.VirtualDevice, error) {
	var list []contract.VirtualDevice
	return list, c.do(ctx, http.MethodGet, "/v1/virtual", nil, &list)
}

// InsertCard makes a virtual card and inserts it.
func (c *Client) InsertCard(ctx context.Context, card contract.VirtualInsert) (contract.VirtualDevice, error) {
	return c.device(ctx, http.MethodPost, "/v1/virtual/cards", card)
}

// RemoveCard pulls a virtual card out.
func (c *Client) RemoveCard(ctx context.Context, name string) (contract.VirtualDevice, error) {
	return c.device(ctx, http.MethodDelete, in("/v1/virtual/cards/%s", name), nil)
}

// SwapCard swaps the card in a virtual reader for another at once.
func (c *Client) SwapCard(ctx context.Context, name string, card contract.VirtualInsert) (contract.VirtualDevice, error) {
	return c.device(ctx, http.MethodPost, in("/v1/virtual/cards/%s/swap", name), card)
}

// PlugKey makes a virtual key and plugs it in.
func (c *Client) PlugKey(ctx context.Context, key contract.VirtualPlug) (contract.VirtualDevice, error) {
	return c.device(ctx, http.MethodPost, "/v1/virtual/keys", key)
}

// UnplugKey unplugs a virtual key.
func (c *Client) UnplugKey(ctx context.Context, name string) (contract.VirtualDevice, error) {
	return c.device(ctx, http.MethodDelete, in("/v1/virtual/keys/%s", name), nil)
}

// TouchKey touches a virtual key.
func (c *Client) TouchKey(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodPost, in("/v1/virtual/keys/%s/touch", name), nil, nil)
}

// DeleteDevice takes a virtual reader or key away for good.
func (c *Client) DeleteDevice(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, in("/v1/virtual/devices/%s", name), nil, nil)
}

// SetCardFaults scripts the failures of a virtual card; none ends them.
func (c *Client) SetCardFaults(ctx context.Context, name string, faults ...contract.Fault) (contract.VirtualDevice, error) {
	return c.device(ctx, http.MethodPut, in("/v1/virtual/cards/%s/faults", name), append([]contract.Fault{}, faults...))
}

// SetKeyFaults scripts the failures of a virtual key; none ends them.
func (c *Client) SetKeyFaults(ctx context.Context, name string, faults ...contract.Fault) (contract.VirtualDevice, error) {
	return c.device(ctx, http.MethodPut, in("/v1/virtual/keys/%s/faults", name), append([]contract.Fault{}, faults...))
}

func (c *Client) device(ctx context.Context, method, path string, body any) (contract.VirtualDevice, error) {
	var d contract.VirtualDevice
	return d, c.do(ctx, method, path, body, &d)
}

// Tokens lists the tokens, without their secrets.
func (c *Client) Tokens(ctx context.Context) ([]contract.Token, error) {
	var list []contract.Token
	return list, c.do(ctx, http.MethodGet, "/v1/tokens", nil, &list)
}

// CreateToken makes a token. Its secret is in this answer and nowhere else.
func (c *Client) CreateToken(ctx context.Context, request contract.TokenRequest) (contract.NewToken, error) {
	var t contract.NewToken
	return t, c.do(ctx, http.MethodPost, "/v1/tokens", request, &t)
}

// RevokeToken ends a token, by id or name.
func (c *Client) RevokeToken(ctx context.Context, idOrName string) error {
	return c.do(ctx, http.MethodDelete, in("/v1/tokens/%s", idOrName), nil, nil)
}

// Metrics is the Prometheus text.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	return c.bytes(ctx, answerTime, http.MethodGet, "/metrics", nil)
}

// OpenAPI is the description of the API.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	return c.bytes(ctx, answerTime, http.MethodGet, "/openapi.json", nil)
}

// Bundle is what the daemon tells for a support bundle: masked, whoever asks.
func (c *Client) Bundle(ctx context.Context) (*contract.Bundle, error) {
	packed, err := c.bytes(ctx, deviceTime, http.MethodGet, "/v1/bundle", nil)
	if err != nil {
		return nil, err
	}
	return contract.ReadBundle(packed)
}
