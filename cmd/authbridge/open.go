package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
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
				_, err = fmt.Fprintln(c.OutOrStdout(), page.Entrance())
				return err
			}
			err = cl.ShowPage(c.Context(), page)
			var missed *client.PageNotOpenedError
			switch {
			case errors.As(err, &missed):
				return notOpened(missed)
			case err != nil:
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

func notOpened(err error) error {
	entry, _ := failure.Lookup(failure.PageNotOpened)
	return &exit{exitNotReady, fmt.Errorf("%s: %w\n  → %s", entry.Code, err, advice(entry))}
}
