package platform

import (
	"errors"
	"io"
	"net"
	"os/user"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const physicalWhat = "physical hardware of this machine"

// lockPhysical binds an abstract Unix socket: one for all users, gone with the
// process, no file that a user could own before another, and whoever comes
// second learns the holder's pid from the kernel.
func lockPhysical(name string) (io.Closer, error) {
	address := &net.UnixAddr{Name: "@" + name, Net: "unix"}
	l, err := net.ListenUnix("unix", address)
	if err == nil {
		return answerHolder(l), nil
	}
	if !errors.Is(err, unix.EADDRINUSE) {
		return nil, err
	}
	held := &Held{What: physicalWhat}
	if conn, err := net.DialTimeout("unix", address.Name, time.Second); err == nil {
		if peer, err := peerOf(conn); err == nil {
			held.PID, held.User = peer.PID, nameOf(peer.UID)
		}
		_ = conn.Close()
	}
	return nil, held
}

// nameOf is how people know a user.
func nameOf(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return "user " + uid
}

// answerHolder hangs up on whoever asks: the credentials that the kernel keeps
// with the connection are the answer.
func answerHolder(l *net.UnixListener) io.Closer {
	h := &holder{l: l}
	h.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	})
	return h
}

type holder struct {
	l    *net.UnixListener
	done sync.WaitGroup
}

func (h *holder) Close() error {
	err := h.l.Close()
	h.done.Wait()
	return err
}
