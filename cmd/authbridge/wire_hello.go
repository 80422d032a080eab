package main

import (
	"context"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/fido/hello"
)

// tellHello tells the daemon what Windows says of Windows Hello in the session of
// this command. Anywhere else it tells nothing; that it could not is no failure of
// the command.
func tellHello(ctx context.Context, c *client.Client) {
	if state, err := hello.Ask(); err == nil {
		_ = c.TellHello(ctx, contract.HelloReport(state))
	}
}
