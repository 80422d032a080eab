//go:build unix

package platform

import (
	"net"
	"sync"
)

// connectionsOfAUser is far above what a person's tools open at a time, and far
// below the descriptors of a service: no user shuts out the others.
const connectionsOfAUser = 256

// crowd is how many users may have as many: somebody with subordinate ids
// (subuid(5)) is many users.
const crowd = 16

// usersListener hangs up on whoever has as many connections as one may have.
type usersListener struct {
	*net.UnixListener
	most int

	mu   sync.Mutex
	open map[string]int // by uid
	all  int
}

func limitUsers(l *net.UnixListener, most int) net.Listener {
	return &usersListener{UnixListener: l, most: most, open: make(map[string]int)}
}

// Accept waits for a connection of somebody who may have one.
func (l *usersListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		peer, err := peerOf(conn)
		if err != nil || !l.enter(peer.UID) {
			_ = conn.Close()
			continue
		}
		return &userConn{UnixConn: conn, leave: sync.OnceFunc(func() { l.leave(peer.UID) })}, nil
	}
}

func (l *usersListener) enter(uid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[uid] >= l.most || l.all >= crowd*l.most {
		return false
	}
	l.open[uid]++
	l.all++
	return true
}

func (l *usersListener) leave(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[uid]--; l.open[uid] == 0 {
		delete(l.open, uid)
	}
}

type userConn struct {
	*net.UnixConn
	leave func()
}

// Close closes the connection.
func (c *userConn) Close() error {
	defer c.leave()
	return c.UnixConn.Close()
}
