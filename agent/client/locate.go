package client

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"authbridge/platform"
)

const (
	// TokenFile is the file in the state folder of a user's own daemon.
	TokenFile = "token"
	maxToken  = 256
)

// FromEnvironment makes a client as the commands do: an explicit state folder
// first, then AUTHBRIDGE_URL with AUTHBRIDGE_TOKEN, then the usual places.
func FromEnvironment(getenv func(string) string, stateDir string) *Client {
	if stateDir != "" {
		return &Client{StateDir: stateDir}
	}
	return &Client{URL: getenv("AUTHBRIDGE_URL"), Token: getenv("AUTHBRIDGE_TOKEN")}
}

// place is where the daemon is and how to get there.
type place struct {
	base, token, address string
	dial                 func(ctx context.Context, network, address string) (net.Conn, error)
}

// locate prefers the socket: the user's own daemon's, then the system service's. TCP is used only where somebody said so: another
// user could bind the port while the daemon is down, and collect tokens.
func (c *Client) locate() (place, error) {
	p := place{token: c.Token}
	switch {
	case strings.HasPrefix(c.URL, "unix:"):
		socket := strings.TrimPrefix(strings.TrimPrefix(c.URL, "unix:"), "//")
		if socket == "" {
			return p, &UsageError{"URL", "unix: is followed by the path of the socket"}
		}
		return c.local(p, socket), nil
	case c.URL != "":
		return c.tcp(p)
	case c.StateDir != "":
		return c.local(p, platform.SocketIn(c.StateDir)), nil
	}
	return c.local(p, usualSockets()...), nil
}

// usualSockets are those of this user's own daemon, and then the system service's.
func usualSockets() []string {
	own := platform.UserPaths()
	return []string{platform.SocketIn(own.Runtime), platform.SocketIn(own.State), SystemSocket()}
}

// SystemSocket is where the system service is reached.
func SystemSocket() string { return platform.SocketIn(platform.SystemPaths().Runtime) }

func (c *Client) local(p place, sockets ...string) place {
	dial := c.Dial
	if dial == nil {
		dial = func(ctx context.Context, _, address string) (net.Conn, error) { return platform.Dial(ctx, address) }
	}
	p.base, p.address = "http://localhost", sockets[0]
	p.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var failed error
		for _, socket := range sockets {
			conn, err := dial(ctx, "unix", socket)
			if err == nil {
				return conn, nil
			}
			// That nothing is there says less than that what is there is of no use.
			if failed == nil || errors.Is(failed, fs.ErrNotExist) && !errors.Is(err, fs.ErrNotExist) {
				failed = err
			}
		}
		return nil, failed
	}
	return p
}

func (c *Client) tcp(p place) (place, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "":
		return p, &UsageError{"URL", "want http://127.0.0.1:PORT or unix:///PATH"}
	case !loopback(u.Hostname()):
		// The token would cross a network in clear.
		return p, &UsageError{"URL", "the daemon is on this machine only: want 127.0.0.1, [::1] or localhost; into a container, mount its socket and use unix:///PATH"}
	}
	if p.token == "" && c.StateDir != "" {
		if p.token, err = readToken(filepath.Join(c.StateDir, TokenFile)); err != nil {
			return p, err
		}
	}
	p.base, p.address, p.dial = "http://"+u.Host, c.URL, c.Dial
	if p.dial == nil {
		var d net.Dialer
		p.dial = d.DialContext
	}
	return p, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func readToken(path string) (string, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil // the daemon will say that it wants one
	} else if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxToken))
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}
