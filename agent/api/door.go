package api

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"authbridge/agent/failure"
)

// door is the way a connection came in. It is made once a connection.
type door struct {
	// hosts are the Host values that are ours on TCP; nil on a local socket or
	// pipe.
	hosts []string
	// identify says who is at the other end of a socket or pipe; nil on TCP.
	// It is asked at the first request only, because Windows tells it only
	// once something was read from the pipe.
	identify func() (User, error)
	// program is which program that is; nil on TCP.
	program func() string
}

type doorKey struct{}

func doorOf(ctx context.Context) *door {
	d, _ := ctx.Value(doorKey{}).(*door)
	return d
}

// openDoor looks at an accepted connection.
func openDoor(conn net.Conn, users Users) *door {
	if addr, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		return &door{hosts: hostsFor(addr.Port)}
	}
	return &door{
		identify: sync.OnceValues(func() (User, error) { return users.Identify(conn) }),
		program:  sync.OnceValue(func() string { return users.Program(conn) }),
	}
}

// hostsFor lists the only Host values that a request to that port may carry
// (DESIGN rule 6). A name that an attacker rebinds to loopback is not in it.
func hostsFor(port int) []string {
	p := ":" + strconv.Itoa(port)
	return []string{"127.0.0.1" + p, "localhost" + p, "[::1]" + p}
}

// localHosts are the names a client of the socket or pipe puts into Host,
// without port: curl --unix-socket asks for a name, whichever.
func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	switch strings.Trim(host, "[]") {
	case "localhost", "127.0.0.1", "::1", "authbridge":
		return true
	}
	return false
}

// checkListener refuses every address that is not of this machine alone.
func checkListener(l net.Listener) error {
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		switch network := l.Addr().Network(); network {
		case "unix", "pipe":
			return nil
		default:
			return fmt.Errorf("listen on %s %s: only loopback, Unix sockets and named pipes are allowed", network, l.Addr())
		}
	}
	if !addr.IP.IsLoopback() {
		return fmt.Errorf("listen on %s: only loopback addresses are allowed; for a container, mount the socket into it", addr)
	}
	return nil
}

func noDoor() *failure.Error {
	return refuse(failure.HostRefused, "", "the connection came by no door of this server")
}
