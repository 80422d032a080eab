package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// TestATokenThatEndsWhileItsBodyComes: who is let in with the header has some
// seconds for the body. A token that is revoked meanwhile must not become a page,
// a lease or another token, which would outlive it.
func TestATokenThatEndsWhileItsBodyComes(t *testing.T) {
	t.Parallel()
	s := apitest.Start(t, apitest.Options{})
	address := strings.TrimPrefix(s.URL, "http://")
	for path, body := range map[string]string{
		"/v1/pages":         "{}",
		"/v1/pages/session": "{}",
		"/v1/leases":        `{"target":"mock","aal":3}`,
		"/v1/tokens":        `{"name":"heir","rights":["read"]}`,
	} {
		token := s.NamedToken(t, "ends", time.Hour, contract.Rights...)
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
			path, address, token.Secret, len(body))
		reader := bufio.NewReader(conn)
		// The server asks for the body once it has let the caller in.
		if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("%s: %q, %v", path, line, err)
		}
		if _, err := reader.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if got := call(t, s, s.Secret, "DELETE", "/v1/tokens/ends", ""); got.status != 204 {
			t.Fatal(got.body)
		}
		_, _ = io.WriteString(conn, body)
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusUnauthorized || response.Header.Get("Www-Authenticate") == "" {
			t.Errorf("%s: status %d", path, response.StatusCode)
		}
		_ = response.Body.Close()
	}
	for _, token := range s.Store.Tokens() {
		if token.Name == "heir" {
			t.Error("a revoked token has made another")
		}
	}
}

// TestAPageIsNothingWithoutItsToken: also between the moment at which a token is
// revoked and the one at which its pages are taken away.
func TestAPageIsNothingWithoutItsToken(t *testing.T) {
	t.Parallel()
	s := apitest.Start(t, apitest.Options{})
	opener := s.NamedToken(t, "opener", time.Hour, contract.RightRead)
	page, code := enterPage(t, s, openPage(t, s, opener.Secret).Code), openPage(t, s, opener.Secret).Code
	if err := s.Store.RevokeToken(t.Context(), "opener"); err != nil {
		t.Fatal(err)
	}
	call(t, s, page.Token, "GET", "/v1/status", "").wantProblem(t, "UNAUTHORIZED")
	call(t, s, code, "POST", "/v1/pages/session", "").wantProblem(t, "UNAUTHORIZED")
}
