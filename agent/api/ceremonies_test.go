package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api"
	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

const sampleCeremony = `{"lease":"` + apitest.SampleLease + `","fence":1,"type":"get","options":{"challenge":"AA","allowCredentials":[{"id":"AQ","type":"public-key"}],"extensions":{"value":1,"pin":"no PIN"}}`

func decodeCeremony(t *testing.T, text string) contract.Ceremony {
	t.Helper()
	var c contract.Ceremony
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return c
}

func TestACeremonyIsBegunFollowedAndCancelled(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	token := s.NamedToken(t, "owner", time.Hour, contract.RightLease, contract.RightRead)
	lend(s, contract.Owner{TokenID: token.ID, Name: "token owner"})
	got := call(t, s, token.Secret, "POST", "/v1/ceremonies", sampleCeremony+"}")
	c := decodeCeremony(t, got.body)
	if got.status != 202 || c.State != contract.CeremonyTouch || c.Prompt == nil || c.Prompt.Text != apitest.Asked {
		t.Fatalf("%d %s", got.status, got.body)
	}
	call(t, s, token.Secret, "POST", "/v1/ceremonies", strings.Replace(sampleCeremony, `"fence":1`, `"fence":7`, 1)+"}").wantProblem(t, "LEASE_FENCED")
	without := decodeCeremony(t, call(t, s, token.Secret, "POST", "/v1/ceremonies", strings.Replace(sampleCeremony, `"fence":1,`, "", 1)+"}").body)
	if without.State != contract.CeremonyTouch {
		t.Errorf("with the fence in the lease's id: %+v", without)
	}
	if got := call(t, s, token.Secret, "GET", "/v1/ceremonies/"+c.ID+"?wait=1ms", ""); got.status != 200 || decodeCeremony(t, got.body).State != contract.CeremonyTouch {
		t.Errorf("looked at for a moment: %d %s", got.status, got.body)
	}
	look, _ := begin(t, s, token.Secret, "GET", "/v1/ceremonies/"+c.ID+"?wait=2m", "")
	for metric(t, s, "authbridge_http_held_requests") < 1 {
	}
	s.Ceremonies.Finish(c.ID, contract.CeremonyDone, apitest.Credential())
	if over := ceremonyIn(t, <-look); over.State != contract.CeremonyDone || over.Result == nil {
		t.Errorf("over: %+v", over)
	}
	for !strings.Contains(call(t, s, s.Secret, "GET", "/metrics", "").body, `authbridge_ceremonies_total{type="get",origin="virtual",outcome="done"} 1`) {
	}

	again := decodeCeremony(t, call(t, s, token.Secret, "POST", "/v1/ceremonies", sampleCeremony+"}").body)
	if got := call(t, s, token.Secret, "DELETE", "/v1/ceremonies/"+again.ID, ""); got.status != 200 || decodeCeremony(t, got.body).State != contract.CeremonyCancelled {
		t.Errorf("cancelled: %d %s", got.status, got.body)
	}
	for _, c := range []struct{ method, target, body string }{
		{"GET", "/v1/ceremonies/none", ""}, {"GET", "/v1/ceremonies/none?wait=1s", ""}, {"DELETE", "/v1/ceremonies/none", ""}, {"POST", "/v1/ceremonies/none/pin", `{"pin":"123456"}`},
	} {
		call(t, s, token.Secret, c.method, c.target, c.body).wantProblem(t, "CEREMONY_UNKNOWN")
	}
	call(t, s, token.Secret, "GET", "/v1/ceremonies/"+c.ID+"?wait=3m", "").wantProblem(t, "BAD_REQUEST")
}

func ceremonyIn(t *testing.T, response *http.Response) contract.Ceremony {
	t.Helper()
	if response == nil {
		t.Fatal("no answer")
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", response.StatusCode, text, err)
	}
	return decodeCeremony(t, string(text))
}

func TestWhoWaitsForACeremonyGetsItsEndAndGoingAwayCancelsIt(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	token := s.NamedToken(t, "owner", time.Hour, contract.RightLease)
	lend(s, contract.Owner{TokenID: token.ID, Name: "token owner"})
	under := func(n int) string { return "ceremony-" + string(rune('0'+n)) }
	state := func(n int) contract.CeremonyState {
		c, _, _ := s.Ceremonies.Ceremony(under(n))
		return c.State
	}
	waiting := func(n int) {
		for state(n) != contract.CeremonyTouch || metric(t, s, "authbridge_http_held_requests") < 1 {
		}
	}
	answered, _ := begin(t, s, token.Secret, "POST", "/v1/ceremonies", sampleCeremony+`,"wait":true}`)
	waiting(1)
	s.Ceremonies.Finish(under(1), contract.CeremonyDone, apitest.Credential())
	if c := ceremonyIn(t, <-answered); c.State != contract.CeremonyDone || c.Result == nil || !strings.Contains(string(c.Result.Credential), "the-credential") {
		t.Errorf("%+v", c)
	}

	_, leave := begin(t, s, token.Secret, "POST", "/v1/ceremonies", sampleCeremony+`,"wait":true}`)
	waiting(2)
	leave()
	for state(2) != contract.CeremonyCancelled {
	}

	answered, _ = begin(t, s, token.Secret, "POST", "/v1/ceremonies", sampleCeremony+`,"wait":true}`)
	waiting(3)
	call(t, s, s.Secret, "DELETE", "/v1/tokens/owner", "")
	wantCode(t, answered, "UNAUTHORIZED")
	if state(3) != contract.CeremonyCancelled {
		t.Errorf("after the token it is %s", state(3))
	}

	own := lend(s, contract.Owner{Name: "user 1000"})
	answered, _ = begin(t, s, own, "POST", "/v1/ceremonies", sampleCeremony+`,"wait":true}`)
	waiting(4)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, answered, "SHUTTING_DOWN")
	if state(4) != contract.CeremonyCancelled {
		t.Errorf("after the daemon it is %s", state(4))
	}
}

// TestWhatACeremonyAsksIsTheOwnersAlone: on every way by which it can be seen.
func TestWhatACeremonyAsksIsTheOwnersAlone(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	owner := s.NamedToken(t, "owner", time.Hour, contract.RightLease, contract.RightRead)
	other := s.Token(t, contract.Rights...) // not even with all rights
	for name, c := range map[string]struct {
		owner contract.Owner
		sees  func(own string) (secret string, overSocket bool)
	}{
		"token":            {contract.Owner{TokenID: owner.ID, Name: "token owner"}, func(string) (string, bool) { return owner.Secret, false }},
		"lease's own":      {contract.Owner{TokenID: "token-gone", Name: "token gone"}, func(own string) (string, bool) { return own, false }},
		"operating system": {contract.Owner{Name: "user 1000"}, func(string) (string, bool) { return "", true }},
	} {
		for _, state := range []contract.CeremonyState{contract.CeremonyTouch, contract.CeremonyFailed} {
			t.Run(name+" "+string(state), func(t *testing.T) {
				own := s.Leases.Lend(c.owner)
				owners, socket := c.sees(own)
				seen := startEvents(t, s, owners, socket)
				hidden := startEvents(t, s, other, false)
				s.Ceremonies.Stage(c.owner, state)
				for _, target := range []string{"/v1/ceremonies", "/v1/ceremonies/" + apitest.SampleCeremony} {
					if got := call(t, s, other, "GET", target, ""); got.status != 200 || strings.Contains(got.body, apitest.Asked) || !strings.Contains(got.body, apitest.SampleCeremony) {
						t.Errorf("others see at %s: %s", target, got.body)
					}
					if got := ask(t, s, owners, socket, target); !strings.Contains(got.body, apitest.Asked) {
						t.Errorf("the owner does not see at %s: %s", target, got.body)
					}
				}
				if event := seen(); !strings.Contains(event, apitest.Asked) {
					t.Errorf("the owner is not told: %s", event)
				}
				if event := hidden(); strings.Contains(event, apitest.Asked) || !strings.Contains(event, apitest.SampleCeremony) {
					t.Errorf("others are told: %s", event)
				}
			})
		}
	}
}

func ask(t *testing.T, s *apitest.Server, secret string, socket bool, target string) answer {
	t.Helper()
	if !socket {
		return call(t, s, secret, "GET", target, "")
	}
	r := newRequest("GET", row{target: target}, "", "none")
	r.del("Authorization")
	r.set("Host", "localhost")
	return r.send(t, "unix", s.Socket)
}

// startEvents follows the events, and gives what waits for the first of a
// ceremony.
func startEvents(t *testing.T, s *apitest.Server, secret string, socket bool) func() string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if socket {
		transport.DialContext = dialSocket(s)
		r.URL.Host, r.Host = "localhost", "localhost"
	} else {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(response.Body)
	next := func(prefix string) string {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("the stream ended: %v", err)
			}
			if strings.HasPrefix(line, prefix) {
				return line
			}
		}
	}
	next("event: snapshot")
	return func() string {
		defer response.Body.Close()
		// The last of those that were told at once.
		next("event: ceremony.changed")
		return next("data: ")
	}
}

func TestBlocksAreListedAndCleared(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	read := s.Token(t, contract.RightRead)
	for _, id := range []string{"card-1", "card-gone"} { // one that is not there keeps its block
		if got := call(t, s, read, "GET", "/v1/authenticators/"+id+"/blocks", ""); got.status != 200 || strings.Count(got.body, apitest.Blocked) != 1 || !strings.Contains(got.body, id) {
			t.Errorf("%s: %d %s", id, got.status, got.body)
		}
	}
	if got := call(t, s, read, "GET", "/v1/authenticators/key-1/blocks", ""); got.status != 200 || strings.TrimSpace(got.body) != "[]" {
		t.Errorf("none: %d %s", got.status, got.body)
	}
	if got := call(t, s, s.Secret, "DELETE", "/v1/authenticators/card-gone/blocks", ""); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if calls := s.Ceremonies.Calls(); !slices.Equal(calls, []string{"unblock card-gone"}) {
		t.Errorf("calls %q", calls)
	}
}

// TestOneOwnerIsNotAnother: names of tokens are their makers' to choose.
func TestOneOwnerIsNotAnother(t *testing.T) {
	token, user, lease := contract.Owner{TokenID: "t1", Name: "token ci", Lease: "l1"}, contract.Owner{Name: "user 1000", Lease: "l2"}, contract.Owner{TokenID: "t2", Lease: "l3"}
	for name, c := range map[string]struct {
		caller api.Caller
		owner  contract.Owner
		owns   bool
	}{
		"its token":                     {api.Caller{TokenID: "t1", Name: "token ci"}, token, true},
		"its lease's token":             {api.Caller{Lease: "l1", Name: "lease of token ci"}, token, true},
		"its user":                      {api.Caller{Name: "user 1000"}, user, true},
		"another token of that name":    {api.Caller{TokenID: "t3", Name: "token ci"}, token, false},
		"a token with the user's name":  {api.Caller{TokenID: "t3", Name: "user 1000"}, user, false},
		"a user with the token's name":  {api.Caller{Name: "token ci"}, token, false},
		"the token of another lease":    {api.Caller{Lease: "l2"}, token, false},
		"a nameless user":               {api.Caller{}, contract.Owner{}, false},
		"a nameless user, a token's":    {api.Caller{}, lease, false},
		"another user":                  {api.Caller{Name: "user 1001"}, user, false},
		"a lease's token, by that name": {api.Caller{Lease: "l9", Name: "user 1000"}, user, false},
	} {
		if got := c.caller.Owns(c.owner); got != c.owns {
			t.Errorf("%s: %t, want %t", name, got, c.owns)
		}
	}
}

// TestTheCertificateOfASignatureIsForIdentityOnly: it names the card's holder,
// whichever way the owner is told of the ceremony.
func TestTheCertificateOfASignatureIsForIdentityOnly(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	s.Leases.Careless = "the card of " + holder + ", " + user
	const encoded = "UXVpbGxmZWF0aGVy" // of the certificate's beginning
	for _, c := range []struct {
		name   string
		rights []contract.Right
		shows  bool
	}{
		{"without", []contract.Right{contract.RightLease, contract.RightRead}, false},
		{"with", []contract.Right{contract.RightLease, contract.RightRead, contract.RightIdentity}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := s.NamedToken(t, c.name, time.Hour, c.rights...)
			lend(s, contract.Owner{TokenID: token.ID, Name: "token " + c.name})
			told := func(text, want string) {
				t.Helper()
				if shows := strings.Contains(text, holder) || strings.Contains(text, user) || strings.Contains(text, encoded); shows != c.shows || !strings.Contains(text, want) {
					t.Errorf("it tells whose card it is: %t, want %t; and %q: %s", shows, c.shows, want, text)
				}
			}
			got := call(t, s, token.Secret, "POST", "/v1/ceremonies", sampleCeremony+"}")
			told(got.body, apitest.Asked)
			s.Ceremonies.Finish(decodeCeremony(t, got.body).ID, contract.CeremonyDone, apitest.Signature(holder))
			told(call(t, s, token.Secret, "GET", "/v1/ceremonies/"+decodeCeremony(t, got.body).ID, "").body, `"signature":"AQ=="`)
			told(call(t, s, token.Secret, "DELETE", "/v1/ceremonies/"+decodeCeremony(t, got.body).ID, "").body, `"signature":"AQ=="`)
			told(call(t, s, token.Secret, "DELETE", "/v1/ceremonies/"+apitest.SampleCeremony, "").body, apitest.Asked) // its problem
			told(call(t, s, token.Secret, "PATCH", "/v1/leases/"+apitest.SampleLease, "{}").body, apitest.SampleLease)
		})
	}
}

// TestAPersonIsToldWhichProgramAsks by the word of the operating system, which has
// one of the socket alone. What a client calls itself counts for nothing.
func TestAPersonIsToldWhichProgramAsks(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	token := s.NamedToken(t, "owner", time.Hour, contract.RightLease)
	lend(s, contract.Owner{TokenID: token.ID, Name: "token owner"})
	for network, c := range map[string]struct{ address, host, want string }{
		"unix": {s.Socket, "localhost", "token owner by " + apitest.AtTheSocket},
		"tcp":  {strings.TrimPrefix(s.URL, "http://"), "127.0.0.1:" + portOf(s.URL), "token owner by "},
	} {
		r := newRequest("POST", row{target: "/v1/ceremonies", body: sampleCeremony + "}"}, "", token.Secret)
		r.set("Host", c.host)
		r.set("User-Agent", "firefox")
		got := r.send(t, network, c.address)
		begun := decodeCeremony(t, got.body)
		if begun.Prompt == nil || begun.Prompt.Asker != c.want || begun.Prompt.RPID != "localhost" {
			t.Errorf("%s: %d %s", network, got.status, got.body)
		}
	}
}
