package apitest

import (
	"net"
	"slices"
	"sync"

	"authbridge/agent/api"
	"authbridge/agent/contract"
)

// Users are users whose rights a test decides.
type Users struct {
	mu      sync.Mutex
	at      string
	rights  map[string][]contract.Right
	changed chan struct{}
	err     error
}

// AtTheSocket is the program that is at the socket, by the word of the operating
// system.
const AtTheSocket = "node"

// Strangers are at the socket, and nothing says who they are.
func Strangers(err error) *Users { return &Users{err: err} }

// NewUsers are users with these rights, the first of whom is at the socket. The
// one without a name is nobody in particular.
func NewUsers(at string, rights map[string][]contract.Right) *Users {
	return &Users{at: at, rights: rights, changed: make(chan struct{})}
}

// Identify says who is at the socket.
func (u *Users) Identify(net.Conn) (api.User, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return api.User{ID: u.at, Elevated: true}, u.err
}

// Program is what is at the socket.
func (*Users) Program(net.Conn) string { return AtTheSocket }

// Rights are those of a user now.
func (u *Users) Rights(user api.User) []contract.Right {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.rights[user.ID])
}

// Allowed are the same for leases.
func (u *Users) Allowed(userID string) []contract.Right { return u.Rights(api.User{ID: userID}) }

// Changed is closed when somebody's rights are others.
func (u *Users) Changed() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changed
}

// Come has another user at the socket, from the next connection on.
func (u *Users) Come(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.at = id
}

// Set gives a user other rights.
func (u *Users) Set(id string, rights ...contract.Right) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rights[id] = rights
	close(u.changed)
	u.changed = make(chan struct{})
}
