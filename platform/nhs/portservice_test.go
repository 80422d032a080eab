package nhs

import (
	"bufio"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// played is an NHS Port Service on a port of the test's own.
type played struct {
	http, https bool
	connect     func(http.ResponseWriter, *http.Request)
	number      func(http.ResponseWriter, *http.Request)
}

// says answers with JSON, as the service does.
func says(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// either takes TLS and plain connections on one port, told apart by their first
// octet.
type either struct {
	net.Listener
	config *tls.Config
}

func (e either) Accept() (net.Conn, error) {
	conn, err := e.Listener.Accept()
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	peeked := &peekedConn{conn, bufio.NewReader(conn)}
	first, _ := peeked.r.Peek(1)
	_ = conn.SetReadDeadline(time.Time{})
	if len(first) == 1 && first[0] == 0x16 { // handshake (RFC 8446, 5.1)
		return tls.Server(peeked, e.config), nil
	}
	return peeked, nil
}

type peekedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *peekedConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// play begins it and says on which port.
func (p played) play(t *testing.T) (port string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /PRS/ConnectPRService", p.connect)
	if p.number != nil {
		mux.HandleFunc("GET /PRS/GetPortNumber", p.number)
	}
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	switch {
	case p.http && p.https:
		certified := httptest.NewTLSServer(http.NotFoundHandler())
		config := certified.TLS.Clone()
		config.NextProtos = nil
		certified.Close()
		server.Listener = either{server.Listener, config}
		server.Start()
	case p.https:
		server.StartTLS()
	default:
		server.Start()
	}
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// closedPort is one that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestWhatAnswersForThePortService(t *testing.T) {
	t.Parallel()
	up := says(200, `{"statusCode":"200"}`)
	manager, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	open := manager.Addr().(*net.TCPAddr).Port
	shut, _ := strconv.Atoi(closedPort(t))
	names := func(n int) func(http.ResponseWriter, *http.Request) {
		return says(200, `{"portData":{"portNumber":`+strconv.Itoa(n)+`}}`)
	}
	tests := []struct {
		name  string
		plays played
		alone bool
		want  PortService
	}{
		{"http", played{http: true, connect: up, number: names(open)}, false, PortService{HTTP: true, Manager: Manager{Port: open, Accepts: true}}},
		{"https", played{https: true, connect: up, number: names(open)}, false, PortService{HTTPS: true, Manager: Manager{Port: open, Accepts: true}}},
		{"both", played{http: true, https: true, connect: up, number: names(open)}, false, PortService{HTTP: true, HTTPS: true, Manager: Manager{Port: open, Accepts: true}}},
		{"a number for a status", played{http: true, connect: says(200, `{"statusCode":200}`), number: names(open)}, false, PortService{HTTP: true, Manager: Manager{Port: open, Accepts: true}}},
		{"text for a port", played{http: true, connect: up, number: says(200, `{"portData":{"portNumber":"`+strconv.Itoa(open)+`"}}`)}, false, PortService{HTTP: true, Manager: Manager{Port: open, Accepts: true}}},
		{"a port that is shut", played{http: true, connect: up, number: names(shut)}, false, PortService{HTTP: true, Manager: Manager{Port: shut}}},
		{"no Credential Management", played{http: true, connect: up, number: says(500, `{"code":"PR30007","message":"x"}`)}, false, PortService{HTTP: true, Manager: Manager{Fault: "PR30007"}}},
		{
			"no Credential Management, for a service of Windows",
			played{http: true, connect: up, number: says(500, `{"code":"PR30007"}`)},
			true,
			PortService{HTTP: true, Manager: Manager{Unknown: "the daemon is a service of Windows and has no session with a Credential Management of its own"}},
		},
		{
			"a Windows sign-in",
			played{http: true, connect: says(401, ""), number: says(401, "")},
			false,
			PortService{HTTP: true, Manager: Manager{Unknown: "NHS Port Service asks for a Windows sign-in, which the daemon does not do"}},
		},
		{
			"a fault that is none",
			played{http: true, connect: up, number: says(200, `{"code":"\u001b[31m<b>"}`)},
			false,
			PortService{HTTP: true, Manager: Manager{Unknown: "NHS Port Service names neither a port nor a fault: status 200"}},
		},
		{
			"a port that is none",
			played{http: true, connect: up, number: names(65536)},
			false,
			PortService{HTTP: true, Manager: Manager{Unknown: "NHS Port Service names neither a port nor a fault: status 200"}},
		},
		{
			"a page for a port",
			played{http: true, connect: up, number: says(200, "<html>")},
			false,
			PortService{HTTP: true, Manager: Manager{Unknown: "what NHS Port Service said is no JSON as it must be: status 200"}},
		},
		{"another program", played{http: true, connect: says(404, "no")}, false, PortService{Strangers: []string{""}}},
		{"another program that likes all", played{http: true, connect: says(200, "{}")}, false, PortService{Strangers: []string{""}}},
		{"one that sends elsewhere", played{http: true, connect: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/PRS/GetPortNumber", http.StatusFound)
		}, number: up}, false, PortService{Strangers: []string{""}}},
		{"an endless answer", played{http: true, connect: says(200, `{"statusCode":"200","x":"`+strings.Repeat("x", mostAnswer)+`"}`)}, false, PortService{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			port := tt.plays.play(t)
			if tt.want.HTTP || tt.want.HTTPS {
				tt.want.Port = port
			}
			if tt.want.Strangers != nil {
				tt.want.Strangers = []string{port}
			}
			got := Asker{Ports: []string{closedPort(t), port}, Alone: tt.alone}.Ask(t.Context())
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestAServiceThatHangsIsGivenUp within the bound, and so is not there.
func TestAServiceThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	port := played{http: true, connect: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}.play(t)
	got := Asker{Ports: []string{port}, Bound: 100 * time.Millisecond}.Ask(t.Context())
	if got.Port != "" || got.HTTP {
		t.Errorf("%+v", got)
	}
}

// TestNothingIsHandedOver: no credentials, no cookie, no name of ours.
func TestNothingIsHandedOver(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 4)
	port := played{http: true, connect: func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusUnauthorized)
	}, number: func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		w.WriteHeader(http.StatusUnauthorized)
	}}.play(t)
	Asker{Ports: []string{port}}.Ask(t.Context())
	for range 2 {
		if h := <-seen; h.Get("Authorization") != "" || h.Get("Cookie") != "" || h.Get("Origin") != "" {
			t.Errorf("it was told %v", h)
		}
	}
}

// TestANeighbourOnTheOtherAddressIsSeen: localhost may lead to it.
func TestANeighbourOnTheOtherAddressIsSeen(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if p := ownPort(t.Context(), net.JoinHostPort("::1", port)); !p.Neighbour.Is || p.Own != port {
		t.Errorf("%+v", p)
	}
	if p := ownPort(t.Context(), "[::1]:"+closedPort(t)); p.Neighbour.Is || p.Neighbour.Unknown != "" {
		t.Errorf("%+v", p)
	}
	if p := ownPort(t.Context(), "127.0.0.1:48853"); !p.NHS {
		t.Errorf("%+v", p)
	}
}

// FuzzThePortServicesAnswer: whatever listens there, what is shown of it is a
// number, a code, or our own words.
func FuzzThePortServicesAnswer(f *testing.F) {
	f.Add(200, []byte(`{"portData":{"portNumber":51234}}`))
	f.Add(500, []byte(`{"code":"PR30007","message":"Unable to find CM process for user"}`))
	f.Add(200, []byte(`{"statusCode":"200"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		_ = isUp(status, body)
		m := readManager(status, body)
		if m.Port < 0 || m.Port > 65535 || m.Fault != "" && !isCode(m.Fault) || m.Port == 0 && m.Fault == "" && m.Unknown == "" {
			t.Errorf("%+v", m)
		}
	})
}
