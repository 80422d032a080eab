package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/platform/platformtest"
)

// TestWhoLeavesTheGroupLosesWhatTheyHad of a running system service: an event
// stream, a call that waits, a lease that a connection holds, one that a token of
// theirs took; while a stranger's stream goes on, and neither has seen more than
// they may.
func TestWhoLeavesTheGroupLosesWhatTheyHad(t *testing.T) {
	if !platformtest.OwnEtc(t) {
		return
	}
	const ada, stranger = 4001, 4002
	platformtest.Run(t, "groupadd", "--system", "--force", "authbridge")
	platformtest.Run(t, "useradd", "--no-create-home", "--uid", "4001", "--groups", "authbridge", "ada")
	s := startSystem(t)
	hers, others, roots := s.as(t, ada), s.as(t, stranger), s.as(t, os.Getuid())

	for name, c := range map[string]struct {
		by   *client.Client
		want []contract.Right
	}{"a member": {hers, membersRights}, "a stranger": {others, othersRights}, "root": {roots, contract.Rights}} {
		for _, right := range contract.Rights {
			_, err := c.by.CreateToken(t.Context(), contract.TokenRequest{Name: name + " " + string(right), Rights: []contract.Right{right}})
			// A stranger makes none, and nobody one that they have not.
			if may := name != "a stranger" && slices.Contains(c.want, right); (err == nil) != may {
				t.Errorf("%s, a token with %s: %v", name, right, err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(s.state, client.TokenFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it writes a token file: %v", err)
	}
	made, err := hers.CreateToken(t.Context(), contract.TokenRequest{Name: "ci", Rights: []contract.Right{contract.RightRead, contract.RightLease}})
	if err != nil {
		t.Fatal(err)
	}
	ci := &client.Client{URL: s.url, Token: made.Secret}
	t.Cleanup(ci.Close)
	forMock := contract.LeaseRequest{Requirement: contract.Requirement{AAL: 3, Target: "mock", Kind: contract.SecurityKey}, Wait: "1m"}
	another := forMock
	another.Kind = contract.Smartcard
	for _, kind := range []contract.Kind{contract.SecurityKey, contract.Smartcard} {
		if v, err := hers.Ready(t.Context(), contract.Question{AAL: 3, Target: "mock", Kind: kind}, time.Minute); err != nil || v.Outcome != contract.VerdictReady {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	lent, err := ci.TakeLease(t.Context(), forMock)
	if err != nil {
		t.Fatal(err)
	}
	held, err := hers.HoldLease(t.Context(), another, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	streams := []*bufio.Reader{s.stream(t, ada, ""), s.stream(t, ada, made.Secret)}
	strangers := s.stream(t, stranger, "")
	waits := make(chan error, 1)
	go func() {
		_, err := hers.Ready(t.Context(), contract.Question{AAL: 3, Target: "int"}, time.Minute)
		waits <- err
	}()
	s.holds(t, roots, 5)

	platformtest.Run(t, "gpasswd", "--delete", "ada", "authbridge")
	for _, stream := range streams {
		if _, err := io.Copy(io.Discard, stream); err != nil {
			t.Errorf("a stream is cut off: %v", err)
		}
	}
	var problem *contract.Problem
	if err := <-waits; !errors.As(err, &problem) || problem.Code != "FORBIDDEN" {
		t.Errorf("the call that waited: %v", err)
	}
	<-held.Done()
	for end := time.Now().Add(time.Minute); ; {
		l, err := roots.Lease(t.Context(), lent.ID)
		if err != nil || l.State == contract.LeaseEnded && l.End == contract.EndRevoked {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("her token's lease is %+v", l)
		}
	}
	for name, c := range map[string]*client.Client{"she": hers, "her token": ci} {
		if _, err := c.TakeLease(t.Context(), forMock); !errors.As(err, &problem) || problem.Code != "FORBIDDEN" {
			t.Errorf("%s takes a lease: %v", name, err)
		}
		if _, err := c.Status(t.Context()); err != nil {
			t.Errorf("%s may read: %v", name, err)
		}
	}
	if _, err := roots.TakeLease(t.Context(), forMock); err != nil {
		t.Errorf("what she had is not free: %v", err)
	}
	if !next(strangers) {
		t.Error("the stranger's stream has ended")
	}
}

// stream opens an event stream, by the socket or with a token by TCP, and reads its
// snapshot.
func (s system) stream(t *testing.T, uid int, token string) *bufio.Reader {
	t.Helper()
	var conn net.Conn
	host, more := "localhost", ""
	if token == "" {
		conn = dialAs(t, uid, s.socket)
	} else {
		var err error
		host, more = strings.TrimPrefix(s.url, "http://"), "Authorization: Bearer "+token+"\r\n"
		if conn, err = net.Dial("tcp", host); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", host, more)
	reader := bufio.NewReader(conn)
	if !next(reader) {
		t.Fatal("the stream does not begin")
	}
	return reader
}

// next reads what a stream tells next.
func next(stream *bufio.Reader) bool {
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			return false
		}
		if strings.HasPrefix(line, "data: ") {
			return true
		}
	}
}

// holds waits until so many calls are held open.
func (s system) holds(t *testing.T, c *client.Client, want int) {
	t.Helper()
	line := fmt.Sprintf("authbridge_http_held_requests %d\n", want)
	for end := time.Now().Add(time.Minute); ; {
		text, err := c.Metrics(t.Context())
		if err == nil && strings.Contains(string(text), line) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("want %s in %s, %v", line, text, err)
		}
	}
}

// system is a running system service.
type system struct{ state, socket, url string }

func startSystem(t *testing.T) system {
	t.Helper()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
	dir, err := os.MkdirTemp("", "ab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RUNTIME_DIRECTORY", filepath.Join(dir, "run"))
	o := overrides{system: true, stateDir: filepath.Join(dir, "state"), listen: "127.0.0.1:0", virtual: "on", physical: "off"}
	set, err := settle(o, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	set.Mock.Listen = "off"
	log, err := newLogger(&bytes.Buffer{}, "error")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	up, over := make(chan string, 1), make(chan error, 1)
	go func() { over <- serve(ctx, set, log, func(address string) { up <- address }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	select {
	case address := <-up:
		return system{state: o.stateDir, socket: filepath.Join(dir, "run", "authbridge.sock"), url: "http://" + address}
	case err := <-over:
		over <- nil
		t.Fatal(err)
		return system{}
	}
}

// as is a client of a user of this machine.
func (s system) as(t *testing.T, uid int) *client.Client {
	c := &client.Client{Dial: func(context.Context, string, string) (net.Conn, error) { return dialAs(t, uid, s.socket), nil }}
	t.Cleanup(c.Close)
	return c
}
