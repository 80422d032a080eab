// Package client is the one door to a daemon for the CLI, the tray and tests:
// it finds it, asks it over the API, and gives its failures back as typed
// errors. It imports nothing of the server, opens no device, follows no
// redirect and uses no proxy: a token goes to this machine's daemon or nowhere.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"authbridge/agent/contract"
)

const (
	// answerTime is for an answer that needs no device; it comes in far less.
	answerTime = 10 * time.Second
	// deviceTime is for an answer that waits for an authenticator to be read
	// anew, or to be left.
	deviceTime = 30 * time.Second
	// maxAnswer is far above any snapshot.
	maxAnswer = 16 << 20
)

// Client asks one daemon. The zero value finds the user's own by its socket or
// pipe. It may be used concurrently; the fields are set before the first call.
type Client struct {
	// URL is where the daemon is: http://127.0.0.1:PORT, or unix:///PATH for
	// its socket. It outranks StateDir.
	URL string
	// Token is sent with every request if set. Over the socket it is not
	// needed: there the user is known.
	Token string
	// StateDir is the daemon's state folder: its socket is there, and, for an
	// explicit URL without Token, the file with the token.
	StateDir string
	// Dial replaces how connections are made; for tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	once    sync.Once
	http    *http.Client
	base    string // scheme and host
	token   string
	address string // for people
	failed  error
}

// With is a client of the same daemon that sends another token, such as that of
// a lease. It is closed by itself.
func (c *Client) With(token string) *Client {
	return &Client{URL: c.URL, Token: token, StateDir: c.StateDir, Dial: c.Dial}
}

// Close drops idle connections.
func (c *Client) Close() {
	if c.prepare() == nil {
		c.http.CloseIdleConnections()
	}
}

func (c *Client) prepare() error {
	c.once.Do(func() {
		place, err := c.locate()
		if err != nil {
			c.failed = err
			return
		}
		c.base, c.token, c.address = place.base, place.token, place.address
		c.http = &http.Client{
			Transport: &http.Transport{
				DialContext:         place.dial,
				DisableCompression:  true,
				MaxIdleConnsPerHost: 4,
				IdleConnTimeout:     time.Minute,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
	return c.failed
}

// open sends a request and gives the answer if it is a success.
func (c *Client) open(ctx context.Context, method, path string, header http.Header, body any) (*http.Response, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if body != nil {
		text, err := encode(body)
		if err != nil {
			return nil, err
		}
		defer clear(text)
		attach(request, text)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if method != http.MethodGet {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.notReachable(ctx, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		defer response.Body.Close()
		return nil, c.refusal(problemIn(response))
	}
	return response, nil
}

// do asks and decodes the answer into out, if out is not nil.
func (c *Client) do(ctx context.Context, method, path string, body, out any) error {
	return c.doWithin(ctx, answerTime, method, path, body, out)
}

// doWithin is do for an answer that takes longer.
func (c *Client) doWithin(ctx context.Context, within time.Duration, method, path string, body, out any) error {
	text, err := c.bytes(ctx, within, method, path, body)
	if err != nil || out == nil {
		return err
	}
	return c.decode(text, method+" "+path, out)
}

// decode reads an answer to what was asked.
func (c *Client) decode(text []byte, asked string, out any) error {
	if err := json.Unmarshal(text, out); err != nil {
		return &ForeignError{"the answer of " + c.address + " to " + asked, err}
	}
	return nil
}

func (c *Client) bytes(ctx context.Context, within time.Duration, method, path string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("no answer within %s", within))
	defer cancel()
	response, err := c.open(ctx, method, path, nil, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.notReachable(ctx, err)
	case len(text) > maxAnswer:
		return nil, fmt.Errorf("the answer of %s to %s %s is longer than %d bytes", c.address, method, path, maxAnswer)
	}
	return text, nil
}

// problemIn reads a failure. What is no problem of ours does not come from a
// daemon of ours.
func problemIn(response *http.Response) error {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind == "application/problem+json" {
		var p contract.Problem
		if json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&p) == nil && p.Code != "" {
			return &p
		}
	}
	return &ForeignError{response.Status, nil}
}

// in makes a path of segments that a caller gave.
func in(format string, segments ...string) string {
	escaped := make([]any, len(segments))
	for i, s := range segments {
		escaped[i] = url.PathEscape(s)
	}
	return fmt.Sprintf(format, escaped...)
}
