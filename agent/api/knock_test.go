package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

// knock sends text and gives the answer, and whether the connection was closed
// behind it.
func knock(t *testing.T, s *apitest.Server, text string) (status int, closed bool) {
	t.Helper()
	address := strings.TrimPrefix(s.URL, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // half of what an idle connection may stay
	text = strings.NewReplacer("HOST", address, "SECRET", s.Secret).Replace(text)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	if _, err := io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	_, err = r.ReadByte()
	return response.StatusCode, !errors.Is(err, os.ErrDeadlineExceeded)
}

// TestWhoIsRefusedHoldsNothingOpen: everybody on this machine can connect, and
// must not be able to keep descriptors and goroutines of ours without a token.
func TestWhoIsRefusedHoldsNothingOpen(t *testing.T) {
	t.Parallel()
	s := apitest.Start(t, apitest.Options{})
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"without a token":                      {"GET /v1/status HTTP/1.1\r\nHost: HOST\r\n\r\n", 401},
		"foreign host":                         {"GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
		"foreign host, a body never comes":     {"POST /v1/tokens HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 10\r\n\r\n", 421},
		"without a token, a chunk never comes": {"POST /v1/tokens HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n", 401},
		"a read whose body never comes":        {"GET /v1/status HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer SECRET\r\nContent-Length: 10\r\n\r\n", 413},
		"a change whose body never comes":      {"POST /v1/tokens HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer SECRET\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{", 408},
		"every server's options, foreign host": {"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
		"every server's options":               {"OPTIONS * HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer SECRET\r\n\r\n", 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, closed := knock(t, s, c.text)
			if status != c.status || !closed {
				t.Errorf("status %d, closed %t; want %d, true", status, closed, c.status)
			}
		})
	}
}

// TestACrowdAtThePortLeavesTheSocketOpen: TCP connections are bounded, and
// whoever takes them all does not shut the owner out.
func TestACrowdAtThePortLeavesTheSocketOpen(t *testing.T) {
	t.Parallel()
	const most = 4
	s := apitest.Start(t, apitest.Options{Connections: most})
	address := strings.TrimPrefix(s.URL, "http://")
	var crowd []net.Conn
	for range most {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		// Answered: it has its place.
		_, _ = fmt.Fprintf(conn, "GET /v1/status HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", address, s.Secret)
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, conn)
	}
	late, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = late.Close() }()
	_, _ = io.WriteString(late, "GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n")
	answered := make(chan error, 1)
	go func() {
		_, err := http.ReadResponse(bufio.NewReader(late), nil)
		answered <- err
	}()

	r := newRequest("GET", row{target: "/v1/status"}, "", "none")
	r.del("Authorization")
	r.set("Host", "localhost")
	if got := r.send(t, "unix", s.Socket); got.status != 200 {
		t.Errorf("over the socket: %d %s", got.status, got.body)
	}
	select {
	case err := <-answered:
		t.Fatalf("one more than %d connections was served (%v)", most, err)
	default:
	}
	_ = crowd[0].Close() // makes room
	if err := <-answered; err != nil {
		t.Errorf("who waited was not served: %v", err)
	}
}

// TestAFullDiskIsSaidWithItsRemedy, and the cause is in the log under the
// answer's request id.
func TestAFullDiskIsSaidWithItsRemedy(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"the database's": &store.Error{Op: "write", Path: "/secret-place", Kind: store.ErrFull},
		"a file's":       &failure.Error{Code: failure.StateUnusable, Detail: "x", Err: &os.PathError{Op: "write", Path: "/secret-place", Err: syscall.ENOSPC}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			s := apitest.Start(t, apitest.Options{Log: &log})
			s.Devices.Fail(err)
			got := call(t, s, s.Secret, "POST", "/v1/virtual/keys", `{"name":"k1"}`)
			got.wantProblem(t, "DISK_FULL")
			if strings.Contains(got.body, "secret-place") {
				t.Errorf("the caller is told too much: %s", got.body)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(log.String(), "secret-place") || !strings.Contains(log.String(), got.header.Get("X-Request-Id")) {
				t.Errorf("the log does not say why: %s", log.String())
			}
		})
	}
}

// TestAMistakeInsideIsInTheLog: the remedy of INTERNAL sends people there.
func TestAMistakeInsideIsInTheLog(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := apitest.Start(t, apitest.Options{Log: &log})
	s.Devices.Fail(errors.New("a cause that nobody foresaw"))
	got := call(t, s, s.Secret, "POST", "/v1/virtual/keys", `{"name":"k1"}`)
	got.wantProblem(t, "INTERNAL")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "a cause that nobody foresaw") || !strings.Contains(log.String(), got.header.Get("X-Request-Id")) {
		t.Errorf("the log does not say why: %s", log.String())
	}
}
