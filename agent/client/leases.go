package client

import (
	"context"
	"net/http"
	"time"

	"authbridge/agent/contract"
)

// TakeLease takes a lease, or waits for one as long as the request says. It
// lasts for its time; see HoldLease for one that lasts as long as this program.
// The answer is the only one that holds the lease's own token.
func (c *Client) TakeLease(ctx context.Context, request contract.LeaseRequest) (*contract.NewLease, error) {
	request.Hold = contract.HoldTTL
	wait, _ := time.ParseDuration(request.Wait) // the daemon says what is wrong with it
	var l contract.NewLease
	if err := c.doWithin(ctx, deviceTime+max(wait, 0), http.MethodPost, "/v1/leases", request, &l); err != nil {
		return nil, err
	}
	return &l, nil
}

// Leases lists those that are taken, then the queue in its order.
func (c *Client) Leases(ctx context.Context) ([]contract.Lease, error) {
	var list []contract.Lease
	return list, c.do(ctx, http.MethodGet, "/v1/leases", nil, &list)
}

// Lease is one of them, or one that has ended of late.
func (c *Client) Lease(ctx context.Context, id string) (contract.Lease, error) {
	var l contract.Lease
	return l, c.do(ctx, http.MethodGet, in("/v1/leases/%s", id), nil, &l)
}

// RenewLease lets a lease last for ttl from now on; 0 is as long as it was
// taken for.
func (c *Client) RenewLease(ctx context.Context, id string, ttl time.Duration) (contract.Lease, error) {
	var renewal contract.LeaseRenewal
	if ttl != 0 {
		renewal.TTL = ttl.String()
	}
	var l contract.Lease
	return l, c.do(ctx, http.MethodPatch, in("/v1/leases/%s", id), renewal, &l)
}

// ReleaseLease ends a lease and returns once the authenticator is left. The
// remarks say what could not be left as it was found.
func (c *Client) ReleaseLease(ctx context.Context, id string) (contract.Lease, error) {
	var l contract.Lease
	return l, c.doWithin(ctx, deviceTime, http.MethodDelete, in("/v1/leases/%s", id), nil, &l)
}

// PINBlocks are the sources whose PIN an authenticator refused, and of which
// none is sent there any more.
func (c *Client) PINBlocks(ctx context.Context, authenticator string) ([]contract.PINBlock, error) {
	var list []contract.PINBlock
	return list, c.do(ctx, http.MethodGet, in("/v1/authenticators/%s/blocks", authenticator), nil, &list)
}

// Unblock lets PINs be sent again from all of them.
func (c *Client) Unblock(ctx context.Context, authenticator string) error {
	return c.do(ctx, http.MethodDelete, in("/v1/authenticators/%s/blocks", authenticator), nil, nil)
}
