package platform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// ownerOnly gives the pipe to SYSTEM and its owner and to nobody else; the
// network logon is denied.
const ownerOnly = "D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;OW)"

func listen(address string) (net.Listener, error) {
	l, err := winio.ListenPipe(address, &winio.PipeConfig{SecurityDescriptor: ownerOnly})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		// The first instance of the name belongs to somebody else.
		return nil, fmt.Errorf("%s: %w", address, ErrInUse)
	}
	return l, err
}

// listenForAll has no pipe for all yet.
func listenForAll(address string) (net.Listener, error) { return listen(address) }

func dial(ctx context.Context, address string) (net.Conn, error) {
	// Identification level: the server may learn who we are, not act as us.
	return winio.DialPipeAccessImpLevel(ctx, address, windows.GENERIC_READ|windows.GENERIC_WRITE, winio.PipeImpLevelIdentification)
}

// peerOf: the security descriptor admits the owner and SYSTEM alone, so
// whoever is connected is one of the two.
func peerOf(net.Conn) (Peer, error) { return self() }

func self() (Peer, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return Peer{}, err
	}
	return Peer{UID: user.User.Sid.String(), PID: os.Getpid(), Elevated: windows.GetCurrentProcessToken().IsElevated()}, nil
}
