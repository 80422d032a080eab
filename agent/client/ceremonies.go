package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"authbridge/agent/contract"
)

// defaultCeremony is how long a ceremony takes at most unless it says more.
const defaultCeremony = time.Minute

// Begin begins a ceremony under a lease, and wipes the PIN in the request. With
// Wait it returns once the ceremony is over, and cancels it when ctx ends
// before.
func (c *Client) Begin(ctx context.Context, request contract.CeremonyRequest) (contract.Ceremony, error) {
	if request.PIN != nil {
		defer clear(request.PIN.Value)
	}
	within := answerTime
	if request.Wait {
		within = deviceTime + defaultCeremony
		if timeout, err := time.ParseDuration(request.Timeout); err == nil {
			within = deviceTime + timeout
		}
	}
	var ceremony contract.Ceremony
	return ceremony, c.doWithin(ctx, within, http.MethodPost, "/v1/ceremonies", request, &ceremony)
}

// Ceremonies lists those under way and those that were of late.
func (c *Client) Ceremonies(ctx context.Context) ([]contract.Ceremony, error) {
	var list []contract.Ceremony
	return list, c.do(ctx, http.MethodGet, "/v1/ceremonies", nil, &list)
}

// Ceremony is one of them, once it is over or wait (at most 2 minutes) is. What
// it asks and what came out is told to the owner of its lease alone.
func (c *Client) Ceremony(ctx context.Context, id string, wait time.Duration) (contract.Ceremony, error) {
	path := in("/v1/ceremonies/%s", id)
	if wait > 0 {
		path += "?" + url.Values{"wait": {wait.String()}}.Encode()
	}
	var ceremony contract.Ceremony
	return ceremony, c.doWithin(ctx, answerTime+max(wait, 0), http.MethodGet, path, nil, &ceremony)
}

// CancelCeremony cancels a ceremony and tells how it ended: it may have been
// done at that moment.
func (c *Client) CancelCeremony(ctx context.Context, id string) (contract.Ceremony, error) {
	var ceremony contract.Ceremony
	return ceremony, c.doWithin(ctx, deviceTime, http.MethodDelete, in("/v1/ceremonies/%s", id), nil, &ceremony)
}

// AnswerPIN gives the PIN that a ceremony waits for, and wipes it.
func (c *Client) AnswerPIN(ctx context.Context, id string, pin []byte) error {
	defer clear(pin)
	return c.do(ctx, http.MethodPost, in("/v1/ceremonies/%s/pin", id), contract.PINAnswer{PIN: pin}, nil)
}

// RunCeremony carries a ceremony out to its end, and wipes the PIN in the
// request. told, which may be nil, hears of each state on the way; it may call
// AnswerPIN, and must not block for long. That the ceremony failed is no error:
// its state and problem say so. When ctx ends the ceremony is cancelled; then
// the error is ctx's, and the ceremony tells how it ended all the same.
func (c *Client) RunCeremony(ctx context.Context, request contract.CeremonyRequest, told func(contract.Ceremony)) (contract.Ceremony, error) {
	request.Wait = false
	// It must not begin without our knowing: whoever gives up now cancels it.
	ceremony, err := c.Begin(context.WithoutCancel(ctx), request)
	if err != nil {
		return ceremony, err
	}
	r := &running{client: c, id: ceremony.ID, told: told}
	if r.hear(ceremony); !ceremony.State.Over() {
		err = c.await(ctx, func(e Event) error { return r.event(ctx, e) })
	}
	if err == nil || errors.Is(err, errCeremonyOver) {
		if ceremony, err = c.Ceremony(ctx, ceremony.ID, 0); err == nil {
			return ceremony, nil // with its result, which no event holds
		}
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	if ended, failed := c.CancelCeremony(late, r.id); failed == nil {
		r.hear(ended)
		ceremony = ended
	}
	return ceremony, err
}

var errCeremonyOver = errors.New("the ceremony is over")

// running is one call of RunCeremony.
type running struct {
	client *Client
	id     string
	told   func(contract.Ceremony)
	steps  int // of what was told last
}

// event looks at what the stream says. A snapshot holds no ceremonies, so it is
// asked for then: what came before the stream is not missed.
func (r *running) event(ctx context.Context, e Event) error {
	switch {
	case e.Snapshot != nil:
		ceremony, err := r.client.Ceremony(ctx, r.id, 0)
		if errors.Is(err, ErrNotReachable) {
			return nil // the stream ends too, and is taken up with a snapshot
		} else if err != nil {
			return err
		}
		r.hear(ceremony)
		if ceremony.State.Over() {
			return errCeremonyOver
		}
	case e.Event != nil && e.Event.Ceremony != nil && e.Event.Ceremony.ID == r.id:
		r.hear(*e.Event.Ceremony)
		if e.Event.Ceremony.State.Over() {
			return errCeremonyOver
		}
	}
	return nil
}

// hear tells each state once.
func (r *running) hear(ceremony contract.Ceremony) {
	if len(ceremony.Steps) <= r.steps {
		return
	}
	r.steps = len(ceremony.Steps)
	if r.told != nil {
		r.told(ceremony)
	}
}
