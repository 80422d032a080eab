package platform

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// answerTime is how long a call may take that is answered at all.
const answerTime = 2 * time.Second

// firstLine accepts one connection after the other, reads the octet that a client
// begins with, and says who that is.
func firstLine(t *testing.T, l net.Listener) <-chan Peer {
	t.Helper()
	peers := make(chan Peer)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		defer close(peers)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
				_ = conn.Close()
				continue
			}
			peer, err := PeerOf(conn)
			_ = conn.Close()
			if err != nil {
				t.Errorf("who calls: %v", err)
			}
			peers <- peer
		}
	}()
	return peers
}

// call begins a connection until one is answered: under Wine the first meets the
// instance by which go-winio holds the name.
func call(t *testing.T, address string, peers <-chan Peer) Peer {
	t.Helper()
	for {
		conn, err := Dial(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = conn.Write([]byte{1}) }()
		select {
		case p := <-peers:
			_ = conn.Close()
			return p
		case <-time.After(answerTime):
			_ = conn.Close()
		}
	}
}

func TestTheServerLearnsWhoCallsFromThePipe(t *testing.T) {
	for _, all := range []bool{false, true} {
		address := SocketIn(filepath.Join(t.TempDir(), "d"))
		open := Listen
		if all {
			open = ListenForAll
		}
		l, err := open(address)
		if err != nil {
			t.Fatal(err)
		}
		peers := firstLine(t, l)
		want, err := Self()
		if err != nil {
			t.Fatal(err)
		}
		if got := call(t, address, peers); got != want || !strings.HasPrefix(got.UID, "S-1-5-") {
			t.Errorf("for all %t: %+v, want %+v", all, got, want)
		}
		if _, err := open(address); !errors.Is(err, ErrInUse) {
			t.Errorf("a second one: %v, want ErrInUse", err)
		}
	}
}

// TestWhoHasManyConnectionsToThePipeGetsNoMore: every user of the machine can make
// them. One that is closed makes room.
func TestWhoHasManyConnectionsToThePipeGetsNoMore(t *testing.T) {
	me, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	bound, err := listenPipe(SocketIn(filepath.Join(t.TempDir(), "d")), true)
	if err != nil {
		t.Fatal(err)
	}
	l := limitUsers(bound, userOf, 2)
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	// take dials until a connection is accepted: under Wine the first meets the
	// instance by which go-winio holds the name.
	take := func() net.Conn {
		t.Helper()
		for {
			conn, err := Dial(t.Context(), bound.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			select {
			case taken := <-accepted:
				return taken
			case <-time.After(answerTime):
			}
		}
	}
	first := take()
	if uid, err := userOf(within(first)); err != nil || uid != me.UID {
		t.Errorf("it is %q's (%v), want %q", uid, err, me.UID)
	}
	take()
	third, err := Dial(t.Context(), bound.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = third.Close() }()
	if _, err := third.Read(make([]byte, 1)); err == nil {
		t.Error("a third is not hung up on")
	}
	_ = first.Close()
	take()
}

// TestAPipeHasTheAccessListThatItWasGiven, also the instance that a client meets.
func TestAPipeHasTheAccessListThatItWasGiven(t *testing.T) {
	address := SocketIn(filepath.Join(t.TempDir(), "d"))
	l, err := ListenForAll(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conn, err := Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	handle, err := handleOf(conn)
	if err != nil {
		t.Fatal(err)
	}
	about, err := windows.GetSecurityInfo(handle, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grantsOf(about)
	if err != nil {
		t.Fatal(err)
	}
	me, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	const createInstance = 0x4
	if who := stranger(grants, createInstance|mayChange, me.UID); who != "" || ownerOf(about) != me.UID {
		t.Errorf("%s may answer in the daemon's place; the owner is %s: %+v", who, ownerOf(about), grants)
	}
	if len(grants) < 4 {
		t.Errorf("granted is %+v", grants)
	}
}

func TestAConnectionThatIsNoPipeHasNoIdentity(t *testing.T) {
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if _, err := PeerOf(a); !errors.Is(err, ErrNotLocal) {
		t.Errorf("got %v, want ErrNotLocal", err)
	}
}
