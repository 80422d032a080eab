package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"authbridge/agent/failure"
)

// mostBody bounds what is read of an answer, in octets.
const mostBody = 1 << 20

// web is the browser of one run: it keeps cookies and follows nothing.
type web struct {
	client *http.Client
	bound  time.Duration
}

func newWeb(transport http.RoundTripper, bound time.Duration) *web {
	jar, _ := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List}) // has no error to tell
	return &web{bound: bound, client: &http.Client{
		Transport: transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is what came back. Its body may hold tokens.
type answer struct {
	what   string // was asked for, for a person
	status int
	header http.Header
	body   []byte
	sent   []string // secrets of the question, which an answer may repeat, each before what hides it
}

// secretFields are those of a form that no step may show.
var secretFields = []string{"code", "code_verifier", "client_secret", "client_assertion", "id_token_hint"}

// get asks for a resource; what names it for a person.
func (w *web) get(ctx context.Context, what, address string, header ...string) (answer, error) {
	return w.call(ctx, what, http.MethodGet, address, nil, header...)
}

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// post sends a form.
func (w *web) post(ctx context.Context, what, address string, form url.Values) (answer, error) {
	a, err := w.call(ctx, what, http.MethodPost, address, strings.NewReader(form.Encode()), "Content-Type", typeForm)
	for _, field := range secretFields {
		if secret := form.Get(field); secret != "" {
			a.sent = append(a.sent, secret, "***", url.QueryEscape(secret), "***")
		}
	}
	return a, err
}

func (w *web) call(ctx context.Context, what, method, address string, body io.Reader, header ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, w.bound)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return answer{}, &failure.Error{Code: failure.LoginAnswer, Detail: what + ": its address is none"}
	}
	request.Header.Set("Accept", typeJSON)
	for ; len(header) >= 2; header = header[2:] {
		request.Header.Set(header[0], header[1])
	}
	response, err := w.client.Do(request)
	if err != nil {
		return answer{}, w.unanswered(ctx, what, err)
	}
	defer response.Body.Close()
	a := answer{what: what, status: response.StatusCode, header: response.Header}
	a.body, err = io.ReadAll(io.LimitReader(response.Body, mostBody+1))
	switch {
	case err != nil:
		return answer{}, w.unanswered(ctx, what, err)
	case len(a.body) > mostBody:
		return answer{}, a.bad("it has more than 1 MiB")
	}
	return a, nil
}

// unanswered says why there is no answer, without the address, which may hold a
// code.
func (w *web) unanswered(ctx context.Context, what string, err error) error {
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err
	}
	detail := what + ": " + err.Error()
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		detail = what + ": no answer within " + w.bound.String()
	}
	return &failure.Error{Code: failure.LoginNoAnswer, Detail: detail, Err: err}
}

// bad is an answer that is not as it must be. Nothing of its body is repeated.
func (a *answer) bad(why string) error {
	return &failure.Error{Code: failure.LoginAnswer, Detail: a.what + ": " + why}
}

// unexpected says what came in place of what was asked for.
func (a *answer) unexpected() error {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		kind = "no media type"
	}
	detail := fmt.Sprintf("%s: status %d, %s, %d octets", a.what, a.status, kind, len(a.body))
	switch {
	case kind == "text/html":
		detail += ": a page, perhaps of a proxy"
	case a.status >= 300 && a.status < 400:
		detail += ": it sends elsewhere"
	}
	return &failure.Error{Code: failure.LoginAnswer, Detail: detail}
}

// read decodes a good answer.
func (a *answer) read(into any) error {
	if a.status != http.StatusOK || json.Unmarshal(a.body, into) != nil {
		return a.unexpected()
	}
	return nil
}

// refusal is an error of OAuth 2.0 (RFC 6749, 5.2) in an answer; nil: there is
// none.
func (a *answer) refusal() *refusal {
	var r refusal
	if json.Unmarshal(a.body, &r) != nil || r.Code == "" {
		return nil
	}
	hide := strings.NewReplacer(a.sent...)
	return &refusal{hide.Replace(r.Code), hide.Replace(r.Description)}
}

// refusal is what a service refuses with.
type refusal struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (r *refusal) String() string { return join(printable(r.Code), printable(r.Description)) }

// mostText bounds what is repeated of somebody else's text.
const mostText = 200

// printable is somebody else's text as it may be shown.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	if runes := []rune(text); len(runes) > mostText {
		return string(runes[:mostText]) + "..."
	}
	return text
}
