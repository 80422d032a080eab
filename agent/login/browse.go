package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/netutil"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/serve"
)

// callback is a redirect address on which a run can listen: http, a loopback
// host, a port (RFC 8252, 7.3). Nil for any other.
func callback(redirect string) *url.URL {
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme != "http" || !loopback(u.Hostname()) || u.Port() == "" || u.User != nil || u.Fragment != "" {
		return nil
	}
	return u
}

// browse is a login that a browser of the user's drives: the lease reserves the
// authenticator, with which the bridge does nothing, and the run listens for
// the browser to come back.
func (o *run) browse(ctx context.Context) error {
	if err := o.preflight(ctx); err != nil {
		return err
	}
	if err := o.meet(ctx); err != nil {
		return err
	}
	leave, err := o.redirectAddress(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := o.take(ctx); err != nil {
		return err
	}
	ctx, cancel := o.timed(ctx)
	defer cancel()
	if _, err := o.user(); err != nil && o.held.authenticator.Kind == contract.Smartcard {
		return err
	}
	r := o.newRequest(promptLogin)
	var back *url.URL
	err = o.step(ctx, "browser", "the browser sent back to the redirect address", func(ctx context.Context, s *contract.LoginStep) (err error) {
		if back, err = o.awaitBrowser(ctx, r); err == nil {
			s.Got = "sent back"
		}
		return err
	})
	if err != nil {
		return err
	}
	o.used = true // nobody else could have, since it was reserved
	want := o.expect(r)
	o.letGo()
	t, err := o.redeem(ctx, back, r)
	if err != nil {
		return err
	}
	defer t.wipe()
	o.judge(ctx, t, want)
	return nil
}

// redirectAddress takes the address to which the browser is sent back. Where
// another run has it, this one waits its turn, with no authenticator kept from
// others meanwhile, and no longer than it would wait for one of those.
func (o *run) redirectAddress(ctx context.Context) (leave func(), err error) {
	at := callback(o.asked.target.Redirect).Host
	err = o.step(ctx, "redirect", "the redirect address for this run alone", func(ctx context.Context, s *contract.LoginStep) error {
		queued, cancel := context.WithTimeout(ctx, o.asked.queue)
		defer cancel()
		s.Got = at
		if leave, err = o.r.turns.take(queued, at); err != nil {
			return &failure.Error{Code: failure.LoginTimeout, Detail: "another login run waits for its browser there"}
		}
		return nil
	})
	return leave, err
}

const (
	browserHeader = 5 * time.Second
	browserBye    = 2 * time.Second
)

// mostBrowsers bounds the connections there: every user of this machine can make
// them.
const mostBrowsers = 32

// awaitBrowser listens on the redirect address until a browser comes with the
// state of the request. Whoever comes without it learns nothing.
func (o *run) awaitBrowser(ctx context.Context, r *request) (*url.URL, error) {
	at := callback(o.asked.target.Redirect)
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", at.Host)
	if err != nil {
		return nil, &failure.Error{Code: failure.PortTaken, Detail: "the redirect address: " + at.Host, Err: err}
	}
	came := make(chan *url.URL, 1)
	server := &http.Server{ReadHeaderTimeout: browserHeader, MaxHeaderBytes: 32 << 10, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if q.Method != http.MethodGet || q.Host != at.Host || q.URL.Path != at.Path ||
			subtle.ConstantTimeCompare([]byte(q.URL.Query().Get("state")), []byte(r.state)) != 1 {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("There is nothing here.\n"))
			return
		}
		select {
		case came <- at.ResolveReference(&url.URL{Path: at.Path, RawQuery: q.URL.RawQuery}):
		default: // it came before
		}
		_, _ = w.Write([]byte("The login test goes on without this page. You can close it.\n"))
	})}
	server.SetKeepAlivesEnabled(false) // a browser comes once, and others on this machine keep nothing open
	until, over := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- serve.Until(until, server, browserBye, netutil.LimitListener(l, mostBrowsers)) }()
	o.ledger.settle() // who is shown the address can know what led to it
	o.change(func(now *contract.Login) { now.Open = r.address })
	defer func() {
		o.change(func(now *contract.Login) { now.Open = "" })
		over()
		if err := <-served; err != nil {
			o.r.config.Log.WithError(err).Warn("the place to which a browser is sent back was closed early")
		}
	}()
	o.r.config.Tell(told(o.by.Owner, o.snapshot(), nil))
	select {
	case back := <-came:
		return back, nil
	case err := <-served:
		served <- err
		return nil, err
	case <-ctx.Done():
		return nil, errors.Join(&failure.Error{Code: failure.LoginTimeout, Detail: "no browser came back"}, ctx.Err())
	}
}
