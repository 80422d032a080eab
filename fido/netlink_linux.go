package fido

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ueventGroup is a multicast group of NETLINK_KOBJECT_UEVENT.
type ueventGroup uint32

const (
	groupKernel ueventGroup = 1 // as a device appears
	groupUdev   ueventGroup = 2 // after udev's rules: the node has its final mode
)

// errOverflow says that uevents were lost.
var errOverflow = errors.New("fido: uevents were lost")

// uevents is where uevents come from.
type uevents interface {
	// next blocks until the next uevent. It fails with errOverflow, after
	// which what is still queued is void, and with os.ErrClosed.
	next() (uevent, error)
	// Close ends a blocked next.
	Close() error
}

// ueventSocket listens to one group. Any process may.
type ueventSocket struct {
	file  *os.File
	raw   syscall.RawConn
	group ueventGroup
	buf   [maxUevent + 1]byte
	oob   [128]byte
}

func listenUevents(group ueventGroup) (uevents, error) {
	s, err := openUevents(group)
	if err != nil {
		return nil, fmt.Errorf("fido: listen to uevents: %w", err)
	}
	return s, nil
}

func openUevents(group ueventGroup) (*ueventSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &ueventSocket{file: os.NewFile(uintptr(fd), "uevents"), group: group}
	if err := s.setUp(fd); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	return s, nil
}

func (s *ueventSocket) setUp(fd int) error {
	// A burst (a hub with many devices) should fit; the limit for who has no
	// privilege is net.core.rmem_max. Overflow is survived anyway.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return os.NewSyscallError("SO_PASSCRED", err)
	}
	if s.group == groupUdev {
		filter := hidrawFilter()
		prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
			return os.NewSyscallError("SO_ATTACH_FILTER", err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: uint32(s.group)}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	var err error
	s.raw, err = s.file.SyscallConn()
	return err
}

// hidrawFilter lets the kernel drop udev's messages about other subsystems, so
// that they wake nobody up.
func hidrawFilter() []unix.SockFilter {
	const load, jumpIfEqual, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	return []unix.SockFilter{
		{Code: load, K: 8}, // magic
		{Code: jumpIfEqual, K: udevMagic, Jf: 3},
		{Code: load, K: 24}, // filter_subsystem_hash
		{Code: jumpIfEqual, K: subsystemHash("hidraw"), Jf: 1},
		{Code: ret, K: 0xffffffff},
		{Code: ret, K: 0},
	}
}

func (s *ueventSocket) next() (uevent, error) {
	for {
		n, trusted, err := s.receive(true)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			s.drain()
			return uevent{}, errOverflow
		case err != nil:
			return uevent{}, err
		case !trusted || n > maxUevent:
			continue
		}
		parse := parseUdev
		if s.group == groupKernel {
			parse = parseKernel
		}
		if e, err := parse(s.buf[:n]); err == nil {
			return e, nil
		}
	}
}

// receive takes one message; trusted is false unless root, or the kernel, sent
// it to the group.
func (s *ueventSocket) receive(wait bool) (n int, trusted bool, err error) {
	var recvErr error
	err = s.raw.Read(func(fd uintptr) bool {
		var oobn int
		var from unix.Sockaddr
		n, oobn, _, from, recvErr = unix.Recvmsg(int(fd), s.buf[:], s.oob[:], unix.MSG_DONTWAIT)
		if wait && (errors.Is(recvErr, unix.EAGAIN) || errors.Is(recvErr, unix.EINTR)) {
			return false
		}
		if recvErr == nil {
			trusted = s.trusts(from, s.oob[:oobn])
		}
		return true
	})
	if err != nil {
		return 0, false, err
	}
	return n, trusted, os.NewSyscallError("recvmsg", recvErr)
}

// drain drops what is queued.
func (s *ueventSocket) drain() {
	for {
		_, _, err := s.receive(false)
		if err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// trusts says whether a message is what it claims to be: any process can send
// to a socket that it knows, but not to a group, and not as root.
func (s *ueventSocket) trusts(from unix.Sockaddr, oob []byte) bool {
	sender, ok := from.(*unix.SockaddrNetlink)
	if !ok || sender.Groups&uint32(s.group) == 0 || (s.group == groupKernel && sender.Pid != 0) {
		return false
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return false
	}
	for i := range messages {
		if cred, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			return cred.Uid == 0
		}
	}
	return false
}

func (s *ueventSocket) Close() error { return s.file.Close() }
