package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"

	"authbridge/agent/failure"
	"authbridge/platform/nhs"
)

// mostPorts is how often a free port is looked for that is free on both
// addresses and not NHS software's.
const mostPorts = 20

// listenLocalhost listens on a port of both loopback addresses: a browser takes
// either for localhost, and whoever had the other one would get its requests.
// Where the machine has no ::1 it is 127.0.0.1 alone. Port 0 is any free one.
func listenLocalhost(port string) (listeners []net.Listener, chosen string, err error) {
	both := false
	if probe, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		both = true
		_ = probe.Close()
	}
	for range mostPorts {
		if listeners, chosen, err = listenOnce(port, both); err == nil && port == "0" && nhs.IsPort(chosen) {
			closeAll(listeners)
			continue
		}
		if err == nil || port != "0" {
			break
		}
	}
	return listeners, chosen, err
}

func listenOnce(port string, both bool) (listeners []net.Listener, chosen string, err error) {
	hosts := []string{"127.0.0.1"}
	if both {
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		address := net.JoinHostPort(host, port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			closeAll(listeners)
			return nil, "", cannotListen(address, err)
		}
		listeners = append(listeners, l)
		if _, port, err = net.SplitHostPort(l.Addr().String()); err != nil {
			closeAll(listeners)
			return nil, "", fmt.Errorf("listen on %s: %w", address, err)
		}
	}
	return listeners, port, nil
}

// dialLocalhost connects to localhost without asking anybody where that is, as
// RFC 6761, 6.3, wants it: a container may have no file of hosts, and its name
// server none of that name.
func dialLocalhost(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && host == "localhost" {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}

// cannotListen says why an address cannot be had, and who has it.
func cannotListen(address string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &failure.Error{Code: failure.PortNotAllowed, Detail: address, Err: err}
	}
	return &failure.Error{Code: failure.PortTaken, Detail: whoListens(address), Err: err}
}
