package client_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/api/apitest"
	"authbridge/agent/client"
	"authbridge/agent/contract"
)

func inSuite(n int) []contract.LoginRequest {
	all := make([]contract.LoginRequest, n)
	for i := range all {
		all[i] = contract.LoginRequest{Target: "mock", Suite: apitest.SampleSuite}
	}
	return all
}

// TestASuiteIsRunInItsOrderSoManyAtOnce: each run begins as one before it ends,
// and all are told with their steps.
func TestASuiteIsRunInItsOrderSoManyAtOnce(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	var begun, over []int
	var ids []string
	running, most := 0, 0
	err := c.RunLogins(t.Context(), inSuite(20), 3, client.SuiteTold{
		Begun: func(i int, l contract.Login) {
			begun, ids = append(begun, i), append(ids, l.ID)
			if running++; running > most {
				most = running
			}
			if running == 3 || i == 19 {
				for _, id := range ids {
					s.Logins.Finish(id, contract.LoginFailed)
				}
			}
		},
		Over: func(i int, l contract.Login) {
			running--
			if over = append(over, i); l.State != contract.LoginFailed || len(l.Steps) != 1 {
				t.Errorf("%+v", l)
			}
		},
	})
	if err != nil || most != 3 || len(begun) != 20 || !slices.IsSorted(begun) || len(over) != 20 {
		t.Fatalf("%v: %d at once, begun %v, over %v: one that fails is no error", err, most, begun, over)
	}
	var report bytes.Buffer
	if err := c.SuiteReport(t.Context(), apitest.SampleSuite, contract.LoginReportJUnit, &report); err != nil || report.String() != "junit of "+strings.Join(ids, " ") {
		t.Errorf("%s, %v", report.String(), err)
	}
	wantProblem(t, c.SuiteReport(t.Context(), "suite-0000000000000000", contract.LoginReportJSON, &report), "LOGIN_UNKNOWN")
	s.Logins.BreakOff = errors.New("the disk is gone")
	if err := c.SuiteReport(t.Context(), apitest.SampleSuite, contract.LoginReportHTML, &report); err == nil {
		t.Error("half a report is taken for whole")
	}
}

// TestASuiteIsCancelledWhole: once it returns, nothing of it is under way.
func TestASuiteIsCancelledWhole(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	aborted := 0
	err := c.RunLogins(ctx, inSuite(9), 4, client.SuiteTold{
		Begun: func(i int, _ contract.Login) {
			if i == 3 {
				cancel()
			}
		},
		Over: func(_ int, l contract.Login) {
			if l.State == contract.LoginAborted {
				aborted++
			}
		},
		Ceremony: func(contract.Ceremony) {},
	})
	all, failed := c.Logins(t.Context())
	if !errors.Is(err, context.Canceled) || aborted != 4 || failed != nil || len(all) != 4 {
		t.Errorf("%v, %v: %d of %d aborted", err, failed, aborted, len(all))
	}
	for _, l := range all {
		if !l.State.Over() {
			t.Errorf("%s is %s", l.ID, l.State)
		}
	}
}

// TestWhatASuiteAsksOfAPersonIsTold: of its own runs' ceremonies alone, each
// step once, that too which was asked before anybody listened.
func TestWhatASuiteAsksOfAPersonIsTold(t *testing.T) {
	owner := contract.Owner{Name: "user 1000"}
	for name, late := range map[string]bool{"before": false, "after": true} {
		s := apitest.Start(t, apitest.Options{})
		c := overSocket(t, s)
		var asked []contract.CeremonyState
		stage := func(id string) {
			s.Logins.Grant(id, apitest.SampleLease)
			s.Ceremonies.Stage(owner, contract.CeremonyTouch)
		}
		if !late { // another run of the suite
			stage(must(c.BeginLogin(t.Context(), inSuite(1)[0])).ID)
		}
		err := c.RunLogins(t.Context(), inSuite(1), 1, client.SuiteTold{
			Begun: func(_ int, l contract.Login) {
				for late && !held(t, c) { // until its stream is open
				}
				switch {
				case late:
					stage(l.ID)
				case len(asked) == 2: // which was all
					s.Logins.Finish(l.ID, contract.LoginPassed)
				}
			},
			Ceremony: func(now contract.Ceremony) {
				if asked = append(asked, now.State); len(asked) == 1 {
					s.Ceremonies.Step(now.ID, contract.CeremonyRunning)
				} else {
					for _, l := range must(c.Logins(t.Context())) {
						s.Logins.Finish(l.ID, contract.LoginPassed)
					}
				}
			},
		})
		if err != nil || !slices.Equal(asked, []contract.CeremonyState{contract.CeremonyTouch, contract.CeremonyRunning}) {
			t.Errorf("%s: %v, asked %v", name, err, asked)
		}
	}
}

// TestWhatOthersAskIsNotTold: the ceremonies of another suite are no matter of
// this one's, whether they began before or after.
func TestWhatOthersAskIsNotTold(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	other, asks := inSuite(1)[0], leased(t, c)
	other.Suite = "suite-00000000000000ff"
	theirs := must(c.BeginLogin(t.Context(), other)).ID
	s.Logins.Grant(theirs, asks.Lease)
	must(c.Begin(t.Context(), asks))
	own := ""
	err := c.RunLogins(t.Context(), inSuite(1), 1, client.SuiteTold{
		Begun: func(_ int, l contract.Login) {
			own = l.ID
			for !held(t, c) { // until its stream is open
			}
			s.Logins.Step(theirs, "authorize")
			must(c.Begin(t.Context(), asks))
			s.Logins.Grant(own, apitest.SampleLease)
			s.Ceremonies.Stage(contract.Owner{Name: "user 1000"}, contract.CeremonyTouch)
		},
		Ceremony: func(now contract.Ceremony) {
			if now.Lease != apitest.SampleLease {
				t.Errorf("told of %+v", now)
				return
			}
			s.Logins.Finish(own, contract.LoginPassed)
		},
	})
	if err != nil {
		t.Error(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// TestWhatIsRefusedEndsASuite, and what can never be is told before.
func TestWhatIsRefusedEndsASuite(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	wantProblem(t, c.CheckLogin(t.Context(), contract.LoginRequest{Target: "mock", ACR: "AAL9"}), "LOGIN_MISMATCH")
	if err := c.CheckLogin(t.Context(), atMock); err != nil {
		t.Error(err)
	}
	requests := inSuite(3)
	requests[1].Target = strings.Repeat("x", 99)
	wantProblem(t, c.RunLogins(t.Context(), requests, 2, client.SuiteTold{}), "BAD_REQUEST")
	for _, l := range must(c.Logins(t.Context())) {
		if !l.State.Over() {
			t.Errorf("%s is %s", l.ID, l.State)
		}
	}
}
