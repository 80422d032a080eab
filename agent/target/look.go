package target

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/health"
)

// mostBody bounds a discovery document, in octets; one has about 5,000.
const mostBody = 256 << 10

// ownTransport keeps no connection: the next look is an hour away.
func ownTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	t.DisableKeepAlives = true
	t.MaxResponseHeaderBytes = 32 << 10
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
		if r.StatusCode != http.StatusOK {
			return proxyError(r.StatusCode)
		}
		return nil
	}
	return t
}

// proxyError is the status with which a proxy refuses.
type proxyError int

func (e proxyError) Error() string { return "status " + strconv.Itoa(int(e)) }

// look looks at a target once.
func (s *Source) look(ctx context.Context, t *Target) *health.Look {
	ctx, cancel := context.WithTimeout(ctx, s.config.Bound)
	defer cancel()
	l := &health.Look{}
	var both sync.WaitGroup
	if t.HSCN != "" {
		both.Go(func() { l.NoHSCN = s.connect(ctx, t.HSCN) })
	}
	began := s.config.Now()
	l.Trouble, l.Detail = s.discover(ctx, t.Issuer, l)
	l.Took = s.config.Now().Sub(began)
	both.Wait()
	l.At = s.config.Now()
	return l
}

// connect says why no connection to an address can be made; empty: one was.
func (s *Source) connect(ctx context.Context, address string) string {
	conn, err := s.config.Dial(ctx, "tcp", address)
	if err != nil {
		_, why := troubleOf(ctx, err, s.config.Bound)
		return why
	}
	_ = conn.Close()
	return ""
}

// discover fetches the discovery document. It follows no redirect: where a
// service sends elsewhere it is not the one that was asked for.
func (s *Source) discover(ctx context.Context, issuer string, l *health.Look) (health.Trouble, string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, cis2.EndpointsOf(issuer).Discovery, nil)
	if err != nil {
		return health.TroubleConnection, "its issuer is no address"
	}
	request.Header.Set("Accept", "application/json")
	asked := s.config.Now()
	response, err := s.config.Transport.RoundTrip(request)
	if err != nil {
		return troubleOf(ctx, err, s.config.Bound)
	}
	defer response.Body.Close()
	l.Ahead = ahead(response.Header, asked, s.config.Now())
	body, err := io.ReadAll(io.LimitReader(response.Body, mostBody+1))
	if err != nil {
		return troubleOf(ctx, err, s.config.Bound)
	}
	return read(response, body, l)
}

// read takes from an answer what it says.
func read(response *http.Response, body []byte, l *health.Look) (health.Trouble, string) {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	page := kind == "text/html" || kind == "application/xhtml+xml" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
	status := "status " + strconv.Itoa(response.StatusCode)
	var document struct {
		Issuer string   `json:"issuer"`
		ACRs   []string `json:"acr_values_supported"`
	}
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return health.TroubleElsewhere, destination(response)
	case page:
		return health.TroublePage, status
	case response.StatusCode != http.StatusOK:
		return health.TroubleStatus, status
	case len(body) > mostBody:
		return health.TroubleDocument, "it has more than " + strconv.Itoa(mostBody>>10) + " KiB"
	case json.Unmarshal(body, &document) != nil:
		return health.TroubleDocument, "it is no JSON as it must be"
	}
	l.Issuer, l.ACRs = document.Issuer, document.ACRs
	return "", ""
}

// destination is the host that a redirect leads to.
func destination(response *http.Response) string {
	to, err := response.Location()
	if err != nil || !isHost(to) {
		return "nowhere that can be told"
	}
	return "to " + to.Hostname()
}

// isHost is whether an address has a host that can be shown.
func isHost(u *url.URL) bool {
	for _, r := range u.Hostname() {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != ':' {
			return false
		}
	}
	return u.Hostname() != "" && len(u.Hostname()) <= 253
}

// ahead is by how much another clock is ahead of ours: at least so much, since
// its time is told in whole seconds (RFC 9110, 6.6.1), some time between asking
// and the answer, and is older by its Age where it was kept on the way (RFC 9111,
// 5.1). Nil: it was not told.
func ahead(header http.Header, asked, answered time.Time) *time.Duration {
	told, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return nil
	}
	if age, err := strconv.ParseUint(header.Get("Age"), 10, 31); err == nil {
		told = told.Add(time.Duration(age) * time.Second)
	}
	least, most := told.Sub(answered), told.Add(time.Second).Sub(asked)
	switch {
	case least > 0:
		return &least
	case most < 0:
		return &most
	}
	return new(time.Duration)
}
