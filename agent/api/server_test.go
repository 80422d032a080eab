package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/api"
	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// TestItListensOnThisMachineOnly: any other address is refused at the start,
// before the first connection.
func TestItListensOnThisMachineOnly(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	good, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // it does not wait for this
	defer cancel()
	err = s.API.Serve(ctx, good, l)
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Fatalf("got %v", err)
	}
	if conn, err := net.Dial("tcp", good.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("the other listener is still open")
	}
}

func TestTheHandlerByItselfLetsNobodyIn(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s.API, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	r := newRequest("GET", row{target: "/v1/status"}, portOf("http://"+l.Addr().String()), s.Secret)
	r.send(t, "tcp", l.Addr().String()).wantProblem(t, "HOST_REFUSED")
}

// TestItStopsThoughCallersHoldOn: streams and waits end, and a caller that
// sends half a request does not keep the daemon up.
func TestItStopsThoughCallersHoldOn(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	address := strings.TrimPrefix(s.URL, "http://")
	open := func(text string) net.Conn {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	head := "Host: " + address + "\r\nAuthorization: Bearer " + s.Secret + "\r\n"
	open("GET /v1/status HTTP/1.1\r\nHost:")                                                                       // half a header
	open("POST /v1/tokens HTTP/1.1\r\n" + head + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{") // half a body
	wait := open("GET /v1/readiness?aal=3&target=mock&wait=5m HTTP/1.1\r\n" + head + "\r\n")
	stream := open("GET /v1/events HTTP/1.1\r\n" + head + "\r\n")
	if line, err := bufio.NewReader(stream).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q %v", line, err)
	}
	for held := 0; held < 2; { // both are held
		held = metric(t, s, "authbridge_http_held_requests")
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	// The waiting caller gets no verdict of before.
	response, err := http.ReadResponse(bufio.NewReader(wait), nil)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("the wait: %+v, %v", response, err)
	}
	said, err := io.ReadAll(response.Body)
	if _ = response.Body.Close(); err != nil || !strings.Contains(string(said), `"code":"SHUTTING_DOWN"`) || strings.Contains(string(said), "outcome") {
		t.Fatalf("the wait: %s, %v", said, err)
	}
	select {
	case err := <-stopped:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not stop")
	}
}

// metric reads one value of /metrics.
func metric(t *testing.T, s *apitest.Server, name string) int {
	t.Helper()
	for line := range strings.Lines(call(t, s, s.Secret, "GET", "/metrics", "").body) {
		var n int
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestAHeldCallAnswersNobodyElseLate: while hundreds wait and follow, status
// is answered.
func TestAHeldCallKeepsNobodyElseWaiting(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var held sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for n := range 200 {
		target := "/v1/events"
		if n%2 == 0 {
			target = "/v1/readiness?aal=3&target=mock&wait=5m"
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.Secret)
		held.Go(func() {
			response, err := client.Do(r)
			if err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
	}
	for metric(t, s, "authbridge_http_held_requests") < 200 {
	}
	if got := call(t, s, s.Secret, "GET", "/v1/status", ""); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	cancel()
	held.Wait()
	for metric(t, s, "authbridge_http_held_requests") > 0 { // gone, once the server has noticed
	}
}

// TestTheLogHasOneLineAStateChangeAndNonePerRead.
func TestTheLogHasOneLineAStateChangeAndNonePerRead(t *testing.T) {
	var log strings.Builder
	s := apitest.Start(t, apitest.Options{Log: &log})
	observeOneOfEach(t, s)
	for range 5 {
		call(t, s, s.Secret, "GET", "/v1/status", "")
		call(t, s, s.Secret, "GET", "/v1/readiness?aal=3&target=mock", "")
	}
	changed := call(t, s, s.Secret, "POST", "/v1/virtual/keys/k1/touch", "")
	for range 50 {
		call(t, s, "wrong", "GET", "/v1/status", "")
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	var info, refused []string
	for line := range strings.Lines(log.String()) {
		switch {
		case strings.Contains(line, "level=info"):
			info = append(info, line)
		case strings.Contains(line, "request refused"):
			refused = append(refused, line)
		}
	}
	if len(info) != 1 || !strings.Contains(info[0], "request_id="+changed.header.Get("X-Request-Id")) || !strings.Contains(info[0], "touch-key") {
		t.Errorf("lines at info: %q, want one, for the touch", info)
	}
	if len(refused) == 0 || len(refused) > 10 {
		t.Errorf("%d lines for 50 refusals, want a few", len(refused))
	}
}

// TestAFaultInsideIsAProblemAndTellsNothing.
func TestAFaultInsideIsAProblemAndTellsNothing(t *testing.T) {
	const secret = "hunter2-in-a-panic"
	var log strings.Builder
	s := apitest.Start(t, apitest.Options{Log: &log, Judge: func(q contract.Question, _ *contract.Snapshot) contract.Verdict {
		if q.AAL == 2 {
			panic(secret)
		}
		var nothing []int
		_ = nothing[q.AAL]
		return contract.Verdict{}
	}})
	for _, aal := range []string{"2", "3"} {
		got := call(t, s, s.Secret, "GET", "/v1/readiness?target=mock&aal="+aal, "")
		if got.status != http.StatusInternalServerError {
			t.Fatalf("%d %s", got.status, got.body)
		}
		got.wantProblem(t, "INTERNAL")
	}
	if got := call(t, s, s.Secret, "GET", "/v1/status", ""); got.status != 200 {
		t.Errorf("afterwards: %d", got.status)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), secret) {
		t.Error("the panic's value is in the log")
	}
	if !strings.Contains(log.String(), "index out of range") || !strings.Contains(log.String(), "stack=") {
		t.Errorf("the log does not help:\n%s", log.String())
	}
}

func TestAServerWithoutItsPartsIsNotMade(t *testing.T) {
	if _, err := api.New(api.Config{Log: logrus.NewEntry(logrus.New())}); err == nil {
		t.Fatal("made")
	}
}

// TestTheDocumentDescribesEveryRoute: OpenAPI 3.1, each route with its right,
// nothing that leads elsewhere.
func TestTheDocumentDescribesEveryRoute(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	got := call(t, s, s.Secret, "GET", "/openapi.json", "")
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Security    []map[string][]string
			Responses   map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(got.body), &document); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" {
		t.Errorf("version %q", document.OpenAPI)
	}
	var ids []string
	n := 0
	for path, methods := range document.Paths {
		for method, operation := range methods {
			n++
			pattern := strings.ToUpper(method) + " " + path
			right, ok := api.RouteTable()[pattern]
			if !ok {
				t.Errorf("%s is described and not in the table", pattern)
			}
			if len(operation.Security) != 1 || !slices.Equal(operation.Security[0]["token"], []string{string(right)}) {
				t.Errorf("%s: security %v, want the right %s", pattern, operation.Security, right)
			}
			if operation.Summary == "" || len(operation.Responses) < 2 || slices.Contains(ids, operation.OperationID) {
				t.Errorf("%s: %+v", pattern, operation)
			}
			ids = append(ids, operation.OperationID)
		}
	}
	if n != len(api.RouteTable()) {
		t.Errorf("%d routes are described, %d are there", n, len(api.RouteTable()))
	}
	if strings.Contains(got.body, "://") || strings.Contains(got.body, "$schema") {
		t.Error("the document leads elsewhere")
	}
}

// TestErrorsOfTheStoreAreNotForCallers: their text names files.
func TestTextsOfInnerErrorsStayInside(t *testing.T) {
	inner := errors.New("/home/someone/secret-place: disk full")
	s := apitest.Start(t, apitest.Options{Users: apitest.Strangers(inner)})
	r := newRequest("GET", row{target: "/v1/status"}, "", "none")
	r.del("Authorization")
	r.set("Host", "localhost")
	if got := r.send(t, "unix", s.Socket); strings.Contains(got.body, "secret-place") {
		t.Errorf("it came out: %s", got.body)
	}
}
