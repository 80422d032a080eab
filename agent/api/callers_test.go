package api_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// TestOverTheSocketTheUserIsTheCredential walks all routes as each kind of
// user.
func TestOverTheSocketTheUserIsTheCredential(t *testing.T) {
	for name, c := range map[string]struct {
		users *apitest.Users
		code  string // of the refusal; empty: let in
	}{
		"owner":         {users: nil},
		"another user":  {users: apitest.NewUsers("1001", map[string][]contract.Right{"": contract.Rights}), code: "FORBIDDEN"},
		"nobody we see": {users: apitest.Strangers(errors.New("no peer credentials")), code: "UNAUTHORIZED"},
	} {
		t.Run(name, func(t *testing.T) {
			options := apitest.Options{}
			if c.users != nil {
				options.Users = c.users
			}
			s := apitest.Start(t, options)
			observeOneOfEach(t, s)
			s.NamedToken(t, "sample", time.Hour, contract.RightRead)
			for pattern, sample := range rows() {
				lend(s, contract.Owner{Name: "user 1000"})
				method, _, _ := strings.Cut(pattern, " ")
				if pattern == "POST /v1/tokens" {
					sample.body = `{"name":"another","rights":["read"]}`
				}
				r := newRequest(method, sample, "", "none")
				r.del("Authorization")
				r.set("Host", "localhost")
				got := r.send(t, "unix", s.Socket)
				if c.code != "" {
					got.wantProblem(t, c.code)
				} else if got.status != sample.status {
					t.Errorf("%s: status %d, want %d: %s", pattern, got.status, sample.status, got.body)
				}
			}
			if orders := slices.Concat(s.Devices.Orders(), s.Leases.Calls(), s.Ceremonies.Calls(), s.Logins.Calls()); c.code != "" && len(orders) != 0 {
				t.Errorf("orders %v", orders)
			}
		})
	}
}

// TestTheSocketIsNoWayForTheWeb: somebody may forward a port to it.
func TestTheSocketIsNoWayForTheWeb(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	for name, c := range map[string]struct{ header, value, code string }{
		"foreign Host":         {"Host", "evil.example", "HOST_REFUSED"},
		"foreign Host, port":   {"Host", "evil.example:80", "HOST_REFUSED"},
		"look-alike Host":      {"Host", "localhost.evil.example", "HOST_REFUSED"},
		"Origin":               {"Origin", "http://evil.example", "ORIGIN_REFUSED"},
		"Origin like the Host": {"Origin", "http://localhost", "ORIGIN_REFUSED"},
		"Origin null":          {"Origin", "null", "ORIGIN_REFUSED"},
		"cross-site":           {"Sec-Fetch-Site", "cross-site", "ORIGIN_REFUSED"},
		"wrong token":          {"Authorization", "Bearer authbridge_wrong", "UNAUTHORIZED"},
	} {
		for pattern, sample := range rows() {
			method, _, _ := strings.Cut(pattern, " ")
			r := newRequest(method, sample, "", "none")
			r.del("Authorization")
			r.set("Host", "localhost")
			r.set(c.header, c.value)
			got := r.send(t, "unix", s.Socket)
			if p := got.problem(t); p.Code != c.code {
				t.Errorf("%s on %s: %s, want %s", name, pattern, p.Code, c.code)
			}
		}
	}
	if orders := s.Devices.Orders(); len(orders) != 0 {
		t.Errorf("orders %v", orders)
	}
}

// TestATokenOverTheSocketMeansWhatItSays: less than its user.
func TestATokenOverTheSocketMeansWhatItSays(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	r := newRequest("GET", row{target: "/v1/tokens"}, "", s.Token(t, contract.RightRead))
	r.set("Host", "localhost")
	r.send(t, "unix", s.Socket).wantProblem(t, "FORBIDDEN")
}

func TestATokenHandsOnNoRightItHasNot(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	admin := s.Token(t, contract.RightAdmin, contract.RightRead)
	for _, right := range contract.Rights {
		got := call(t, s, admin, "POST", "/v1/tokens", `{"name":"new `+string(right)+`","rights":["read","`+string(right)+`"]}`)
		if right == contract.RightAdmin || right == contract.RightRead {
			if got.status != 201 {
				t.Errorf("%s: %d %s", right, got.status, got.body)
			}
			continue
		}
		got.wantProblem(t, "FORBIDDEN")
	}
	call(t, s, admin, "POST", "/v1/tokens", `{"name":"none","rights":[]}`).wantProblem(t, "BAD_REQUEST")
	call(t, s, admin, "POST", "/v1/tokens", `{"name":"all","rights":["all"]}`).wantProblem(t, "BAD_REQUEST")
}

func TestANewTokenIsShownOnceAndExpires(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	created := call(t, s, s.Secret, "POST", "/v1/tokens", `{"name":"ci","rights":["read","lease","read"],"ttl":"30m"}`)
	var token contract.NewToken
	if err := json.Unmarshal([]byte(created.body), &token); err != nil || created.status != 201 {
		t.Fatalf("%v: %d %s", err, created.status, created.body)
	}
	if want := []contract.Right{contract.RightRead, contract.RightLease}; !slices.Equal(token.Rights, want) {
		t.Errorf("rights %v, want %v", token.Rights, want)
	}
	if left := time.Until(token.ExpiresAt); left < 28*time.Minute || left > 30*time.Minute {
		t.Errorf("it expires in %s", left)
	}
	if list := call(t, s, s.Secret, "GET", "/v1/tokens", ""); strings.Contains(list.body, token.Secret) || strings.Contains(list.body, "secret") {
		t.Errorf("the list holds secrets: %s", list.body)
	}
	call(t, s, s.Secret, "POST", "/v1/tokens", `{"name":"ci","rights":["read"]}`).wantProblem(t, "CONFLICT")
	for _, ttl := range []string{"0s", "-1h", "9000h"} {
		call(t, s, s.Secret, "POST", "/v1/tokens", `{"name":"x","rights":["read"],"ttl":"`+ttl+`"}`).wantProblem(t, "BAD_REQUEST")
	}
}

// TestPersonalDataIsForIdentityOnly: on every route that reads.
func TestPersonalDataIsForIdentityOnly(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	var rest []contract.Right
	for _, right := range contract.Rights {
		if right != contract.RightIdentity {
			rest = append(rest, right)
		}
	}
	without := s.Token(t, rest...)
	targets := []string{"/v1/readiness?aal=3&target=mock&kind=smartcard", "/v1/authenticators/card-1/certificates"}
	for pattern, sample := range rows() {
		if strings.HasPrefix(pattern, "GET ") && sample.target != "/v1/events" && sample.target != "/openapi.json" {
			targets = append(targets, sample.target)
		}
	}
	shown := 0
	s.Leases.Careless = "the card of " + holder + ", " + user
	lend(s, contract.Owner{Name: "user 1000"})
	for _, target := range targets {
		if got := call(t, s, without, "GET", target, ""); strings.Contains(got.body, user) || strings.Contains(got.body, holder) || strings.Contains(got.body, `"der"`) {
			t.Errorf("%s tells whose card it is: %s", target, got.body)
		}
		if got := call(t, s, s.Secret, "GET", target, ""); strings.Contains(got.body, user) {
			shown++
		}
	}
	if shown < 4 {
		t.Errorf("with identity only %d routes tell it: the test proves little", shown)
	}
	// Nor does what a question says decide who may see the answer's texts.
	if got := call(t, s, without, "GET", "/v1/readiness?aal=3&target=mock&user="+user, ""); strings.Contains(got.body, holder) {
		t.Errorf("the verdict tells the holder: %s", got.body)
	}
}
