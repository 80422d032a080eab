package apitest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Mock takes the orders to the mock of CIS2, and does nothing but note them.
type Mock struct {
	// User and Name are those of its one user.
	User, Name string

	mu    sync.Mutex
	calls []string
}

// Calls are all orders that were given, in order.
func (m *Mock) Calls() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

func (m *Mock) call(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, fmt.Sprintf(format, args...))
}

// State has one user.
func (m *Mock) State() (contract.Mock, error) {
	return contract.Mock{Issuer: "http://localhost:9", Users: []contract.MockUser{{UUID: m.User, Name: m.Name, AAL: 3}}}, nil
}

// SetUser says that it did.
func (m *Mock) SetUser(uuid string, user contract.MockUserRequest) (contract.MockUser, error) {
	m.call("set %s %+v", uuid, user)
	return contract.MockUser{UUID: uuid, Name: user.Name, AAL: user.AAL}, nil
}

// DeleteUser says that it did, but of a user who was never there.
func (m *Mock) DeleteUser(_ context.Context, uuid string) (contract.MockLogout, error) {
	if uuid != m.User {
		return contract.MockLogout{}, &failure.Error{Code: failure.NotFound, Field: "path.uuid", Detail: "there is no such user"}
	}
	m.call("delete %s", uuid)
	return contract.MockLogout{Sessions: 1}, nil
}

// SetFaults says that it did.
func (m *Mock) SetFaults(f contract.MockFaults) ([]contract.MockFaults, error) {
	m.call("faults %+v", f)
	return []contract.MockFaults{f}, nil
}

// EndSessions says that it did.
func (m *Mock) EndSessions(_ context.Context, user string) (contract.MockLogout, error) {
	m.call("end %s", user)
	return contract.MockLogout{Sessions: 1}, nil
}

// RotateKeys says that it did.
func (m *Mock) RotateKeys() (contract.MockKeys, error) {
	m.call("rotate")
	return contract.MockKeys{Keys: []string{"new", "old"}}, nil
}
