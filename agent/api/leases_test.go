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
	"testing"
	"time"

	"authbridge/agent/api"
	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// until waits for the scripted leases to come to a state.
func until(t *testing.T, s *apitest.Server, what string, reached func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		changed := s.Leases.Changed()
		if reached() {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("it never came to this: %s; calls %q", what, s.Leases.Calls())
		}
	}
}

// begin sends a request in the background, as a client that can go away.
func begin(t *testing.T, s *apitest.Server, secret, method, target, body string) (answered <-chan *http.Response, leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{DisableKeepAlives: true}
	r, err := http.NewRequestWithContext(ctx, method, s.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/json")
	c, done := make(chan *http.Response, 1), make(chan struct{})
	go func() {
		defer close(done)
		response, err := transport.RoundTrip(r)
		if err != nil {
			close(c)
			return
		}
		c <- response
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		transport.CloseIdleConnections()
	})
	return c, cancel
}

// leaseStream is the answer of a POST that holds a lease.
type leaseStream struct {
	t        *testing.T
	response *http.Response
	lines    *bufio.Reader
	leave    func()
}

func holdLease(t *testing.T, s *apitest.Server, secret, more string) *leaseStream {
	t.Helper()
	answered, leave := begin(t, s, secret, "POST", "/v1/leases", `{"aal":3,"target":"mock","hold":"connection"`+more+`}`)
	response := <-answered
	if response == nil {
		t.Fatal("no answer")
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("X-Request-Id") == "" {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("%d %v: %s", response.StatusCode, response.Header, text)
	}
	return &leaseStream{t: t, response: response, lines: bufio.NewReader(response.Body), leave: leave}
}

// next is the next event; kind is empty at the end of the stream.
func (l *leaseStream) next() (kind, data string) {
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			return kind, data
		}
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "event: "); ok {
			kind = rest
		} else if rest, ok := strings.CutPrefix(line, "data: "); ok {
			data = rest
		} else if line == "" && data != "" {
			return kind, data
		}
	}
}

func (l *leaseStream) want(kind string, into any) {
	l.t.Helper()
	got, data := l.next()
	if got != kind {
		l.t.Fatalf("the stream tells %q %s, want %q", got, data, kind)
	}
	if err := json.Unmarshal([]byte(data), into); err != nil {
		l.t.Fatalf("%v: %s", err, data)
	}
}

func (l *leaseStream) wantEnd() {
	l.t.Helper()
	if kind, data := l.next(); kind != "" || data != "" {
		l.t.Errorf("then %s %s, want the end", kind, data)
	}
}

func TestALeaseIsTakenRenewedAndReleased(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	secret := s.Token(t, contract.RightLease, contract.RightRead)
	got := call(t, s, secret, "POST", "/v1/leases", `{"authenticator":"card-1","target":"mock","purpose":"run 17"}`)
	var taken contract.NewLease
	if err := json.Unmarshal([]byte(got.body), &taken); err != nil || got.status != 201 {
		t.Fatalf("%v: %d %s", err, got.status, got.body)
	}
	got.wantSafeHeaders(t)
	if taken.Token == "" || taken.State != contract.LeaseActive || taken.Purpose != "run 17" || !strings.HasPrefix(taken.URL, "http://127.0.0.1:") {
		t.Errorf("taken %+v", taken)
	}
	for _, target := range []string{"/v1/leases", "/v1/leases/" + taken.ID} {
		if got := call(t, s, secret, "GET", target, ""); got.status != 200 || !strings.Contains(got.body, taken.ID) || strings.Contains(got.body, taken.Token) {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
	if n := metric(t, s, `authbridge_leases{state="active"}`); n != 1 {
		t.Errorf("%d active leases are measured", n)
	}
	if got := call(t, s, secret, "PATCH", "/v1/leases/"+taken.ID, `{"ttl":"1h"}`); got.status != 200 {
		t.Errorf("renewed: %d %s", got.status, got.body)
	}
	if got := call(t, s, secret, "PATCH", "/v1/leases/"+taken.ID, `{}`); got.status != 200 {
		t.Errorf("renewed as it was: %d %s", got.status, got.body)
	}
	if got := call(t, s, secret, "DELETE", "/v1/leases/"+taken.ID, ""); got.status != 200 || !strings.Contains(got.body, apitest.LeaseRemark) {
		t.Errorf("released: %d %s", got.status, got.body)
	}
	call(t, s, secret, "DELETE", "/v1/leases/"+taken.ID, "").wantProblem(t, "LEASE_OVER")
	call(t, s, secret, "GET", "/v1/leases/none", "").wantProblem(t, "LEASE_UNKNOWN")
	call(t, s, secret, "POST", "/v1/leases", `{"authenticator":"`+apitest.Nothing+`","target":"mock","hold":"connection"}`).wantProblem(t, "LEASE_UNMET")
}

func TestSomebodyElsesLeaseIsLeftAlone(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	owner := s.NamedToken(t, "owner", time.Hour, contract.RightLease)
	other := s.Token(t, contract.RightLease, contract.RightRead)
	lend(s, contract.Owner{TokenID: owner.ID, Name: "token owner"})
	for _, c := range []struct{ method, target, body string }{
		{"PATCH", "/v1/leases/" + apitest.SampleLease, `{}`},
		{"DELETE", "/v1/leases/" + apitest.SampleLease, ""},
		{"POST", "/v1/ceremonies", `{"lease":"` + apitest.SampleLease + `","fence":1,"type":"get"}`},
		{"DELETE", "/v1/ceremonies/" + apitest.SampleCeremony, ""},
		{"POST", "/v1/ceremonies/" + apitest.SampleCeremony + "/pin", `{"pin":"123456"}`},
	} {
		call(t, s, other, c.method, c.target, c.body).wantProblem(t, "LEASE_NOT_YOURS")
	}
	if calls := slices.Concat(s.Leases.Calls(), s.Ceremonies.Calls()); len(calls) != 0 {
		t.Errorf("it had its way: %q", calls)
	}
	admin := s.Token(t, contract.RightLease, contract.RightAdmin)
	call(t, s, admin, "PATCH", "/v1/leases/"+apitest.SampleLease, `{}`).wantProblem(t, "LEASE_NOT_YOURS")
	if got := call(t, s, admin, "DELETE", "/v1/leases/"+apitest.SampleLease, ""); got.status != 200 {
		t.Errorf("the admin: %d %s", got.status, got.body)
	}
}

// TestALeasesOwnTokenHasThatLeaseAndNoMore walks all routes.
func TestALeasesOwnTokenHasThatLeaseAndNoMore(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	s.NamedToken(t, "sample", time.Hour, contract.RightRead)
	open := map[string]bool{
		"PATCH /v1/leases/{id}": true, "DELETE /v1/leases/{id}": true,
		"POST /v1/ceremonies": true, "DELETE /v1/ceremonies/{id}": true, "POST /v1/ceremonies/{id}/pin": true,
	}
	owner := contract.Owner{TokenID: "token-1", Name: "token ci"}
	for pattern, sample := range rows() {
		method, _, _ := strings.Cut(pattern, " ")
		secret := lend(s, owner)
		got := call(t, s, secret, method, sample.target, sample.body)
		switch {
		case pattern == "GET /v1/logins/{id}/report", pattern == "DELETE /v1/logins/{id}": // no lease asked for that one
			got.wantProblem(t, "LOGIN_NOT_YOURS")
		case pattern == "POST /v1/pages", pattern == "POST /v1/pages/session": // a page would have the right read longer
			got.wantProblem(t, "FORBIDDEN")
		case pattern == "GET /v1/logins/report":
			got.wantProblem(t, "LOGIN_UNKNOWN")
		case sample.right == contract.RightRead, open[pattern]:
			if got.status != sample.status {
				t.Errorf("%s: %d %s", pattern, got.status, got.body)
			}
		default:
			got.wantProblem(t, "FORBIDDEN")
		}
	}
	// Another lease of the same owner is not its own.
	taken, err := s.Leases.Take(t.Context(), api.Caller{TokenID: "token-1", Name: "token ci"}.Asks(), contract.LeaseRequest{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := lend(s, owner)
	for _, c := range []struct{ method, target, body string }{
		{"PATCH", "/v1/leases/" + taken.ID, `{}`},
		{"DELETE", "/v1/leases/" + taken.ID, ""},
		{"POST", "/v1/ceremonies", fmt.Sprintf(`{"lease":%q,"fence":%d,"type":"get"}`, taken.ID, taken.Fence)},
	} {
		got := call(t, s, secret, c.method, c.target, c.body)
		got.wantProblem(t, "LEASE_NOT_YOURS")
		if c.method != "POST" && !strings.Contains(got.body, "this is the token of lease "+apitest.SampleLease) { // before anybody else is asked
			t.Errorf("%s %s: %s", c.method, c.target, got.body)
		}
		if c.method == "POST" { // the other way round
			call(t, s, taken.Token, "DELETE", "/v1/ceremonies/"+apitest.SampleCeremony, "").wantProblem(t, "LEASE_NOT_YOURS")
		}
	}
	if got := call(t, s, taken.Token, "DELETE", "/v1/leases/"+taken.ID, ""); got.status != 200 {
		t.Errorf("its own: %d %s", got.status, got.body)
	}
	call(t, s, taken.Token, "GET", "/v1/status", "").wantProblem(t, "LEASE_OVER")
}

// TestWhatALeasesTokenHoldsOpenEndsWithTheLease.
func TestWhatALeasesTokenHoldsOpenEndsWithTheLease(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	secret := lend(s, contract.Owner{Name: "user 1000"})
	wait, _ := begin(t, s, secret, "GET", "/v1/readiness?aal=3&target=mock&wait=5m", "")
	look, _ := begin(t, s, secret, "GET", "/v1/ceremonies/"+apitest.SampleCeremony+"?wait=2m", "")
	stream, _ := begin(t, s, secret, "GET", "/v1/events", "")
	events := <-stream
	for metric(t, s, "authbridge_http_held_requests") < 3 {
	}
	s.Leases.End(apitest.SampleLease, contract.EndExpired)
	if _, err := io.ReadAll(events.Body); err != nil {
		t.Errorf("the stream: %v", err)
	}
	_ = events.Body.Close()
	for name, answered := range map[string]<-chan *http.Response{"readiness": wait, "ceremony": look} {
		response := <-answered
		var p contract.Problem
		if err := json.NewDecoder(response.Body).Decode(&p); err != nil || p.Code != "LEASE_OVER" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		_ = response.Body.Close()
	}
}

func TestWhoGivesUpInTheQueueHasNoPlace(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	for name, hold := range map[string]string{"for a time": "", "by connection": `,"hold":"connection"`} {
		t.Run(name, func(t *testing.T) {
			lend(s, contract.Owner{Name: "user 1000"})
			call(t, s, s.Secret, "POST", "/v1/leases", `{"authenticator":"key-1","target":"mock"}`)
			_, leave := begin(t, s, s.Secret, "POST", "/v1/leases", `{"authenticator":"key-1","target":"mock","wait":"10m"`+hold+`}`)
			queued := func() int { return metric(t, s, `authbridge_leases{state="queued"}`) }
			until(t, s, "queued", func() bool { return queued() == 1 })
			leave()
			until(t, s, "gone", func() bool { return queued() == 0 })
		})
	}
}

func TestTheQueueEndsWithTokenAndDaemon(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	s.Leases.Lend(contract.Owner{})
	waiter := s.NamedToken(t, "waiter", time.Hour, contract.RightLease)
	if got := call(t, s, s.Secret, "POST", "/v1/leases", `{"authenticator":"key-1","target":"mock"}`); got.status != 201 {
		t.Fatal(got.body)
	}
	call(t, s, s.Secret, "POST", "/v1/leases", `{"authenticator":"key-1","target":"mock"}`).wantProblem(t, "LEASE_TAKEN")
	call(t, s, s.Secret, "POST", "/v1/leases", `{"authenticator":"key-1","target":"mock","wait":"1ms"}`).wantProblem(t, "LEASE_TIMEOUT")
	body := `{"authenticator":"key-1","target":"mock","wait":"10m"`
	plain, _ := begin(t, s, waiter.Secret, "POST", "/v1/leases", body+"}")
	until(t, s, "queued", func() bool { return metric(t, s, `authbridge_leases{state="queued"}`) == 1 })
	held := holdLease(t, s, waiter.Secret, `,"authenticator":"key-1","wait":"10m"`)
	var l contract.Lease
	held.want("queued", &l)
	if l.Position != 2 || l.Waiting == "" || l.State != contract.LeaseQueued {
		t.Errorf("queued %+v", l)
	}
	stays, _ := begin(t, s, s.Secret, "POST", "/v1/leases", body+"}")
	until(t, s, "three", func() bool { return metric(t, s, `authbridge_leases{state="queued"}`) == 3 })
	if got := call(t, s, s.Secret, "DELETE", "/v1/tokens/waiter", ""); got.status != 204 {
		t.Fatal(got.body)
	}
	wantCode(t, plain, "UNAUTHORIZED")
	var p contract.Problem
	for kind := "queued"; kind == "queued"; { // the other waiter's place comes free meanwhile
		var data string
		if kind, data = held.next(); kind != "queued" {
			if err := json.Unmarshal([]byte(data), &p); err != nil || kind != "problem" || p.Code != "UNAUTHORIZED" {
				t.Errorf("%s %s", kind, data)
			}
		}
	}
	held.wantEnd()
	if calls := s.Leases.Calls(); !slices.Contains(calls, "revoked "+waiter.ID) {
		t.Errorf("calls %q", calls)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, stays, "SHUTTING_DOWN")
}

func wantCode(t *testing.T, answered <-chan *http.Response, code string) {
	t.Helper()
	response := <-answered
	if response == nil {
		t.Fatal("no answer")
	}
	defer response.Body.Close()
	var p contract.Problem
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil || p.Code != code {
		t.Errorf("%+v, %v, want %s", p, err, code)
	}
}

func TestALeaseHeldByItsConnectionEndsWithIt(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	first := holdLease(t, s, s.Secret, `,"authenticator":"key-1"`)
	var taken contract.NewLease
	first.want("taken", &taken)
	if taken.Token == "" || taken.Hold != contract.HoldConnection {
		t.Errorf("taken %+v", taken)
	}
	next := holdLease(t, s, s.Secret, `,"authenticator":"key-1","wait":"10m"`)
	var l contract.Lease
	next.want("queued", &l)
	first.leave()
	next.want("taken", &taken) // without anybody's release
	if calls := s.Leases.Calls(); !strings.HasPrefix(calls[len(calls)-1], "dropped ") {
		t.Errorf("calls %q", calls)
	}

	// The daemon ends a lease: the stream tells how, and ends.
	if got := call(t, s, taken.Token, "DELETE", "/v1/leases/"+taken.ID, ""); got.status != 200 {
		t.Fatal(got.body)
	}
	next.want("ended", &l)
	if l.End != contract.EndReleased || len(l.Remarks) != 1 {
		t.Errorf("ended %+v", l)
	}
	next.wantEnd()
}

func TestALeaseHeldByItsConnectionEndsWithTheDaemonAndTheToken(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	token := s.NamedToken(t, "holder", time.Hour, contract.RightLease)
	var taken contract.NewLease
	var l contract.Lease
	revoked := holdLease(t, s, token.Secret, "")
	revoked.want("taken", &taken)
	stopped := holdLease(t, s, s.Secret, "")
	stopped.want("taken", &taken)
	call(t, s, s.Secret, "DELETE", "/v1/tokens/holder", "")
	revoked.want("ended", &l)
	if l.End != contract.EndRevoked {
		t.Errorf("ended %+v", l)
	}
	revoked.wantEnd()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	stopped.want("ended", &l)
	stopped.wantEnd()
}

func TestWhoseCardALeaseAsksForIsForIdentityOnly(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	without := s.Token(t, contract.RightLease, contract.RightRead)
	body := `{"aal":3,"target":"mock","user":"` + user + `"`
	taken := call(t, s, without, "POST", "/v1/leases", body+"}")
	if taken.status != 201 || strings.Contains(taken.body, user) || !strings.Contains(taken.body, "*********678") {
		t.Errorf("%d %s", taken.status, taken.body)
	}
	var l contract.NewLease
	held := holdLease(t, s, without, `,"user":"`+user+`"`)
	held.want("taken", &l)
	if l.Requirement.User != "*********678" {
		t.Errorf("held %+v", l.Requirement)
	}
	for _, target := range []string{"/v1/leases", "/v1/leases/" + l.ID} {
		if got := call(t, s, without, "GET", target, ""); strings.Contains(got.body, user) {
			t.Errorf("%s: %s", target, got.body)
		}
		if got := call(t, s, s.Secret, "GET", target, ""); !strings.Contains(got.body, user) {
			t.Errorf("with identity %s: %s", target, got.body)
		}
	}
}

// TestHoweverTheConnectionEndsTheLeaseDoes.
func TestHoweverTheConnectionEndsTheLeaseDoes(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	for name, end := range map[string]func(*net.TCPConn) error{
		"closed":      (*net.TCPConn).Close,
		"half-closed": (*net.TCPConn).CloseWrite,
		"reset":       func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			const body = `{"aal":3,"target":"mock","hold":"connection"}`
			_, _ = fmt.Fprintf(conn, "POST /v1/leases HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				strings.TrimPrefix(s.URL, "http://"), s.Secret, len(body), body)
			lines := bufio.NewReader(conn)
			for line := ""; !strings.HasPrefix(line, "event: taken"); {
				if line, err = lines.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			if err := end(conn.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			until(t, s, "dropped", func() bool { return len(s.Leases.Leases()) == 0 })
		})
	}
}
