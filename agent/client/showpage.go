package client

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"time"

	"authbridge/agent/contract"
	"authbridge/platform"
)

// PageNotOpenedError says that no browser has come to the page.
type PageNotOpenedError struct{ Err error }

// Error says why.
func (e *PageNotOpenedError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *PageNotOpenedError) Unwrap() error { return e.Err }

// ShowPage leads the user's browser to a page by a file, and returns once it is
// there; *PageNotOpenedError if it does not come.
func (c *Client) ShowPage(ctx context.Context, page contract.NewPage) error {
	file, err := platform.WriteOwn(platform.UserPaths().Runtime, "page-*.html", lead(page.Entrance()))
	if err != nil {
		return &PageNotOpenedError{fmt.Errorf("the file that leads the browser to the page: %w", err)}
	}
	defer func() { _ = os.Remove(file) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	told := make(chan struct{})
	go func() {
		defer close(told)
		if err := platform.Browse(ctx, file); err != nil && ctx.Err() == nil {
			cancel(err)
		}
	}()
	seen, err := c.Page(ctx, page.ID, time.Minute)
	cause := context.Cause(ctx)
	cancel(nil)
	<-told
	switch {
	case errors.Is(cause, platform.ErrNoBrowser):
		return &PageNotOpenedError{cause}
	case err != nil:
		return err
	case seen.State != contract.PageOpened:
		return &PageNotOpenedError{errors.New("no browser has come to the page within a minute")}
	}
	return nil
}

// lead is a page that goes to the address at once. Where a browser does not
// follow, a person can.
func lead(address string) []byte {
	to := html.EscapeString(address)
	return []byte(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url=` + to + `">
<title>authbridge</title>
<p><a href="` + to + `">Open authbridge</a></p>
</html>
`)
}
