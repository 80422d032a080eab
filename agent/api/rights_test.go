package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// The users of these tests, as the system service sees them.
const stranger, member, seated, administrator = "4001", "4002", "4003", "4004"

func usersOfAMachine() *apitest.Users {
	return apitest.NewUsers(stranger, map[string][]contract.Right{
		"":            contract.Rights, // of the test's own token
		stranger:      {contract.RightRead},
		member:        {contract.RightRead, contract.RightLease, contract.RightVirtual},
		seated:        {contract.RightRead, contract.RightLease, contract.RightVirtual, contract.RightPhysical},
		administrator: contract.Rights,
	})
}

// askAs sends a request by the socket, as the user who is there.
func askAs(t *testing.T, s *apitest.Server, method, target, body string) answer {
	t.Helper()
	r := newRequest(method, row{target: target, body: body}, "", "")
	r.del("Authorization")
	r.set("Host", "localhost")
	return r.send(t, "unix", s.Socket)
}

// TestEveryRouteAsksWhoTheUserIs walks all routes as each kind of user.
func TestEveryRouteAsksWhoTheUserIs(t *testing.T) {
	users := usersOfAMachine()
	s := apitest.Start(t, apitest.Options{Users: users})
	observeOneOfEach(t, s)
	for _, id := range []string{stranger, member, seated, administrator} {
		users.Come(id)
		may := users.Allowed(id)
		for pattern, sample := range rows() {
			// Tokens, and a word on a session, of their own are for all who may lease.
			ownToken := (strings.Contains(pattern, "/v1/tokens") || strings.Contains(pattern, "/v1/workstation")) && slices.Contains(may, contract.RightLease)
			_ = s.Store.RevokeToken(t.Context(), "sample")
			switch pattern {
			case "POST /v1/tokens":
				sample.body = `{"name":"sample","rights":["read"]}`
			case "DELETE /v1/tokens/{id}":
				if _, err := s.Store.CreateToken(t.Context(), id, "sample", []contract.Right{contract.RightRead}, time.Hour); err != nil {
					t.Fatal(err)
				}
			}
			lend(s, contract.Owner{Name: "user " + id, UserID: id})
			method, _, _ := strings.Cut(pattern, " ")
			got := askAs(t, s, method, sample.target, sample.body)
			if ownToken || slices.Contains(may, sample.right) {
				if got.status != sample.status {
					t.Errorf("%s as %s: %d %s", pattern, id, got.status, got.body)
				}
			} else {
				got.wantProblem(t, "FORBIDDEN")
			}
		}
	}
}

// mint makes a token as the user who is at the socket.
func mint(t *testing.T, s *apitest.Server, name, rights string) contract.NewToken {
	t.Helper()
	got := askAs(t, s, "POST", "/v1/tokens", fmt.Sprintf(`{"name":%q,"rights":[%s]}`, name, rights))
	var token contract.NewToken
	if err := json.Unmarshal([]byte(got.body), &token); err != nil || got.status != 201 {
		t.Fatalf("%v: %d %s", err, got.status, got.body)
	}
	return token
}

// TestATokenHasWhatItsUserHas now, by TCP as over the socket, and a member's is
// one's own affair.
func TestATokenHasWhatItsUserHas(t *testing.T) {
	users := usersOfAMachine()
	s := apitest.Start(t, apitest.Options{Users: users})
	observeOneOfEach(t, s)
	users.Come(seated)
	askAs(t, s, "POST", "/v1/tokens", `{"name":"more","rights":["read","identity"]}`).wantProblem(t, "FORBIDDEN")
	askAs(t, s, "POST", "/v1/tokens", `{"name":"more","rights":["admin"]}`).wantProblem(t, "FORBIDDEN")
	token := mint(t, s, "hers", `"read","lease","physical"`)
	lease := mint(t, s, "only lease", `"lease"`)
	if token.User != seated {
		t.Errorf("it is of %q", token.User)
	}
	take := func() answer { return call(t, s, token.Secret, "POST", "/v1/leases", `{"aal":3,"target":"mock"}`) }
	if got := take(); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	users.Set(seated, contract.RightRead) // has left the group
	take().wantProblem(t, "FORBIDDEN")
	if got := call(t, s, token.Secret, "GET", "/v1/status", ""); got.status != 200 {
		t.Errorf("what is left: %d %s", got.status, got.body)
	}
	call(t, s, lease.Secret, "GET", "/v1/status", "").wantProblem(t, "UNAUTHORIZED") // nothing is
	users.Set(seated, contract.Rights...)
	if got := take(); got.status != 201 {
		t.Errorf("back in the group: %d %s", got.status, got.body)
	}
	call(t, s, token.Secret, "GET", "/v1/tokens", "").wantProblem(t, "FORBIDDEN") // it has no more than was asked for
}

// TestAUsersTokensAreTheirOwn: a member sees and ends no other's, an administrator
// everybody's; and neither a token nor a page makes any.
func TestAUsersTokensAreTheirOwn(t *testing.T) {
	users := usersOfAMachine()
	s := apitest.Start(t, apitest.Options{Users: users})
	names := func() string {
		var list []contract.Token
		if err := json.Unmarshal([]byte(askAs(t, s, "GET", "/v1/tokens", "").body), &list); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, token := range list {
			if token.User != "" { // those of the test itself
				names = append(names, token.Name)
			}
		}
		return strings.Join(names, " ")
	}
	users.Come(seated)
	mint(t, s, "theirs", `"read"`)
	users.Come(member)
	mine := mint(t, s, "mine", `"read","lease"`)
	if got := names(); got != "mine" {
		t.Errorf("a member sees %q", got)
	}
	askAs(t, s, "DELETE", "/v1/tokens/theirs", "").wantProblem(t, "NOT_FOUND")
	call(t, s, mine.Secret, "POST", "/v1/tokens", `{"name":"heir","rights":["read"]}`).wantProblem(t, "FORBIDDEN")
	page := enterPage(t, s, open(t, s).Code)
	call(t, s, page.Token, "POST", "/v1/tokens", `{"name":"heir","rights":["read"]}`).wantProblem(t, "FORBIDDEN")
	users.Come(administrator)
	if got := names(); got != "theirs mine" {
		t.Errorf("an administrator sees %q", got)
	}
	if got := askAs(t, s, "DELETE", "/v1/tokens/theirs", ""); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	users.Come(member)
	if got := askAs(t, s, "DELETE", "/v1/tokens/"+mine.ID, ""); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	for n := range 64 {
		mint(t, s, fmt.Sprintf("m%d", n), `"read"`)
	}
	askAs(t, s, "POST", "/v1/tokens", `{"name":"one more","rights":["read"]}`).wantProblem(t, "CONFLICT")
}

// open has the way into the page given to the user at the socket.
func open(t *testing.T, s *apitest.Server) contract.NewPage {
	t.Helper()
	var page contract.NewPage
	if got := askAs(t, s, "POST", "/v1/pages", ""); json.Unmarshal([]byte(got.body), &page) != nil || got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	return page
}

// TestAPageHasWhatItsUserHas, also one whose code was handed out before.
func TestAPageHasWhatItsUserHas(t *testing.T) {
	users := usersOfAMachine()
	s := apitest.Start(t, apitest.Options{Users: users})
	observeOneOfEach(t, s)
	users.Come(member)
	page, early := enterPage(t, s, open(t, s).Code), open(t, s)
	if got := call(t, s, page.Token, "GET", "/v1/virtual", ""); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	users.Set(member, contract.RightRead)
	late := enterPage(t, s, early.Code)
	for name, secret := range map[string]string{"open before": page.Token, "opened after": late.Token} {
		call(t, s, secret, "GET", "/v1/virtual", "").wantProblem(t, "FORBIDDEN")
		if got := call(t, s, secret, "GET", "/v1/status", ""); got.status != 200 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if !slices.Equal(late.Rights, []contract.Right{contract.RightRead}) {
		t.Errorf("the page is told of %v", late.Rights)
	}
}

// held is a call that waits, on a connection of its own.
type held struct {
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

func hold(t *testing.T, network, address, host, secret, target string) *held {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if secret != "" {
		secret = "Authorization: Bearer " + secret + "\r\n"
	}
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", target, host, secret)
	return &held{t, conn, bufio.NewReader(conn)}
}

// begins reads until the stream has told of the snapshot.
func (h *held) begins() *held {
	h.t.Helper()
	for {
		line, err := h.reader.ReadString('\n')
		if err != nil {
			h.t.Fatalf("the stream does not begin: %v", err)
		}
		if strings.HasPrefix(line, "data: ") {
			return h
		}
	}
}

// ends reads the stream to its end.
func (h *held) ends() {
	h.t.Helper()
	for {
		line, err := h.reader.ReadString('\n')
		switch {
		case err != nil:
			h.t.Errorf("it was cut off: %v", err)
			return
		case line == "0\r\n": // the last chunk
			return
		}
	}
}

// TestWhatIsHeldOpenEndsWithTheRight: streams and waits, of the user and of a token
// of theirs, by the socket and by TCP; others' go on.
func TestWhatIsHeldOpenEndsWithTheRight(t *testing.T) {
	users := usersOfAMachine()
	s := apitest.Start(t, apitest.Options{Users: users})
	observeOneOfEach(t, s)
	tcp := strings.TrimPrefix(s.URL, "http://")
	users.Come(seated)
	token := mint(t, s, "hers", `"read","lease"`)
	theirs := []*held{
		hold(t, "unix", s.Socket, "localhost", "", "/v1/events").begins(),
		hold(t, "tcp", tcp, tcp, token.Secret, "/v1/events").begins(),
	}
	const wait = "/v1/readiness?aal=3&target=int&kind=platform&wait=60s"
	waits := []*held{hold(t, "unix", s.Socket, "localhost", "", wait), hold(t, "tcp", tcp, tcp, token.Secret, wait)}
	heldNow(t, s, 4)
	users.Come(stranger)
	other := hold(t, "unix", s.Socket, "localhost", "", "/v1/events").begins()
	heldNow(t, s, 5)

	// Leaves the screen: what is left to them goes on.
	users.Set(seated, contract.RightRead, contract.RightLease, contract.RightVirtual)
	s.Observe(t, nothing())
	for _, h := range append(theirs, other) {
		h.begins() // of the next event
	}
	heldNow(t, s, 5)

	users.Set(seated, contract.RightRead) // leaves the group
	for _, h := range theirs {
		h.ends()
	}
	for _, h := range waits {
		response, err := http.ReadResponse(h.reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("a wait ends with %d", response.StatusCode)
		}
		_ = response.Body.Close()
	}
	observeOneOfEach(t, s)
	other.begins()
}

// heldNow waits until so many calls are held.
func heldNow(t *testing.T, s *apitest.Server, want int) {
	t.Helper()
	line := fmt.Sprintf("authbridge_http_held_requests %d\n", want)
	for end := time.Now().Add(time.Minute); ; {
		got := call(t, s, s.Secret, "GET", "/metrics", "").body
		if strings.Contains(got, line) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("want %q in %s", line, got)
		}
	}
}
