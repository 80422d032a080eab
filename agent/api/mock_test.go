package api_test

import (
	"strings"
	"testing"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// TestWhatTheMockIsNotTold is bad input: it is refused at the door, named by its
// field and not repeated.
func TestWhatTheMockIsNotTold(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	for name, row := range map[string]struct{ method, target, body, code string }{
		"a level that there is not": {"PUT", "/v1/mock/users/" + user, `{"aal":4}`, "BAD_REQUEST"},
		"no role":                   {"PUT", "/v1/mock/users/" + user, `{"roles":["doctor"]}`, "BAD_REQUEST"},
		"a name beyond bounds":      {"PUT", "/v1/mock/users/" + user, `{"name":"` + strings.Repeat("x", 200) + `"}`, "BAD_REQUEST"},
		"a user of 11 digits":       {"PUT", "/v1/mock/users/55501234567", `{}`, "BAD_REQUEST"},
		"a user who is not there":   {"DELETE", "/v1/mock/users/555000000000", "", "NOT_FOUND"},
		"no user to log out":        {"DELETE", "/v1/mock/sessions?user=x", "", "BAD_REQUEST"},
		"faults that are no list":   {"PUT", "/v1/mock/faults", `{"faults":"slow"}`, "BAD_REQUEST"},
		"no faults":                 {"PUT", "/v1/mock/faults", `{}`, "BAD_REQUEST"},
		"too many faults":           {"PUT", "/v1/mock/faults", `{"faults":[` + strings.Repeat(`"x",`, 30) + `"x"]}`, "BAD_REQUEST"},
	} {
		got := call(t, s, s.Secret, row.method, row.target, row.body)
		got.wantProblem(t, row.code)
		if strings.Contains(got.body, "doctor") {
			t.Errorf("%s: the answer repeats it: %s", name, got.body)
		}
	}
	if calls := s.Mock.Calls(); len(calls) > 0 {
		t.Errorf("%v", calls)
	}
}

// TestWhoMakesAUserIsNotToldWhoItIs holds the answer to an order to the same
// rule as the list.
func TestWhoMakesAUserIsNotToldWhoItIs(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	for secret, told := range map[string]bool{s.Token(t, contract.RightVirtual): false, s.Secret: true} {
		got := call(t, s, secret, "PUT", "/v1/mock/users/"+user, `{"name":"`+holder+`"}`)
		if got.status != 200 || strings.Contains(got.body, user) != told || strings.Contains(got.body, holder) != told {
			t.Errorf("told %t: %d %s", told, got.status, got.body)
		}
	}
}
