package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"authbridge/agent/contract"
)

func lateVerdict() contract.Verdict {
	check := contract.Check{
		Code: "PIN_RETRIES", State: contract.Fail, Title: "Passcode tries left", NHSCode: "PIN_BLOCKED",
		Evidence: strings.Repeat("a long story of evidence ", 6), Remedy: strings.Repeat("and what to do about it ", 6),
	}
	return contract.Verdict{
		Question: contract.Question{AAL: 3, Target: "mock"}, Outcome: contract.VerdictNotReady,
		Summary: strings.Repeat("not ready because of something ", 5), Checks: []contract.Check{check},
		Candidates: []contract.Candidate{{
			Name: "virtual card 1234", Kind: contract.Smartcard, Origin: contract.Virtual, Outcome: contract.VerdictNotReady,
			Checks: []contract.Check{check, {Code: "CERT_VALID", State: contract.Unknown, Title: "waits"}, {Code: "CARD_PRESENT", State: contract.Pass, Title: "there"}},
		}},
	}
}

func TestEveryLineFitsTheTerminal(t *testing.T) {
	t.Parallel()
	snap := contract.Snapshot{
		Version:        "1.2.3",
		Sources:        []contract.Source{{Name: "virtual-pcsc", State: "down", Code: "PCSC_SERVICE", Detail: strings.Repeat("why it is down ", 10)}},
		Readers:        []contract.Reader{{Name: strings.Repeat("Long Reader Name ", 6), Condition: contract.InUse, Checks: lateVerdict().Checks}},
		Authenticators: []contract.Authenticator{{ID: "card-0123456789ab", Name: strings.Repeat("name ", 20), Kind: contract.Smartcard, Condition: contract.Ready, Checks: lateVerdict().Checks}},
		Checks:         lateVerdict().Checks,
	}
	for _, width := range []int{40, 80, 110} {
		var out bytes.Buffer
		s := &screen{w: &out, width: width, cuts: true}
		s.showStatus(snap, time.Time{})
		s.showVerdict(lateVerdict())
		s.showEvent(contract.Event{Text: strings.Repeat("something happened ", 10)})
		for line := range strings.SplitSeq(out.String(), "\n") {
			if utf8.RuneCountInString(line) > width {
				t.Errorf("%d columns: %q has %d", width, line, utf8.RuneCountInString(line))
			}
		}
	}
}

// TestChecksThatNobodyCouldMakeAreOneRow: an application that does not run is said
// so once.
func TestChecksThatNobodyCouldMakeAreOneRow(t *testing.T) {
	t.Parallel()
	silent := func(name string) contract.RelyingPartyCheck {
		return contract.RelyingPartyCheck{Name: name, Subject: "http://localhost:1/logout", State: contract.Unknown, Evidence: "it did not answer"}
	}
	late := silent("late")
	late.Evidence = "something else"
	var out bytes.Buffer
	newScreen(&out).showRelyingParty(contract.RelyingParty{State: contract.Fail, Checks: []contract.RelyingPartyCheck{
		{Name: "first", Subject: "http://localhost:1/logout", State: contract.Fail, Code: "BCL_SIM"},
		silent("one"), silent("two"), silent("three"), late,
		{Name: "last", State: contract.Pass},
	}})
	text := out.String()
	if strings.Count(text, "it did not answer") != 1 || !strings.Contains(text, "? 3 more checks were not made") || strings.Contains(text, "two") ||
		!strings.Contains(text, "late") || !strings.Contains(text, "last") {
		t.Error(text)
	}
}

// TestWatchShowsTheStepsThatFail: a run has thirty, which its own command shows.
func TestWatchShowsTheStepsThatFail(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newScreen(&out)
	for state, text := range map[contract.LoginStepState]string{contract.StepPass: "one", contract.StepSkipped: "two", contract.StepFail: "three"} {
		s.showEvent(contract.Event{Text: text, Login: &contract.Login{Steps: []contract.LoginStep{{State: state}}}})
	}
	s.showEvent(contract.Event{Text: "four", Login: &contract.Login{State: contract.LoginFailed}})
	if got := regexp.MustCompile("one|two|three|four").FindAllString(out.String(), -1); !slices.Equal(got, []string{"three", "four"}) {
		t.Errorf("it shows %q:\n%s", got, out.String())
	}
}

func TestNothingIsCutForAScript(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	name := strings.Repeat("a long name ", 20)
	newScreen(&out).showAuthenticators([]contract.Authenticator{{ID: "card-1", Name: name}})
	if !strings.Contains(out.String(), strings.TrimSpace(name)) {
		t.Errorf("cut: %s", out.String())
	}
}

func TestAVerdictThatIsReadyStillWarns(t *testing.T) {
	t.Parallel()
	v := contract.Verdict{
		Outcome: contract.VerdictReady, Authenticator: "card-1",
		Candidates: []contract.Candidate{
			{Authenticator: "card-1", Checks: []contract.Check{{Code: "CERT_VALID", State: contract.Warn, Title: "Validity"}, {Code: "PIN_RETRIES", State: contract.Pass, Title: "Tries"}}},
			{Authenticator: "card-2", Checks: []contract.Check{{Code: "CARD_MUTE", State: contract.Fail, Title: "Mute"}}},
		},
	}
	var out bytes.Buffer
	newScreen(&out).showVerdict(v)
	if text := out.String(); !strings.Contains(text, "! CERT_VALID") || strings.Contains(text, "CARD_MUTE") || strings.Contains(text, "PIN_RETRIES") {
		t.Errorf("got\n%s", text)
	}
}

func TestAVerdictShowsWhatFailsAndNotWhatWaitsForIt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	(&screen{w: &out, width: 80}).showVerdict(lateVerdict())
	text := out.String()
	for _, want := range []string{"✗ AAL3 at mock: not ready", "✗ PIN_RETRIES", "(PIN_BLOCKED)", "→ and what to do", "virtual card 1234  smartcard, virtual"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, not := range []string{"CERT_VALID", "CARD_PRESENT", "\x1b["} {
		if strings.Contains(text, not) {
			t.Errorf("%q in\n%s", not, text)
		}
	}
}

func TestAnUnprovenVerdictSaysWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	v := lateVerdict()
	v.Outcome, v.Checks = contract.VerdictUnproven, nil
	v.Candidates[0].Checks = v.Candidates[0].Checks[1:]
	var out bytes.Buffer
	(&screen{w: &out, width: 80}).showVerdict(v)
	if !strings.Contains(out.String(), "? CERT_VALID") {
		t.Errorf("not said:\n%s", out.String())
	}
}

func TestFaultsAreReadAsWritten(t *testing.T) {
	t.Parallel()
	got, err := parseFaults([]string{"slow=2s", "sw=6F00", "mute"})
	want := []contract.Fault{{Name: "slow", Delay: "2s"}, {Name: "sw", SW: "6F00"}, {Name: "mute"}}
	if err != nil || len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := parseFaults([]string{"mute=3"}); err == nil {
		t.Error("a value where there is none passed")
	}
}
