package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"authbridge/agent/contract"
)

// logoutTime is for answers that come once logout tokens were brought.
const logoutTime = 45 * time.Second

// Mock is the daemon's mock of CIS2 as it stands.
func (c *Client) Mock(ctx context.Context) (contract.Mock, error) {
	var m contract.Mock
	return m, c.do(ctx, http.MethodGet, "/v1/mock", nil, &m)
}

// SetMockUser makes or changes a user of the mock, for as long as the daemon
// runs.
func (c *Client) SetMockUser(ctx context.Context, uuid string, user contract.MockUserRequest) (contract.MockUser, error) {
	var u contract.MockUser
	return u, c.do(ctx, http.MethodPut, in("/v1/mock/users/%s", uuid), user, &u)
}

// DeleteMockUser takes a user away, and ends the user's sessions.
func (c *Client) DeleteMockUser(ctx context.Context, uuid string) (contract.MockLogout, error) {
	var ended contract.MockLogout
	return ended, c.doWithin(ctx, logoutTime, http.MethodDelete, in("/v1/mock/users/%s", uuid), nil, &ended)
}

// SetMockFaults makes logins at the mock go wrong, or right again, and gives all
// faults in force.
func (c *Client) SetMockFaults(ctx context.Context, f contract.MockFaults) ([]contract.MockFaults, error) {
	f.Faults = append([]string{}, f.Faults...) // none is an empty list
	var all []contract.MockFaults
	return all, c.do(ctx, http.MethodPut, "/v1/mock/faults", f, &all)
}

// EndMockSessions ends those of a user, or of everybody where it is empty, and
// tells what became of the logout tokens.
func (c *Client) EndMockSessions(ctx context.Context, user string) (contract.MockLogout, error) {
	path := "/v1/mock/sessions"
	if user != "" {
		path += "?" + url.Values{"user": {user}}.Encode()
	}
	var ended contract.MockLogout
	return ended, c.doWithin(ctx, logoutTime, http.MethodDelete, path, nil, &ended)
}

// RotateMockKeys has the mock sign with a new key; the old one stays published.
func (c *Client) RotateMockKeys(ctx context.Context) (contract.MockKeys, error) {
	var keys contract.MockKeys
	return keys, c.do(ctx, http.MethodPost, "/v1/mock/keys/rotate", nil, &keys)
}
