package health_test

import (
	"reflect"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

func TestAReaderThatIsBackInAMomentWasNeverAway(t *testing.T) {
	t.Parallel()
	judge := health.Steady()
	judge(world(), noon)
	gone := world()
	gone.Readers, gone.Cards = nil, nil
	shown := judge(gone, noon.Add(time.Second))
	for _, code := range []failure.Code{failure.ReaderPresent, failure.CardPresent, failure.CardSingle} {
		if c := check(t, shown.Machine, code); c.State != contract.Pass || !c.ObservedAt.Equal(check(t, health.Judge(world(), noon).Machine, code).ObservedAt) {
			t.Errorf("after a moment %s is %s, observed at %s", code, c.State, c.ObservedAt)
		}
	}
	if len(shown.Authenticators) != 1 {
		t.Errorf("%d authenticators are judged, want the key only: what is gone is gone at once", len(shown.Authenticators))
	}
	if shown.Again.IsZero() || shown.Again.After(noon.Add(time.Hour)) {
		t.Errorf("it is judged again at %s", shown.Again)
	}
	shown = judge(world(), noon.Add(2*time.Second))
	if c := check(t, shown.Machine, failure.ReaderPresent); c.State != contract.Pass {
		t.Errorf("it is back and %s", c.State)
	}
	// The time starts anew: it was back in between.
	shown = judge(gone, noon.Add(3500*time.Millisecond))
	if c := check(t, shown.Machine, failure.ReaderPresent); c.State != contract.Pass {
		t.Errorf("away again for a moment, and %s", c.State)
	}
}

func TestAReaderThatStaysAwayIsReportedWhenTheReportSaidSo(t *testing.T) {
	t.Parallel()
	judge := health.Steady()
	judge(world(), noon)
	gone := world()
	gone.Readers, gone.Cards = nil, nil
	shown := judge(gone, noon.Add(time.Second))
	judge(gone, shown.Again.Add(-time.Nanosecond))
	shown = judge(gone, shown.Again)
	if c := check(t, shown.Machine, failure.ReaderPresent); c.State != contract.Fail {
		t.Errorf("READER_PRESENT is %s", c.State)
	}
	if c := check(t, shown.Machine, failure.CardPresent); c.State != contract.Unknown {
		t.Errorf("CARD_PRESENT is %s", c.State)
	}
}

func TestBetterStatesShowAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		was, is := health.Judge(anything(seed), noon), health.Judge(anything(seed+1000), noon)
		shown := health.Settle(was, is, noon)
		for i := range is.Machine {
			if is.Machine[i].State == contract.Pass && shown.Machine[i].State != contract.Pass {
				t.Fatalf("seed %d: %s passes, and %s is shown", seed, is.Machine[i].Code, shown.Machine[i].State)
			}
		}
		if len(was.Machine) == 0 {
			t.Fatal("nothing to compare")
		}
	}
}

// TestAFailureOfAnAuthenticatorIsNeverHidden: verdicts rest on these.
func TestAFailureOfAnAuthenticatorIsNeverHidden(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		good := health.Judge(world(), noon)
		facts := anything(seed)
		is := health.Judge(facts, noon)
		shown := health.Settle(good, is, noon)
		for id, checks := range is.Authenticators {
			for i, c := range checks {
				if (c.State == contract.Fail || c.State == contract.Unknown) && shown.Authenticators[id][i].State != c.State {
					t.Fatalf("seed %d: %s of %s is %s, and %s is shown", seed, c.Code, id, c.State, shown.Authenticators[id][i].State)
				}
			}
		}
	}
}

func TestAProgramThatLooksAtTheCardForAMomentIsNoNews(t *testing.T) {
	t.Parallel()
	judge := health.Steady()
	judge(world(), noon)
	inUse := world()
	inUse.Cards[0].Condition, inUse.Readers[0].Condition = contract.InUse, contract.InUse
	shown := judge(inUse, noon.Add(time.Second))
	if c := shown.Authenticators["a"][0]; c.Code != "CARD_PRESENT" || c.State != contract.Pass {
		t.Errorf("after a moment it is %s %s", c.Code, c.State)
	}
	shown = judge(inUse, noon.Add(4*time.Second))
	if c := shown.Authenticators["a"][0]; c.Code != "CARD_IN_USE" || c.State != contract.Warn {
		t.Errorf("after three seconds it is %s %s", c.Code, c.State)
	}
}

func TestSettlingIsPure(t *testing.T) {
	t.Parallel()
	gone := world()
	gone.Readers, gone.Cards = nil, nil
	prev, next := health.Judge(world(), noon), health.Judge(gone, noon)
	a, b := health.Settle(prev, next, noon), health.Settle(prev, next, noon)
	if !reflect.DeepEqual(a, b) {
		t.Error("the same history settles in two ways")
	}
	if !reflect.DeepEqual(prev, health.Judge(world(), noon)) || !reflect.DeepEqual(next, health.Judge(gone, noon)) {
		t.Error("settling changed the history")
	}
}

func TestFewChecksWaitToBeVisible(t *testing.T) {
	t.Parallel()
	var slow []string
	for _, r := range health.Rules() {
		if r.TimeToVisible > 2*time.Second {
			t.Errorf("%s waits %s", r.Code, r.TimeToVisible)
		}
		if r.TimeToVisible > 0 {
			slow = append(slow, string(r.Scope)+" "+string(r.Code))
		}
	}
	want := []string{"machine PCSC_SERVICE", "machine READER_PRESENT", "reader CARD_PRESENT", "smartcard CARD_PRESENT"}
	if !reflect.DeepEqual(slow, want) {
		t.Errorf("these wait: %q, documented are %q", slow, want)
	}
}
