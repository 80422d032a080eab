package client

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"authbridge/platform"
)

// TestOnesOwnDaemonComesBeforeTheSystems: the system service is for who has none of
// their own; and what is said is why the socket that is there is of no use.
func TestOnesOwnDaemonComesBeforeTheSystems(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(t.TempDir(), "run"))
	untrusted := errors.New("belongs to somebody else")
	var tried []string
	c := &Client{Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		tried = append(tried, address)
		if address == SystemSocket() {
			return nil, untrusted
		}
		return nil, fs.ErrNotExist
	}}
	defer c.Close()
	if _, err := c.Status(t.Context()); !errors.Is(err, untrusted) || !errors.Is(err, ErrNotReachable) {
		t.Errorf("it fails with %v", err)
	}
	own := platform.UserPaths()
	want := []string{platform.SocketIn(own.Runtime), platform.SocketIn(own.State), SystemSocket()}
	if len(tried) < 3 || !slices.Equal(tried[:3], want) {
		t.Errorf("tried %q, want %q", tried, want)
	}
}

// TestAStateFolderMeansItsDaemonAlone: who names one is not sent elsewhere.
func TestAStateFolderMeansItsDaemonAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var tried []string
	c := &Client{StateDir: dir, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		tried = append(tried, address)
		return nil, fs.ErrNotExist
	}}
	defer c.Close()
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrNotReachable) {
		t.Errorf("it fails with %v", err)
	}
	if slices.ContainsFunc(tried, func(a string) bool { return a != platform.SocketIn(dir) }) {
		t.Errorf("tried %q", tried)
	}
}
