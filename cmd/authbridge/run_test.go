package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/client"
)

// TestAReloadThatCannotBeKeepsTheDaemon: that a port is taken shows only when the
// daemon has let go of its own. Who supervises it hears of no end before it ends.
func TestAReloadThatCannotBeKeepsTheDaemon(t *testing.T) {
	heard := supervisorHears(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	dir := t.TempDir()
	o := overrides{config: filepath.Join(dir, "config.toml"), stateDir: filepath.Join(dir, "state")}
	write := func(listen, level string) {
		t.Helper()
		text := fmt.Sprintf("virtual = \"on\"\nphysical = \"off\"\nlisten = %q\nlog_level = %q\n[mock]\nlisten = \"off\"\n", listen, level)
		if err := os.WriteFile(o.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("127.0.0.1:0", "error")
	s, err := settle(o, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	log, err := newLogger(&said, s.LogLevel)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked, up, over := make(chan os.Signal), make(chan string, 1), make(chan error, 1)
	go func() { over <- serveOn(ctx, asked, o, s, log, func(address string) { up <- address }) }()
	isUp := func() {
		t.Helper()
		select {
		case <-up:
		case err := <-over:
			t.Fatalf("it has ended: %v", err)
		}
		c := &client.Client{StateDir: o.stateDir}
		defer c.Close()
		if err := c.Alive(ctx); err != nil {
			t.Error(err)
		}
	}
	isUp()
	write(taken.Addr().String(), "error")
	asked <- os.Interrupt
	isUp()
	write("127.0.0.1:0", "warn")
	asked <- os.Interrupt
	isUp()
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if got := said.String(); strings.Count(got, "goes on with the one before") != 1 || !strings.Contains(got, taken.Addr().String()) {
		t.Errorf("the log says %s", got)
	}
	want := []string{"READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"}
	if got := heard(len(want)); got != nil && !slices.Equal(got, want) {
		t.Errorf("the supervisor hears %q, want %q", got, want)
	}
}

// supervisorHears gives the first so many words that a daemon says to systemd; nil
// where there are no such sockets.
func supervisorHears(t *testing.T) func(n int) []string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return func(int) []string { return nil }
	}
	t.Cleanup(func() { _ = l.Close() })
	t.Setenv("NOTIFY_SOCKET", socket)
	return func(n int) (words []string) {
		for text := make([]byte, 64); n > 0; n-- {
			size, err := l.Read(text)
			if err != nil {
				t.Fatal(err)
			}
			words = append(words, string(text[:size]))
		}
		return words
	}
}
