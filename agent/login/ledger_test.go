package login

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"authbridge/agent/contract"
)

// TestALedgerKeepsAllInOrderAndNeverTwoAtOnce: what comes during one write is the
// next, and what is left at the end is handed out.
func TestALedgerKeepsAllInOrderAndNeverTwoAtOnce(t *testing.T) {
	t.Parallel()
	var kept []string
	writes := 0
	going, more := make(chan struct{}), make(chan struct{})
	l := ledger{}
	l.keep = func(steps []contract.LoginStep) {
		if writes++; writes == 1 {
			close(going)
			<-more
		}
		for _, s := range steps {
			kept = append(kept, s.Name)
		}
	}
	var want []string
	add := func(n int) {
		want = append(want, strconv.Itoa(n))
		l.add(contract.LoginStep{Name: strconv.Itoa(n)})
	}
	l.settle() // nothing is there to wait for
	add(0)
	<-going
	for n := range 100 {
		add(n + 1)
	}
	close(more)
	l.settle()
	if !slices.Equal(kept, want) || writes != 2 {
		t.Errorf("%d writes of %v", writes, kept)
	}
	add(101)
	rest := l.close()
	l.add(contract.LoginStep{Name: "late"})
	for _, s := range append(rest, l.close()...) {
		kept = append(kept, s.Name)
	}
	if want = append(want, "late"); !slices.Equal(kept, want) {
		t.Errorf("in the end %v, want %v", kept, want)
	}
}

// TestAStepIsToldWhenItEnded: events that follow each other are told in that order,
// and one that failed says by which code.
func TestAStepIsToldWhenItEnded(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	e := told(contract.Owner{}, contract.Login{ID: "login-1", StartedAt: began}, &contract.LoginStep{
		Name: "lease", State: contract.StepFail, Code: "LEASE_UNMET", At: began.Add(time.Second), TookMS: 1500,
	})
	if want := began.Add(2500 * time.Millisecond); !e.At.Equal(want) || e.Text != "login-1: lease: fail, LEASE_UNMET" {
		t.Errorf("told at %s, want %s: %s", e.At, want, e.Text)
	}
}
