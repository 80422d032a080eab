package api_test

import (
	"testing"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// TestAWordOnHelloIsTheCallers: whoever is at the socket speaks for nobody else,
// whatever the body says.
func TestAWordOnHelloIsTheCallers(t *testing.T) {
	users := usersOfAMachine()
	s := apitest.Start(t, apitest.Options{Users: users})
	users.Come(seated)
	if got := askAs(t, s, "PUT", "/v1/workstation/hello", `{"api_version":4,"available":true}`); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if said, ok := s.Workstation.Said("user " + seated); !ok || said != (contract.HelloReport{API: 4, Available: true}) {
		t.Errorf("%+v", said)
	}
	if got := askAs(t, s, "PUT", "/v1/workstation/hello", `{"api_version":4,"available":true,"who":"somebody"}`); got.status < 400 {
		t.Errorf("a field of another's name is taken: %d", got.status)
	}
}
