package client

import (
	"context"
	"net/http"

	"authbridge/agent/contract"
)

// TellHello tells the daemon what Windows says of Windows Hello in the session of
// this program.
func (c *Client) TellHello(ctx context.Context, report contract.HelloReport) error {
	return c.do(ctx, http.MethodPut, "/v1/workstation/hello", report, nil)
}
