package main

import (
	"net"
	"sync/atomic"
	"testing"
)

// TestACrowdAtTheMockLeavesDescriptors: every user of this machine can connect to
// the mock, and the daemon's own socket needs descriptors too.
func TestACrowdAtTheMockLeavesDescriptors(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		m, err := openMock(mockOrder{port: "0", tls: tls, state: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll(m.listeners)
		l := m.listeners[0]
		come := func() net.Conn {
			t.Helper()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		}
		var first net.Conn
		for range mostAtMock {
			come()
			let, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = let
			}
			t.Cleanup(func() { _ = let.Close() })
		}
		come()
		var hasLeft atomic.Bool
		early := make(chan bool)
		go func() {
			let, err := l.Accept()
			was := hasLeft.Load()
			if err == nil {
				_ = let.Close()
			}
			early <- !was
		}()
		come() // a moment in which it could be let in
		hasLeft.Store(true)
		_ = first.Close()
		if <-early {
			t.Errorf("TLS %t: one more than %d was let in", tls, mostAtMock)
		}
	}
}
