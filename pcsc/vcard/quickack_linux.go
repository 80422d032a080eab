package vcard

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quickACK sends a pending acknowledgement. The option does not last (tcp(7)),
// so it is set after every read. Without it all works, slowly.
func quickACK(conn net.Conn) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	})
}
