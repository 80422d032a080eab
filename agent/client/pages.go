package client

import (
	"context"
	"net/http"
	"time"

	"authbridge/agent/contract"
)

// OpenPage asks for the way into the diagnostics page, good for one browser.
func (c *Client) OpenPage(ctx context.Context) (contract.NewPage, error) {
	var page contract.NewPage
	return page, c.do(ctx, http.MethodPost, "/v1/pages", nil, &page)
}

// Page says whether a browser has come, once it has or the time is up (at most
// a minute).
func (c *Client) Page(ctx context.Context, id string, wait time.Duration) (contract.Page, error) {
	path := in("/v1/pages/%s", id)
	if wait > 0 {
		path += "?wait=" + wait.String()
	}
	var page contract.Page
	return page, c.doWithin(ctx, answerTime+max(wait, 0), http.MethodGet, path, nil, &page)
}
