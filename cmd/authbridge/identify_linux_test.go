package main

import (
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"authbridge/agent/contract"
)

// dialAs connects as another user: the kernel keeps the credentials of the
// thread that connects.
func dialAs(t *testing.T, uid int, address string) net.Conn {
	t.Helper()
	type dialled struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialled, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with us
		if uid != os.Getuid() {
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
				done <- dialled{nil, errno}
				return
			}
		}
		conn, err := net.Dial("unix", address)
		done <- dialled{conn, err}
	}()
	d := <-done
	if d.err != nil {
		t.Fatal(d.err)
	}
	t.Cleanup(func() { _ = d.conn.Close() })
	return d.conn
}

// TestOnlyItsOwnUserHasRightsOverTheSocket, should another get as far as that.
func TestOnlyItsOwnUserHasRightsOverTheSocket(t *testing.T) {
	t.Parallel()
	// An abstract socket: no folder keeps anybody out.
	l, err := net.Listen("unix", "@authbridge-test-"+t.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	known, forget, err := knownUsers(t.Context(), settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = forget() }()
	uids := map[int][]contract.Right{os.Getuid(): contract.Rights}
	if os.Getuid() == 0 {
		uids[65534] = nil
	}
	for uid, want := range uids {
		dialAs(t, uid, l.Addr().String())
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		user, err := known.Identify(conn)
		if err != nil {
			t.Fatal(err)
		}
		if rights := known.Rights(user); !slices.Equal(rights, want) {
			t.Errorf("user %d has the rights %v, want %v", uid, rights, want)
		}
		_ = conn.Close()
	}
}

// TestNoTokenMayUsePhysicalAuthenticatorsUnasked.
func TestNoTokenMayUsePhysicalAuthenticatorsUnasked(t *testing.T) {
	t.Parallel()
	if slices.Contains(ownRights, contract.RightPhysical) {
		t.Errorf("the token in the state folder has %v", ownRights)
	}
}
