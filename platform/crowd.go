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
	net.Listener
	// whose says before anything was read whose a connection is.
	whose func(net.Conn) (uid string, err error)
	most  int

	mu   sync.Mutex
	open map[string]int // by uid
	all  int
}

func limitUsers(l net.Listener, whose func(net.Conn) (uid string, err error), most int) *usersListener {
	return &usersListener{Listener: l, whose: whose, most: most, open: make(map[string]int)}
}

// Accept waits for a connection of somebody who may have one.
func (l *usersListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := l.whose(conn)
		if err != nil || !l.enter(uid) {
			_ = conn.Close()
			continue
		}
		return &userConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(uid) })}, nil
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
	net.Conn
	leave func()
}

// Close closes the connection.
func (c *userConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite says that nothing more comes, as a refusal does before it hangs up; where
// the connection cannot, it is left to Close.
func (c *userConn) CloseWrite() error {
	if half, can := c.Conn.(interface{ CloseWrite() error }); can {
		return half.CloseWrite()
	}
	return nil
}

// within is the connection that the operating system knows.
func within(conn net.Conn) net.Conn {
	if c, limited := conn.(*userConn); limited {
		return c.Conn
	}
	return conn
}
