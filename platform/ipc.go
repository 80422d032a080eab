package platform

import (
	"context"
	"errors"
	"net"
)

// Peer is who is on the other end of a local connection, as the operating
// system says.
type Peer struct {
	UID string // numeric user id, or SID on Windows
	PID int    // 0 where the system does not tell
	// Elevated: it may act as the administrator that its user is. So may each
	// process on Unix; on Windows its token says so.
	Elevated bool
}

// ErrInUse is returned by Listen where a living process has that address.
var ErrInUse = errors.New("another process listens there")

// ErrNotYours is returned by Dial where the socket is another user's, or this user
// may not open it.
var ErrNotYours = errors.New("not for this user")

// ErrNotLocal is returned by PeerOf for connections that carry no identity.
var ErrNotLocal = errors.New("the connection carries no operating system identity")

// Listen opens the local address (see [SocketIn]) for this user alone. A
// socket that a dead daemon left is replaced; a living one is ErrInUse. The
// folder is made 0700; one that others may write to is refused.
func Listen(address string) (net.Listener, error) { return listen(address) }

// ListenForAll opens the local address for every user of this machine; what they
// may do is for who listens to decide, by [PeerOf]. The folder, which is made
// where there is none, must be one that nobody else may write to.
func ListenForAll(address string) (net.Listener, error) { return listenForAll(address) }

// Dial connects to a local address. On Unix the socket must belong to this
// user, to root or to the user of the system service, since another user could
// have bound it first. One that is not this user's own must lie in a folder of
// theirs that nobody else can put anything into.
func Dial(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, address) }

// PeerOf says who is at the other end of a connection from Listen.
func PeerOf(conn net.Conn) (Peer, error) { return peerOf(within(conn)) }

// Self is this process as a Peer.
func Self() (Peer, error) { return self() }
