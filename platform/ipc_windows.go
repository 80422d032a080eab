package platform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// listen: the first instance of the name is asked for (go-winio does so), and what
// comes from other machines is refused by the pipe itself.
func listen(address string) (net.Listener, error) { return listenPipe(address, false) }

func listenForAll(address string) (net.Listener, error) {
	l, err := listenPipe(address, true)
	if err != nil {
		return nil, err
	}
	return limitUsers(l, userOf, connectionsOfAUser), nil
}

// userOf is whose process it was that connected: its token is in the pipe only once
// it has been read from. Another process may have its number by now, and whoever
// cannot be told is one of a crowd: it is about numbers, and gives nobody a right.
func userOf(conn net.Conn) (uid string, err error) {
	handle, err := handleOf(conn)
	if err != nil {
		return "", err
	}
	var pid uint32
	if windows.GetNamedPipeClientProcessId(handle, &pid) != nil {
		return "", nil //nolint:nilerr // as it says
	}
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return "", nil //nolint:nilerr // as it says
	}
	defer func() { _ = windows.CloseHandle(process) }()
	var token windows.Token
	if windows.OpenProcessToken(process, windows.TOKEN_QUERY, &token) != nil {
		return "", nil
	}
	defer func() { _ = token.Close() }()
	peer, _ := whose(token)
	return peer.UID, nil
}

func listenPipe(address string, all bool) (net.Listener, error) {
	me, err := self()
	if err != nil {
		return nil, err
	}
	l, err := winio.ListenPipe(address, &winio.PipeConfig{SecurityDescriptor: pipeAccess(me.UID, all)})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		// The first instance of the name belongs to somebody else.
		return nil, fmt.Errorf("%s: %w", address, ErrInUse)
	}
	return l, err
}

// dial lets the server learn who we are, and not act as us (the level of
// identification). Who owns the pipe is looked at before anything is sent.
func dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := winio.DialPipeAccessImpLevel(ctx, address, pipeUse, winio.PipeImpLevelIdentification)
	switch {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return nil, fmt.Errorf("%w: %w", ErrNotYours, err)
	case err != nil:
		return nil, err
	}
	if err := trusted(conn, address); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func trusted(conn net.Conn, address string) error {
	me, err := self()
	if err != nil {
		return err
	}
	handle, err := handleOf(conn)
	if err != nil {
		return err
	}
	about, err := windows.GetSecurityInfo(handle, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("whose pipe %s is: %w", address, err)
	}
	if owner := ownerOf(about); !ownerIsTrusted(owner, me.UID) {
		return fmt.Errorf("%w: %s belongs to %s", ErrNotYours, address, nameOf(owner))
	}
	return nil
}

func handleOf(conn net.Conn) (windows.Handle, error) {
	of, ok := conn.(interface{ Fd() uintptr })
	if !ok {
		return 0, ErrNotLocal
	}
	return windows.Handle(of.Fd()), nil
}

var impersonateNamedPipeClient = windows.NewLazySystemDLL("advapi32.dll").NewProc("ImpersonateNamedPipeClient")

// peerOf takes the client's token from the pipe, which must have been read from
// before. The number of its process says less: another may have it meanwhile.
func peerOf(conn net.Conn) (Peer, error) {
	handle, err := handleOf(conn)
	if err != nil {
		return Peer{}, err
	}
	token, err := clientToken(handle)
	if err != nil {
		return Peer{}, fmt.Errorf("who is at the other end of the pipe: %w", err)
	}
	defer func() { _ = token.Close() }()
	peer, err := whose(token)
	if err != nil {
		return Peer{}, err
	}
	var pid uint32
	if windows.GetNamedPipeClientProcessId(handle, &pid) == nil {
		peer.PID = int(pid)
	}
	return peer, nil
}

// clientToken has a thread be the client for as long as it takes to open the token.
func clientToken(pipe windows.Handle) (token windows.Token, err error) {
	runtime.LockOSThread()
	if done, _, err := impersonateNamedPipeClient.Call(uintptr(pipe)); done == 0 {
		runtime.UnlockOSThread()
		return 0, err
	}
	err = windows.OpenThreadToken(windows.CurrentThread(), windows.TOKEN_QUERY, true, &token)
	if reverted := windows.RevertToSelf(); reverted != nil {
		// A thread that cannot be itself again must not be anybody's: it stays
		// locked to this goroutine, and the runtime ends both.
		panic("a thread goes on as another user: " + reverted.Error())
	}
	runtime.UnlockOSThread()
	return token, err
}

func self() (Peer, error) {
	peer, err := whose(windows.GetCurrentProcessToken())
	peer.PID = os.Getpid()
	return peer, err
}

// whose token it is. A token of the level of identification is as good for that.
func whose(token windows.Token) (Peer, error) {
	user, err := token.GetTokenUser()
	if err != nil {
		return Peer{}, err
	}
	return Peer{UID: user.User.Sid.String(), Elevated: token.IsElevated()}, nil
}
