package platform

import (
	"net"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf asks SO_PEERCRED, which the kernel fixed when the peer connected.
func peerOf(conn net.Conn) (Peer, error) {
	c, ok := conn.(syscall.Conn)
	if !ok || conn.LocalAddr().Network() != "unix" {
		return Peer{}, ErrNotLocal
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Peer{}, err
	}
	if credErr != nil {
		return Peer{}, credErr
	}
	return Peer{UID: strconv.FormatUint(uint64(cred.Uid), 10), PID: int(cred.Pid), Elevated: true}, nil
}
