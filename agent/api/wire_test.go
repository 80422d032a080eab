package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
)

// request is written to the wire as it is, since net/http's client would not
// send most of what an attacker sends.
type request struct {
	method, target, proto string
	headers               [][2]string
	body                  string
	chunked               bool
	secret                string
}

// newRequest is the sample request of a row, as curl would send it.
func newRequest(method string, sample row, port, secret string) *request {
	r := &request{method: method, target: sample.target, proto: "HTTP/1.1", body: sample.body, secret: secret}
	r.add("Host", "127.0.0.1:"+port)
	r.add("Authorization", "Bearer "+secret)
	if method != http.MethodGet {
		r.add("Content-Type", "application/json")
	}
	return r
}

func (r *request) add(name, value string) { r.headers = append(r.headers, [2]string{name, value}) }

func (r *request) del(name string) {
	r.headers = slices.DeleteFunc(r.headers, func(h [2]string) bool { return strings.EqualFold(h[0], name) })
}

func (r *request) set(name, value string) { r.del(name); r.add(name, value) }

func (r *request) query(add string) {
	if strings.Contains(r.target, "?") {
		r.target += "&" + add
	} else {
		r.target += "?" + add
	}
}

// answer is what came back. Of a stream it is the beginning.
type answer struct {
	status int
	header http.Header
	body   string
}

func (r *request) send(t *testing.T, network, address string) answer {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", r.method, r.target, r.proto)
	for _, h := range r.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	switch {
	case r.chunked:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(r.body), r.body)
	case r.body != "" || r.method == http.MethodPost || r.method == http.MethodPut:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
	default:
		b.WriteString("\r\n")
	}
	go func() { _, _ = io.WriteString(conn, b.String()) }() // the server may answer before it has read all
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	a := answer{status: response.StatusCode, header: response.Header}
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
		line, err := bufio.NewReader(response.Body).ReadString('\n')
		if err != nil {
			t.Fatalf("the stream does not begin: %v", err)
		}
		a.body = line
		_ = conn.Close() // first, since closing the body reads it to its end
		_ = response.Body.Close()
		return a
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a.body = string(body)
	return a
}

// problem is the answer as a problem, checked for what every problem has.
func (a answer) problem(t *testing.T) contract.Problem {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("content type %q, want a problem: %d %s", got, a.status, a.body)
	}
	var p contract.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if p.Type != "urn:authbridge:problem:"+p.Code || p.Title == "" || p.Remedy == "" || p.Status != a.status {
		t.Errorf("half a problem: %s", a.body)
	}
	if id := a.header.Get("X-Request-Id"); id == "" || p.RequestID != id {
		t.Errorf("request id %q in the header, %q in the problem", id, p.RequestID)
	}
	a.wantSafeHeaders(t)
	return p
}

func (a answer) wantProblem(t *testing.T, code string) {
	t.Helper()
	if p := a.problem(t); p.Code != code {
		t.Errorf("code %s, want %s: %s", p.Code, code, a.body)
	}
}

func (a answer) wantSafeHeaders(t *testing.T) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; frame-ancestors 'none'") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	if a.header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
	for _, name := range []string{"Link", "Server", "Set-Cookie"} {
		if got := a.header.Get(name); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// call is a well-formed request over TCP.
func call(t *testing.T, s *apitest.Server, secret, method, target, body string) answer {
	t.Helper()
	return newRequest(method, row{target: target, body: body}, portOf(s.URL), secret).send(t, "tcp", strings.TrimPrefix(s.URL, "http://"))
}

func portOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u.Port()
}

const (
	holder = "Quillfeather Testina"
	user   = "555012345678"
)

func observeOneOfEach(t *testing.T, s *apitest.Server) {
	t.Helper()
	s.Mock.User, s.Mock.Name = user, holder
	s.Observe(t, inventory.Observation{
		Cards: []health.Card{apitest.Card("card-1", holder, user)},
		Keys:  []health.Key{apitest.Key("key-1")},
	})
}

func nothing() inventory.Observation { return inventory.Observation{} }

// lend puts the sample lease, a ceremony under it and a login run into
// somebody's hands, and gives the lease's own token.
func lend(s *apitest.Server, owner contract.Owner) (token string) {
	token = s.Leases.Lend(owner)
	s.Ceremonies.Stage(owner, contract.CeremonyTouch)
	s.Logins.Stage(owner, user)
	return token
}
