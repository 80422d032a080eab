package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"time"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/platform"
)

func newOpen(f *flags) *cobra.Command {
	var onlyPrint bool
	c := &cobra.Command{
		Use: "open", Short: "Open the diagnostics page in your browser", Args: cobra.NoArgs,
		Long: `Open the page that shows what is on this machine, how healthy it is, and what
happens. The browser is led there by a file that only you may read, with a code
that is good once and for a minute. The page may what you may, but it sees no
names, handles no tokens and uses no card or key of your own.

With --print the address is written instead, for a browser that cannot be opened
from here. It holds the code: paste it, and keep it out of logs.

Exit codes: 0 open, 1 no browser came, 3 no daemon, 4 refused.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cl := f.client()
			page, err := cl.OpenPage(c.Context())
			if err != nil {
				return err
			}
			switch {
			case f.json && onlyPrint:
				return writeJSON(c.OutOrStdout(), page)
			case onlyPrint:
				_, err = fmt.Fprintln(c.OutOrStdout(), entrance(page))
				return err
			}
			if err := show(c.Context(), cl, page); err != nil {
				return err
			}
			if f.json {
				page.State = contract.PageOpened
				return writeJSON(c.OutOrStdout(), page.Page)
			}
			newScreen(c.OutOrStdout()).line("The page is open in your browser.")
			return nil
		},
	}
	c.Flags().BoolVar(&onlyPrint, "print", false, "write the address, with its code, instead of opening it")
	return c
}

// entrance is the address of the page with the code in its fragment, which no
// browser sends to anybody.
func entrance(page contract.NewPage) string { return page.URL + "#code=" + page.Code }

// show leads the browser to the page by a file, and returns once it is there.
func show(ctx context.Context, cl *client.Client, page contract.NewPage) error {
	file, err := platform.WriteOwn(platform.UserPaths().Runtime, "page-*.html", lead(entrance(page)))
	if err != nil {
		return notOpened(fmt.Errorf("the file that leads the browser to the page: %w", err))
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
	seen, err := cl.Page(ctx, page.ID, time.Minute)
	cause := context.Cause(ctx)
	cancel(nil)
	<-told
	switch {
	case errors.Is(cause, platform.ErrNoBrowser):
		return notOpened(cause)
	case err != nil:
		return err
	case seen.State != contract.PageOpened:
		return notOpened(errors.New("no browser has come to the page within a minute"))
	}
	return nil
}

func notOpened(err error) error {
	entry, _ := failure.Lookup(failure.PageNotOpened)
	return &exit{exitNotReady, fmt.Errorf("%s: %w\n  → %s", entry.Code, err, entry.Remedy)}
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
