package client

import (
	"context"
	"net/http"
	"time"

	"authbridge/agent/contract"
)

// checkTime is above what the checks of an application may take.
const checkTime = 75 * time.Second

// CheckRelyingParty checks a running application against its registration. That
// something is wrong with it is no error: its state says so.
func (c *Client) CheckRelyingParty(ctx context.Context, request contract.RelyingPartyRequest) (contract.RelyingParty, error) {
	var p contract.RelyingParty
	return p, c.doWithin(ctx, checkTime, http.MethodPost, "/v1/checks/relying-party", request, &p)
}
