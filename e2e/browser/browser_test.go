//go:build linux && e2e

package browser_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apiclient "authbridge/agent/client"
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
	for title, want := range map[string]string{
		"nobody touches the key": "passed", "a test that relies on it": "failed",
	} {
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
	if r := results["a page that leaves while the key blinks"]; r.Status != "passed" {
		t.Errorf("a page that leaves: %s\n%s", r.Status, r.wrong())
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

func TestATokenWithTheRightLeaseIsEnough(t *testing.T) {
	w := newWorld(t)
	token := must2(w.CreateToken(t.Context(), contract.TokenRequest{
		Name: "ci", Rights: []contract.Right{contract.RightRead, contract.RightLease},
	}))(t)
	wantPassed(t, w.play([]string{"AUTHBRIDGE_URL=" + w.url, "AUTHBRIDGE_TOKEN=" + token.Secret}, w.command("signin")...), 1)
}

func TestUnderALeaseOfTheCommandLineAllTestsUseIt(t *testing.T) {
	w := newWorld(t)
	question := contract.Question{AAL: 3, Target: "mock", Kind: contract.SecurityKey}
	if v := must2(w.Ready(t.Context(), question, patience))(t); v.Outcome != contract.VerdictReady {
		t.Fatal(v.Summary)
	}
	lease := []string{binary, "lease", "--state-dir", w.state, "--kind", "security-key", "--purpose", "all of them", "--"}
	results := w.play(nil, append(lease, w.command("signin")...)...)
	wantPassed(t, results, 1)
	var got records
	results["registers and signs in"].attachment(t, "authbridge-ceremonies", &got)
	if got.Lease.Purpose != "all of them" || got.Lease.State != contract.LeaseActive {
		t.Errorf("the test had %+v", got.Lease)
	}
}

func TestAWorkerThatDiesGivesTheKeyBack(t *testing.T) {
	w := newWorld(t)
	w.keyIs("never")
	ctx, cancel := context.WithTimeout(t.Context(), runTime+patience)
	defer cancel()
	ended := make(chan error, 1)
	listening := make(chan struct{})
	found := errors.New("found")
	go func() {
		ended <- w.Events(ctx, "", func(e apiclient.Event) error {
			switch {
			case e.Snapshot != nil:
				close(listening)
			case e.Event != nil && e.Event.Lease != nil && e.Event.Lease.End == contract.EndConnection && e.Event.Lease.State == contract.LeaseEnded:
				return found
			}
			return nil
		})
	}()
	<-listening
	if r := w.specs("crash")["dies while the key blinks"]; r.Status != "failed" {
		t.Errorf("%s\n%s", r.Status, r.wrong())
	}
	if err := <-ended; !errors.Is(err, found) {
		t.Errorf("no lease ended with its connection: %v", err)
	}
	// It is free for the next, at once.
	lease := must2(w.TakeLease(ctx, contract.LeaseRequest{Requirement: contract.Requirement{AAL: 3, Target: "mock", Kind: contract.SecurityKey}}))(t)
	must2(w.ReleaseLease(ctx, lease.ID))(t)
}
