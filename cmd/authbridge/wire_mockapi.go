package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/mockcis2"
)

// The daemon's mock as the API has it (api.Mock).

// State is the mock as it stands.
func (m *mock) State() (contract.Mock, error) {
	server, err := m.server()
	if err != nil {
		return contract.Mock{}, err
	}
	keys, err := server.KeyIDs()
	if err != nil {
		return contract.Mock{}, err
	}
	state := contract.Mock{
		Issuer: m.Issuer, Authority: m.Authority, Keys: keys, Sessions: server.Sessions(),
		Clients: []contract.MockClient{}, Users: []contract.MockUser{}, Faults: shownFaults(server), Known: mockcis2.Faults(),
	}
	for _, c := range server.Clients() {
		state.Clients = append(state.Clients, contract.MockClient{
			ID: c.ClientID, Name: c.Name, Pattern: string(c.Pattern), Redirects: c.Redirects, AfterLogout: c.AfterLogout,
			BackChannelLogout: c.BackChannelLogout, JWKSURI: c.JWKSURI, SigningAlgorithm: c.SigningAlgorithm,
			SignedUserinfo: c.SignedUserinfo, Scopes: c.Scopes, Basic: c.Basic, LevelsAsNumbers: c.LevelsAsNumbers,
		})
	}
	for _, u := range server.Users() {
		state.Users = append(state.Users, shownUser(u))
	}
	slices.SortFunc(state.Users, func(a, b contract.MockUser) int { return cmp.Compare(a.UUID, b.UUID) })
	return state, nil
}

func shownUser(u cis2.User) contract.MockUser {
	shown := contract.MockUser{UUID: u.UUID, Name: u.Given + " " + u.Family, AAL: u.AAL, IAL: u.IAL, Roles: []string{}}
	for _, role := range u.Roles {
		shown.Roles = append(shown.Roles, role.Job())
	}
	return shown
}

func shownFaults(server *mockcis2.Server) []contract.MockFaults {
	all := []contract.MockFaults{}
	for _, f := range server.Faulted() {
		shown := contract.MockFaults{Client: f.Client, State: f.State}
		for _, fault := range f.Faults {
			shown.Faults = append(shown.Faults, fault.String())
		}
		all = append(all, shown)
	}
	return all
}

// SetUser makes or changes a user, who is gone when the daemon ends.
func (m *mock) SetUser(uuid string, request contract.MockUserRequest) (contract.MockUser, error) {
	server, err := m.server()
	if err != nil {
		return contract.MockUser{}, err
	}
	u := mockUser(uuid, cmp.Or(request.Name, "User "+uuid[len(uuid)-3:]), cmp.Or(request.AAL, 3), request.Roles...)
	u.IAL = cmp.Or(request.IAL, u.IAL)
	if err := server.SetUser(u); err != nil {
		return contract.MockUser{}, &failure.Error{Code: failure.Conflict, Field: "path.uuid", Detail: err.Error()}
	}
	return shownUser(u.User), nil
}

// DeleteUser takes a user away, and ends the user's sessions.
func (m *mock) DeleteUser(ctx context.Context, uuid string) (contract.MockLogout, error) {
	server, err := m.server()
	if err != nil {
		return contract.MockLogout{}, err
	}
	if !server.DeleteUser(uuid) {
		return contract.MockLogout{}, &failure.Error{Code: failure.NotFound, Field: "path.uuid", Detail: "there is no such user at the mock"}
	}
	return m.EndSessions(ctx, uuid)
}

// SetFaults makes logins go wrong, or right again.
func (m *mock) SetFaults(f contract.MockFaults) ([]contract.MockFaults, error) {
	server, err := m.server()
	if err != nil {
		return nil, err
	}
	if f.Client != "" && !slices.ContainsFunc(server.Clients(), func(c mockcis2.Client) bool { return c.ClientID == f.Client }) {
		return nil, &failure.Error{Code: failure.BadRequest, Field: "body.client", Detail: "no application is registered under this id"}
	}
	if err := m.Fault(f.Client, f.State, f.Faults...); err != nil {
		return nil, &failure.Error{Code: failure.BadRequest, Field: "body.faults", Detail: err.Error()}
	}
	return shownFaults(server), nil
}

// EndSessions ends those of a user, or all.
func (m *mock) EndSessions(ctx context.Context, user string) (contract.MockLogout, error) {
	server, err := m.server()
	if err != nil {
		return contract.MockLogout{}, err
	}
	n, brought := server.EndSessions(ctx, user)
	ended := contract.MockLogout{Sessions: n, Deliveries: []contract.MockDelivery{}}
	for _, d := range brought {
		ended.Deliveries = append(ended.Deliveries, contract.MockDelivery{
			Client: d.Client, Endpoint: d.Endpoint, Status: d.Status, TookMS: float64(d.Took.Round(time.Microsecond)) / float64(time.Millisecond), Error: d.Error,
		})
	}
	return ended, nil
}

// RotateKeys signs with a new key from now on.
func (m *mock) RotateKeys() (contract.MockKeys, error) {
	server, err := m.server()
	if err != nil {
		return contract.MockKeys{}, err
	}
	if err := server.RotateKeys(); err != nil {
		return contract.MockKeys{}, err
	}
	keys, err := server.KeyIDs()
	return contract.MockKeys{Keys: keys}, err
}
