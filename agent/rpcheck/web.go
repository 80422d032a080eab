package rpcheck

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	callTime = 10 * time.Second
	mostBody = 64 << 10 // octets that are read of an answer
	agent    = "authbridge-check"
)

// web calls addresses of registrations.
type web struct {
	client *http.Client
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

func newWeb(dial func(ctx context.Context, network, address string) (net.Conn, error)) *web {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &web{dial: dial, client: &http.Client{
		Transport: &http.Transport{
			// No proxy: what is asked is what CIS2 would see.
			DialContext: dial, MaxResponseHeaderBytes: mostBody, DisableCompression: true,
			// What is wrong with a certificate is a row of its own, and must not hide
			// what is wrong behind it; nothing that is sent is secret.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (w *web) close() { w.client.CloseIdleConnections() }

// answer is what came back. Its body is the application's, and is never shown.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	cut     bool   // whether the body was longer than is read
	problem string // why there is none
}

// call makes one call, and follows nothing.
func (w *web) call(ctx context.Context, method, address, contentType, body string) answer {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return answer{problem: "its address is none"}
	}
	request.Header.Set("User-Agent", agent)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := w.client.Do(request)
	if err != nil {
		return answer{problem: reason(ctx, err)}
	}
	defer response.Body.Close()
	read, err := io.ReadAll(io.LimitReader(response.Body, mostBody+1))
	if err != nil {
		return answer{problem: reason(ctx, err)}
	}
	return answer{status: response.StatusCode, header: response.Header, body: read, cut: len(read) > mostBody}
}

// greet makes two handshakes: one to see the best that a server has, one as CIS2
// is documented to make them.
func (w *web) greet(ctx context.Context, host, port string) (h handshake, problem string) {
	h.host = host
	state, conn, err := w.handshake(ctx, host, port, &tls.Config{MinVersion: tls.VersionTLS10}) //nolint:gosec // an old version is what is looked for
	if err != nil {
		return h, reason(ctx, err)
	}
	h.version, h.chain = state.Version, state.PeerCertificates
	if at, err := netip.ParseAddrPort(conn); err == nil {
		h.inside = at.Addr().Unmap().IsPrivate() || at.Addr().Unmap().IsLoopback() || at.Addr().IsLinkLocalUnicast()
	}
	_, _, err = w.handshake(ctx, host, port, &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: cis2Suites}) //nolint:gosec // CIS2 is documented with TLS 1.2
	h.asCIS2 = err == nil
	return h, ""
}

func (w *web) handshake(ctx context.Context, host, port string, config *tls.Config) (state tls.ConnectionState, remote string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	raw, err := w.dial(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return state, "", err
	}
	defer raw.Close()
	config.ServerName = host
	config.InsecureSkipVerify = true // the chain is judged after, piece by piece
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return state, "", err
	}
	return conn.ConnectionState(), raw.RemoteAddr().String(), nil
}

// reason is why a call came to nothing, in words of ours where they are usual.
func reason(ctx context.Context, err error) string {
	var call *url.Error
	if errors.As(err, &call) {
		err = call.Err
	}
	var name *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case ctx.Err() != nil:
		return "the check was broken off"
	case errors.As(err, &name):
		return "its name is not known here"
	case errors.As(err, &op) && op.Op == "dial":
		return "nothing can be connected to there"
	}
	return printable(err.Error(), mostEvidence)
}

// where is a Location header without what may be secret in it.
func where(header http.Header) string {
	u, err := url.Parse(header.Get("Location"))
	if err != nil || u.String() == "" {
		return "nowhere"
	}
	return printable((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), mostEvidence)
}
