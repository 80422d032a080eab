package main

import (
	"os"
	"strings"
	"testing"

	"authbridge/agent/contract"
)

// TestEveryScenarioIsDocumented: what can be asked for can be looked up.
func TestEveryScenarioIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/logins.md")
	if err != nil {
		t.Fatal(err)
	}
	help := newLogin(&flags{}).Long
	for _, s := range contract.LoginScenarios {
		if !strings.Contains(string(text), "\n| `"+string(s)+"` |") {
			t.Errorf("docs/logins.md does not say what %s tries", s)
		}
		if s != contract.ScenarioSignIn && !strings.Contains(help, string(s)) {
			t.Errorf("the help does not name %s", s)
		}
	}
}
