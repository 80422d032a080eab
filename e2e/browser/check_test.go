//go:build linux && e2e

package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/contract"
)

const expressID, expressSecret = "000000000005.apps.national", "not a real one"

// TestARelyingPartyOfOthersIsChecked judges the judge: a library that is not ours
// takes each token that it should, and refuses each that the specification says it
// must. What it takes besides are the three that CIS2's applications go beyond the
// specification with.
func TestARelyingPartyOfOthersIsChecked(t *testing.T) {
	app, tell := startProcess(t, client, []string{"CLIENT_ID=" + expressID, "CLIENT_SECRET=" + expressSecret}, "node", "e2e/express-openid-connect.mjs")
	config := filepath.Join(t.TempDir(), "config.toml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `
[[mock.client]]
id = %q
redirects = ["%[2]s/callback"]
back_channel_logout = "%[2]s/backchannel-logout"
pattern = "client_secret_post"
secret = %[3]q
`, expressID, app, expressSecret), 0o600))
	w := newWorld(t, "--config", config)
	var mock struct{ Issuer string }
	must(t, json.Unmarshal(must2(os.ReadFile(filepath.Join(w.state, "mock.json")))(t), &mock))
	_, err := fmt.Fprintln(tell, mock.Issuer)
	must(t, err)
	done := must2(w.CheckRelyingParty(t.Context(), contract.RelyingPartyRequest{Client: expressID}))(t)
	named := map[contract.CheckState][]string{}
	for _, c := range done.Checks {
		if strings.HasPrefix(c.Name, "logout-") {
			named[c.State] = append(named[c.State], c.Name)
		}
	}
	for state, want := range map[contract.CheckState][]string{
		contract.Fail:    {"logout-replayed", "logout-no-sid", "logout-old-iat"},
		contract.Warn:    {"logout-valid", "logout-aud-list"}, // 204
		contract.Unknown: {"logout-new-key"},                  // it waits 30 s between two fetches
	} {
		if !slices.Equal(named[state], want) {
			t.Errorf("%s: %q, want %q", state, named[state], want)
		}
	}
	if len(named[contract.Pass]) != 11 {
		t.Errorf("passed: %q", named[contract.Pass])
	}
}
