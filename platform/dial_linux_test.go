package platform

import (
	"errors"
	"os"
	"testing"
)

// TestASocketOfAnotherUserIsNotTrusted: whoever binds it first could collect
// tokens.
func TestASocketOfAnotherUserIsNotTrusted(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give a socket away")
	}
	address := SocketIn(t.TempDir())
	l, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := os.Lchown(address, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	conn, err := Dial(t.Context(), address)
	if err == nil {
		_ = conn.Close()
		t.Fatal("a socket of another user is dialled")
	}
	if !errors.Is(err, ErrNotYours) {
		t.Errorf("%v", err)
	}
}
