//go:build linux && e2e

package browser_test

import (
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
)

// records is what the package attaches of a test's ceremonies.
type records struct {
	Lease      contract.Lease
	Ceremonies []struct {
		Type      contract.CeremonyType
		Origin    string
		Exception string
		Failure   string
		Problem   *contract.Problem
		Ceremony  *contract.Ceremony
	}
}

func TestAPageRegistersAndSignsIn(t *testing.T) {
	w := newWorld(t)
	results := w.specs("signin")
	wantPassed(t, results, 1)
	r := results["registers and signs in"]
	var verdict contract.Verdict
	r.attachment(t, "authbridge-verdict", &verdict)
	if verdict.Outcome != contract.VerdictReady || verdict.Origin != contract.Virtual {
		t.Errorf("the verdict is %+v", verdict)
	}
	var got records
	r.attachment(t, "authbridge-ceremonies", &got)
	if got.Lease.End != contract.EndReleased || len(got.Ceremonies) != 2 {
		t.Fatalf("%+v", got)
	}
	for _, c := range got.Ceremonies {
		if c.Ceremony == nil || c.Ceremony.State != contract.CeremonyDone || c.Ceremony.Result != nil || c.Origin != w.party.origin {
			t.Errorf("%+v", c)
		}
	}
	// The relying party's own word: both were verified, with UP and UV.
	if n := w.party.verified(); n != 2 {
		t.Errorf("the relying party verified %d", n)
	}
}

func TestPagesAsTheyCome(t *testing.T) {
	wantPassed(t, newWorld(t).specs("pages"), 5)
}

func TestWhatChromiumRefusesIsRefused(t *testing.T) {
	w := newWorld(t)
	wantPassed(t, w.specs("refused"), 4)
	if n := w.party.verified(); n != 0 {
		t.Errorf("the relying party verified %d", n)
	}
}

func TestATouchThatNeverComesIsSaid(t *testing.T) {
	w := newWorld(t)
	w.keyIs("never")
	results := w.specs("touch")
	const sentence = "authbridge: create failed: Nobody touched the security key in time"
	for title, want := range map[string]string{"nobody touches the key": "passed", "a test that relies on it": "failed"} {
		r := results[title]
		if r.Status != want || !strings.Contains(r.said(), sentence) {
			t.Errorf("%s: %s\n%s%s", title, r.Status, r.wrong(), r.said())
		}
		if !strings.Contains(r.said(), "authbridge: touch: Touch ") {
			t.Errorf("%s: no prompt in\n%s", title, r.said())
		}
		if took := time.Duration(r.Duration) * time.Millisecond; took > time.Minute {
			t.Errorf("%s took %s", title, took)
		}
	}
	if wrong := results["a test that relies on it"].wrong(); !strings.Contains(wrong, sentence) {
		t.Errorf("beside the failed assertion it is not said why:\n%s", wrong)
	}
}

func TestWithoutAnAuthenticatorATestIsSkippedWithTheReason(t *testing.T) {
	w := newWorld(t)
	w.keyIs("")
	for title, r := range w.specs("signin") {
		if r.Status != "skipped" || !strings.HasPrefix(r.skipped, "no authenticator for AAL3 at mock: ") || !strings.Contains(r.skipped, "→ ") {
			t.Errorf("%s: %s: %s\n%s", title, r.Status, r.skipped, r.wrong())
		}
		t.Log(r.skipped)
	}
}
