package platform

import (
	"testing"
	"time"
)

// TestAStandingIsAskedOnceAndAnewWhenItMayHaveChanged: requests cost no look-up,
// and whoever waits hears only of a change that is one.
func TestAStandingIsAskedOnceAndAnewWhenItMayHaveChanged(t *testing.T) {
	t.Parallel()
	asked, is := 0, Standing{Member: true}
	s := newStandings(func(string) Standing { asked++; return is })
	for range 100 {
		if got := s.Of("1000"); got != is {
			t.Fatalf("%+v", got)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	changed := s.Changed()
	s.again()
	select {
	case <-changed:
		t.Error("a change is told that is none")
	default:
	}
	is = Standing{}
	s.again()
	<-changed
	if got := s.Of("1000"); got != is {
		t.Errorf("%+v", got)
	}
	// An answer from before a change is not kept after it.
	s.learn("1000", Standing{Admin: true}, s.changes-1)
	if got := s.Of("1000"); got != is {
		t.Errorf("%+v", got)
	}
}

// TestAnOldStandingIsAskedAnew: a directory on the network tells of no change.
func TestAnOldStandingIsAskedAnew(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newStandings(func(string) Standing { return Standing{} })
	s.now = func() time.Time { return now }
	s.Of("1000")
	s.Of("1000")
	if len(s.old) != 0 {
		t.Error("a fresh one is asked anew")
	}
	now = now.Add(standingAge)
	s.Of("1000")
	s.Of("1000")
	if len(s.old) != 1 {
		t.Error("an old one is not asked anew")
	}
}

// TestWhoIsForgottenIsAskedAnew: else somebody could crowd out that a right ended.
func TestWhoIsForgottenIsAskedAnew(t *testing.T) {
	t.Parallel()
	s := newStandings(func(string) Standing { return Standing{} })
	changed := s.Changed()
	for n := range mostStandings + 1 {
		s.Of(time.Duration(n).String())
	}
	<-changed
	if len(s.known) != 1 {
		t.Errorf("%d are known", len(s.known))
	}
}
