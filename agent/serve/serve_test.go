package serve_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"authbridge/agent/serve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hour is a time that no test waits for.
const hour = time.Hour

// TestItEndsThoughNothingWasAsked: who connected and asked nothing, or half of
// something, does not hold up the end; who is being answered is answered first.
// The time is synctest's, so that not a moment of it is the machine's.
func TestItEndsThoughNothingWasAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes = time.Second
		l := make(pipes)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- serve.Until(ctx, &http.Server{ReadHeaderTimeout: hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				<-time.After(takes)
				_, _ = io.WriteString(w, "answered\n")
			})}, hour, l)
		}()
		l.dial(t, "") // a browser's, ahead of need
		l.dial(t, "GET / HTTP/1.1\r\nHost:")
		idle := l.dial(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := read(t, idle); got != "answered\n" {
			t.Fatalf("%q", got)
		}
		slow := l.dial(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		began := time.Now()
		stop()
		if got := read(t, slow); got != "answered\n" {
			t.Fatalf("who was being answered got %q", got)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < takes || took > 2*takes {
			t.Fatalf("it took %v to end", took)
		}
	})
}

// pipes is a listener without a network.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error { close(p); return nil }
func (pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p pipes) dial(t *testing.T, text string) *bufio.Reader {
	t.Helper()
	ours, its := net.Pipe()
	t.Cleanup(func() { _ = ours.Close() })
	p <- its
	if _, err := io.WriteString(ours, text); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(ours)
}

// TestItCutsOffAfterTheGrace: an answer that never comes does not keep it up.
func TestItCutsOffAfterTheGrace(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	s := start(t, time.Millisecond, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	c := s.dial("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-asked
	s.stop()
	if _, err := c.ReadByte(); err == nil {
		t.Fatal("it was answered")
	}
	s.over(nil)
}

// TestAListenerThatBreaksEndsAll: one that nobody can reach any more is told of,
// and the other does not go on alone.
func TestAListenerThatBreaksEndsAll(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	s := start(t, hour, http.NotFound, failing{broken})
	s.over(broken)
	if c, err := net.Dial("tcp", s.address); err == nil {
		_ = c.Close()
		t.Fatal("the other listener goes on")
	}
}

type started struct {
	t       *testing.T
	address string
	stop    context.CancelFunc
	ended   chan error
}

func start(t *testing.T, grace time.Duration, answer http.HandlerFunc, more ...net.Listener) *started {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &started{t, l.Addr().String(), stop, make(chan error, 1)}
	go func() {
		s.ended <- serve.Until(ctx, &http.Server{Handler: answer, ReadHeaderTimeout: hour}, grace, append(more, l)...)
	}()
	return s
}

func (s *started) dial(text string) *bufio.Reader {
	s.t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return bufio.NewReader(c)
}

func read(t *testing.T, from *bufio.Reader) string {
	t.Helper()
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func (s *started) over(want error) {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if !errors.Is(err, want) || (want == nil && err != nil) {
			s.t.Fatalf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		s.t.Fatal("it does not end")
	}
}

type failing struct{ err error }

func (f failing) Accept() (net.Conn, error) { return nil, f.err }
func (failing) Close() error                { return nil }
func (failing) Addr() net.Addr              { return &net.TCPAddr{} }
